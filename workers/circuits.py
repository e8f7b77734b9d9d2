"""Stops asking an operator that has not answered several times in a row, for half a minute at a time.

A request that nobody answers holds a thread for seconds. While the circuit is open, it fails at once, so that
its row is postponed, its payment expires in time, and its lane is free for the next row.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from mutuelle import clock
from mutuelle.errors import Unavailable
from mutuelle.money import Money
from mutuelle.payments.operators import MovementPage, OperatorConnection, PaymentStatus

OPENS_AFTER = 10  # requests without an answer, one after the other
OPEN_FOR = timedelta(seconds=30)  # then one request tries again
Answer = TypeVar("Answer")


@dataclass
class Circuit:
    """What one process knows of one operator: failures since its last answer, and when to ask again."""

    failures: int = 0
    opens_at: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """Returns what `ask` returns. Raises Unavailable at once while the circuit is open."""
        if not self._may_ask():
            raise Unavailable("the operator has not answered lately")
        try:
            answer = ask()
        except Unavailable:
            self._record_failure()
            raise
        except Exception:  # of any other kind: there was an answer, which the caller judges
            self._record_answer()
            raise
        self._record_answer()
        return answer

    def _may_ask(self) -> bool:
        """Whether the circuit is closed. After OPEN_FOR one caller alone may try."""
        with self._lock:
            if self.opens_at is None:
                return True
            if clock.now() < self.opens_at:
                return False
            self.opens_at = clock.now() + OPEN_FOR
            return True

    def _record_failure(self) -> None:
        with self._lock:
            self.failures += 1
            if self.failures >= OPENS_AFTER:
                self.opens_at = clock.now() + OPEN_FOR

    def _record_answer(self) -> None:
        with self._lock:
            self.failures, self.opens_at = 0, None


class GuardedOperator:
    """An operator account behind the circuit of its operator; otherwise it is the account itself."""

    def __init__(self, account: OperatorConnection, circuit: Circuit) -> None:
        self._account, self._circuit = account, circuit
        self.approval, self.give_up_s, self.lists = account.approval, account.give_up_s, account.lists
        self.signs, self.proofs = account.signs, account.proofs

    def request_payment(self, ref: UUID, payer: str, amount: Money, callback_url: str) -> PaymentStatus:
        return self._circuit.call(lambda: self._account.request_payment(ref, payer, amount, callback_url))

    def fetch_status(self, ref: UUID, operator_ref: str | None) -> PaymentStatus | None:
        return self._circuit.call(lambda: self._account.fetch_status(ref, operator_ref))

    def list_movements(self, day: date, cursor: str | None) -> MovementPage:
        return self._circuit.call(lambda: self._account.list_movements(day, cursor))

    def fetch_balance(self) -> Money | None:
        return self._circuit.call(self._account.fetch_balance)
