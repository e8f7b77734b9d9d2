"""Tools of the sandbox tests: a server that records requests, and a client of the control API."""

import http.server
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx

from sandbox.server import SandboxServer

AWA = "+221770000001"
MUTESI = "+250780000001"
LONG_S = 10.0


@dataclass
class ReceivedRequest:
    """One request that the product received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {
            name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()
        }

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    body: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/plain; charset=utf-8"})


class Product:
    """Records all requests. Tests set `answers[path]` and wait only by `wait`."""

    def __init__(self) -> None:
        self.received: list[ReceivedRequest] = []
        self.answers: dict[str, Callable[[ReceivedRequest], Answer]] = {}
        self._changed = threading.Condition()
        product = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _take(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = ReceivedRequest(self.command, self.path, headers, self.rfile.read(size))
                answer = product.answers.get(self.path, lambda _: Answer())(received)
                with product._changed:
                    product.received.append(received)
                    product._changed.notify_all()
                raw = answer.body.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_POST = do_PUT = do_GET = _take

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def at(self, path: str) -> list[ReceivedRequest]:
        with self._changed:
            return [received for received in self.received if received.path == path]

    def wait(self, path: str, count: int = 1) -> list[ReceivedRequest]:
        """Returns the requests at `path`, once there are at least `count`."""
        with self._changed:
            done = self._changed.wait_for(lambda: sum(h.path == path for h in self.received) >= count, LONG_S)
        assert done, (
            f"{path} was called {len(self.at(path))} times, not {count}: {[h.path for h in self.received]}"
        )
        return self.at(path)

    def will_answer(self, path: str, body: str, status: int = 200, **headers: str) -> None:
        fields = {
            "Content-Type": "text/plain",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self.answers[path] = lambda _: Answer(body, status, fields)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Sandbox:
    """A running sandbox and a client of its control API."""

    running: SandboxServer
    http: httpx.Client

    def post(self, path: str, payload: Any = None, status: int = 200) -> Any:
        answer = self.http.post(path, json=payload) if payload is not None else self.http.post(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    def pass_time(self, seconds: float) -> None:
        self.post("/clock", {"shift_s": self.get("/clock")["shift_s"] + seconds})

    def quiet(self) -> dict[str, int]:
        """Waits until no callback waits or is in flight. Returns the counts."""
        callbacks = self.running.world.kernel.callbacks
        assert callbacks.wait_quiet(LONG_S), callbacks.counts()
        return callbacks.counts()


def config(product: str, journal: Path) -> dict[str, Any]:
    return {
        "port": 0,
        "journal": str(journal),
        "clock_shift_s": 0,
        "africastalking": {
            "username": "sandbox-demo",
            "api_key": "at-key",
            "network_code": "99999",
            "service_codes": {
                "*384*55#": {
                    "url": f"{product}/ussd/sn",
                    "events": f"{product}/ussd/events",
                    "mutuelle": "SN-1",
                    "country": "SN",
                },
                "*384*56#": {"url": f"{product}/ussd/rw", "events": f"{product}/ussd/events"},
            },
            "sms": {"delivery": f"{product}/sms/delivery", "incoming": f"{product}/sms/incoming"},
        },
        "wave": [
            {
                "account": name,
                "currency": "XOF",
                "api_key": f"wave_{name}",
                "signing_secret": f"secret_{name}",
                "merchant_id": f"M_{name}",
                "business_name": f"Mutuelle {name}",
                "callback": f"{product}/momo/wave/{name}",
            }
            for name in ("SN-1", "ML-1")
        ],
        "mtn": [
            {
                "account": name,
                "currency": "RWF",
                "api_user": f"user-{name}",
                "api_key": f"key-{name}",
                "subscription_key": f"sub-{name}",
                "target_environment": "mtnrwanda",
                "business_name": f"Mutuelle {name}",
            }
            for name in ("RW-1", "RW-2")
        ],
    }
