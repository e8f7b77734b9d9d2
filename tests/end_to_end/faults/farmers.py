"""Phones in threads that retry: they dial until they are members, ask until they may pay, and pay once."""

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
    """Joins and pays all it owes, through every error; `paid` is true when its request is confirmed."""

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
            self._act("prompts/" + self.phone.prompts[0]["id"], answer="approve")
            return
        screen = self._dial("2*1")
        if screen.startswith("Payer"):
            self._act("reply", input="1")
        else:
            self._dial(JOIN[self.phone.code])
            self._act("reply", input="1")

    def _dial(self, shortcut: str) -> str:
        return self._act("dial", code=f"{self.phone.code.removesuffix('#')}*{shortcut}#")

    def _act(self, what: str, **payload: str) -> str:
        """Returns the screen; empty if the aggregator had no answer or the session has ended."""
        answer: Any = self.ground.http.post(
            f"{self.ground.stage.sandbox_url}/phones/{self.phone.number}/{what}", json=payload
        )
        return str(answer.json().get("screen", ""))


@contextmanager
def farmers_that_pay(ground: FaultWorld, count: int) -> Iterator[list[Farmer]]:
    """Runs `count` farmers at once, half with Wave, half with MTN."""
    farmers = [Farmer(ground, ("wave", "mtn")[number % 2]) for number in range(count)]
    for farmer in farmers:
        farmer.start()
    try:
        yield farmers
    finally:
        for farmer in farmers:
            farmer.give_up()


def payments_of(ground: FaultWorld, phone: Phone) -> list[tuple[str, int]]:
    """Returns status and number of receipts of each request of this phone."""
    query = (
        "SELECT p.status, (SELECT count(*) FROM receipts r WHERE r.reference = p.ref::text) FROM payments p"
    )
    return ground.sql(f"{query} WHERE payer_index = %s", crypto.blind_index(phone.number))
