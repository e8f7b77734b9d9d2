"""`python -m proving.bench.operator PORT`: a fast operator, so that we do not measure the sandbox.

It implements the part of Wave's API that a payment needs (make, find and read a checkout session, an empty
transaction list) and keeps every session open until `POST /approve` names its reference. It uses no
framework, because on two shared cores each cycle it takes is missing to the product.
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

HttpAnswer = tuple[int, object]


class Operator:
    """Sessions by id and by our reference; `approved` are those whose payer approved."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.by_reference: dict[str, str] = {}
        self.approved: set[str] = set()

    def answer(self, method: str, target: str, body: bytes) -> HttpAnswer:
        parts = urlsplit(target)
        match method, parts.path.removeprefix("/v1"):
            case "POST", "/checkout/sessions":
                return 200, self._open_session(json.loads(body))
            case "GET", "/checkout/sessions/search":
                session = self.by_reference.get(parse_qs(parts.query)["client_reference"][0])
                return 200, {"result": [self._current(self.sessions[session])] if session else []}
            case "GET", "/transactions":
                return 200, {"page_info": {"end_cursor": None, "has_next_page": False}, "items": []}
            case "POST", "/approve":
                self.approved |= {self.by_reference[ref] for ref in json.loads(body)}
                return 200, {"approved": len(self.approved)}
            case "GET", path if (session := path.rpartition("/")[2]) in self.sessions:
                return 200, self._current(self.sessions[session])
        return 404, {"code": "not-found"}

    def _open_session(self, payload: dict[str, Any]) -> dict[str, Any]:
        session = f"cos-{uuid.uuid4().hex[:12]}"
        values = {name: payload[name] for name in ("amount", "currency", "client_reference")}
        ends = datetime.now(UTC) + timedelta(minutes=30)
        self.sessions[session] = {"id": session, "when_expires": ends.isoformat(), **values}
        self.by_reference[payload["client_reference"]] = session
        return self._current(self.sessions[session])

    def _current(self, session: dict[str, Any]) -> dict[str, Any]:
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
    """Serves on loopback until the process ends."""
    operator = Operator()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                lines = head.lower().split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
                status, answer = operator.answer(method, target, await reader.readexactly(length))
                body = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
