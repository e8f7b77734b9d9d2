"""People who insist: they dial again until they are members, ask until they may pay, and pay once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

from mutuelle import crypto
from tests.end_to_end.faults.world import CODES, JOIN, FaultWorld
from tests.end_to_end.stories.world import Phone

PAUSE_S = 0.1


class Farmer(threading.Thread):
    """Joins and pays all it owes, whatever the telephone says meanwhile; `paid` when its request is
    settled."""

    def __init__(self, ground: FaultWorld, operator: str) -> None:
        super().__init__(daemon=True)
        self.ground, self.phone = ground, ground.phone(CODES[operator])
        self.paid = False
        self._over = threading.Event()

    def run(self) -> None:
        while not self.paid and not self._over.wait(PAUSE_S):
            try:
                self._step()
            except (httpx.HTTPError, psycopg.OperationalError):
                continue

    def give_up(self) -> None:
        self._over.set()
        self.join()

    def _step(self) -> None:
        self.paid = any(status == "confirmed" for status, _ in payments_of(self.ground, self.phone))
        if self.paid:
            return
        if self.phone.prompts:
            self._say("prompts/" + self.phone.prompts[0]["id"], answer="approve")
            return
        said = self._dial("2*1")
        if said.startswith("Payer"):
            self._say("reply", input="1")
        else:
            self._dial(JOIN[self.phone.code])
            self._say("reply", input="1")

    def _dial(self, shortcut: str) -> str:
        return self._say("dial", code=f"{self.phone.code.removesuffix('#')}*{shortcut}#")

    def _say(self, what: str, **said: str) -> str:
        """What the phone then shows; the aggregator may have had no answer, or the session may have ended."""
        answer: Any = self.ground.http.post(
            f"{self.ground.stage.sandbox_url}/phones/{self.phone.number}/{what}", json=said
        )
        return str(answer.json().get("screen", ""))


@contextmanager
def crowd(ground: FaultWorld, count: int) -> Iterator[list[Farmer]]:
    """`count` of them at once, half with Wave, half with MTN."""
    farmers = [Farmer(ground, ("wave", "mtn")[number % 2]) for number in range(count)]
    for farmer in farmers:
        farmer.start()
    try:
        yield farmers
    finally:
        for farmer in farmers:
            farmer.give_up()


def payments_of(ground: FaultWorld, phone: Phone) -> list[tuple[str, int]]:
    """(status, receipts) of each request of this phone."""
    query = (
        "SELECT p.status, (SELECT count(*) FROM receipts r WHERE r.reference = p.ref::text) FROM payments p"
    )
    return ground.sql(f"{query} WHERE payer_index = %s", crypto.blind_index(phone.number))
