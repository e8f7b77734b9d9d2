"""Stores what phones hold: received SMS, payment links and the wallet."""

import re

from sandbox.clock import iso
from sandbox.journal import Row
from sandbox.kernel import Kernel, random_name

FULL_WALLET = 10_000_000
LAUNCH_LINK = re.compile(r"/wave/c/(cos-[0-9a-z]+)")


class Phones:
    """SMS rows are `{"id","phone","from","text","at"}`, wallet rows `{"balance"}` in whole units."""

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
        """Puts a message into the phone's inbox."""
        kernel = self._kernel
        with kernel.lock:
            key = random_name("0123456789abcdef", 12)
            row = {"id": key, "phone": phone, "from": sender, "text": text, "at": iso(kernel.clock.now())}
            kernel.journal.put(("sms", key, row))

    def inbox(self, phone: str) -> list[Row]:
        """Returns messages as `{"id","from","text","at"}`, oldest first."""
        with self._kernel.lock:
            return [
                {name: row[name] for name in ("id", "from", "text", "at")}
                for row in self._inbox.get(phone, [])
            ]

    def links(self, phone: str) -> list[str]:
        """Returns checkout sessions whose launch link arrived on this phone by SMS."""
        with self._kernel.lock:
            return list(self._links.get(phone, []))

    def balance(self, phone: str) -> int:
        row = self._kernel.journal.get("wallet", phone)
        return int(row["balance"]) if row else FULL_WALLET

    def wallet_change(self, phone: str, balance: int) -> tuple[str, str, Row]:
        """Returns the journal change that sets a wallet; put it together with what moved the money."""
        return ("wallet", phone, {"balance": balance})
