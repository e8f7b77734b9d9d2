"""Handsets: the SMS a phone received and the money in its wallet."""

import re

from sandbox.clock import iso
from sandbox.journal import Row
from sandbox.kernel import Kernel, made_up

FULL_WALLET = 10_000_000
LAUNCH_LINK = re.compile(r"/wave/c/(cos-[0-9a-z]+)")


class Phones:
    """SMS rows are `{"id","phone","from","text","at"}`; a wallet row is `{"balance"}` in whole units (default
    10 000 000)."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._inbox: dict[str, list[Row]] = {}
        self._links: dict[str, list[str]] = {}
        kernel.journal.watch("sms", self._received)

    def _received(self, key: str, row: Row) -> None:
        self._inbox.setdefault(row["phone"], []).append(row)
        for session in LAUNCH_LINK.findall(row["text"]):
            links = self._links.setdefault(row["phone"], [])
            if session not in links:
                links.append(session)

    def receive_sms(self, phone: str, sender: str, text: str) -> None:
        """The handset beeps: the message is in its inbox."""
        kernel = self._kernel
        with kernel.lock:
            key = made_up("0123456789abcdef", 12)
            row = {"id": key, "phone": phone, "from": sender, "text": text, "at": iso(kernel.clock.now())}
            kernel.journal.put(("sms", key, row))

    def inbox(self, phone: str) -> list[Row]:
        """Messages, oldest first: `{"id","from","text","at"}`."""
        with self._kernel.lock:
            return [
                {name: row[name] for name in ("id", "from", "text", "at")}
                for row in self._inbox.get(phone, [])
            ]

    def links(self, phone: str) -> list[str]:
        """Checkout sessions whose launch link arrived on this phone by SMS."""
        with self._kernel.lock:
            return list(self._links.get(phone, []))

    def balance(self, phone: str) -> int:
        row = self._kernel.journal.get("wallet", phone)
        return int(row["balance"]) if row else FULL_WALLET

    def wallet(self, phone: str, balance: int) -> tuple[str, str, Row]:
        """The journal change that sets a wallet; the caller puts it together with what moved the money."""
        return ("wallet", phone, {"balance": balance})
