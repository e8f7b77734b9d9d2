"""`python -m proving.bench.operator PORT`: an operator that answers at once, so that a figure is ours and not
the sandbox's.

It speaks as much of Wave's API as a payment needs (make, find and read a checkout session, an empty list) and
holds every session open until `POST /approve` names its reference. On two shared cores each cycle it takes is
missing to what is measured: no framework.
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

Said = tuple[int, object]


class Operator:
    """Sessions by id and by our reference; `approved` are those whose payer has said yes."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.under: dict[str, str] = {}
        self.approved: set[str] = set()

    def answer(self, method: str, target: str, body: bytes) -> Said:
        parts = urlsplit(target)
        match method, parts.path.removeprefix("/v1"):
            case "POST", "/checkout/sessions":
                return 200, self._made(json.loads(body))
            case "GET", "/checkout/sessions/search":
                known = self.under.get(parse_qs(parts.query)["client_reference"][0])
                return 200, {"result": [self._now(self.sessions[known])] if known else []}
            case "GET", "/transactions":
                return 200, {"page_info": {"end_cursor": None, "has_next_page": False}, "items": []}
            case "POST", "/approve":
                self.approved |= {self.under[ref] for ref in json.loads(body)}
                return 200, {"approved": len(self.approved)}
            case "GET", path if (known := path.rpartition("/")[2]) in self.sessions:
                return 200, self._now(self.sessions[known])
        return 404, {"code": "not-found"}

    def _made(self, asked: dict[str, Any]) -> dict[str, Any]:
        session = f"cos-{uuid.uuid4().hex[:12]}"
        about = {name: asked[name] for name in ("amount", "currency", "client_reference")}
        ends = datetime.now(UTC) + timedelta(minutes=30)
        self.sessions[session] = {"id": session, "when_expires": ends.isoformat(), **about}
        self.under[asked["client_reference"]] = session
        return self._now(self.sessions[session])

    def _now(self, session: dict[str, Any]) -> dict[str, Any]:
        if session["id"] not in self.approved:
            link = f"http://127.0.0.1/{session['id']}"
            return session | {
                "checkout_status": "open",
                "payment_status": "processing",
                "wave_launch_url": link,
            }
        paid = {
            "transaction_id": "T" + session["id"][4:].upper(),
            "when_completed": datetime.now(UTC).isoformat(),
        }
        return session | paid | {"checkout_status": "complete", "payment_status": "succeeded"}


async def serve(port: int) -> None:
    """Answer on loopback until ended."""
    operator = Operator()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                length = next(
                    (
                        int(line[15:])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                status, said = operator.answer(method, target, await reader.readexactly(length))
                body = json.dumps(said).encode()
                about = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(about.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
