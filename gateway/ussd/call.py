"""What every USSD gateway tells us, as plain values, and what its adapter module must offer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway import forms


@dataclass(frozen=True)
class UssdRequest:
    """One turn. `text` is the transcript or the last input; it may hold a PIN, so neither it nor the phone is
    printed."""

    session_id: str
    phone: str = field(repr=False)
    service_code: str
    text: str = field(repr=False)
    network_code: str | None = None


@dataclass(frozen=True)
class UssdEvent:
    """How a session ended. Everything typed and shown is dropped on reading: it may hold a PIN, a name, a
    balance.

    `status` is the gateway's own word; success says that the session ended in order, not that anything was
    paid. `cost` stays text, `KES 0.10` or `0.00`.
    """

    session_id: str
    phone: str = field(repr=False)
    service_code: str
    status: str
    network_code: str | None = None
    at: datetime | None = None
    cost: str | None = None
    duration_ms: int | None = None
    hops: int | None = None


class SpeaksUssd(Protocol):
    """A gateway's module.

    `CUMULATIVE`: each turn repeats the whole transcript. `SEPTETS_MAX`: the longest body, any prefix counted.
    """

    CUMULATIVE: bool
    SEPTETS_MAX: int
    CONTENT_TYPE: str

    def read(self, pairs: forms.Pairs) -> UssdRequest:
        """One turn. May raise Malformed."""

    def write(self, text: str, open: bool) -> str:
        """The body of our answer, in the gateway's own words; the session goes on while `open`."""

    def read_event(self, pairs: forms.Pairs) -> UssdEvent:
        """An end-of-session report. May raise Malformed."""

    def dialled(self, service_code: str, known_codes: Iterable[str]) -> tuple[str, str] | None:
        """Which of our codes was dialled and what came after it; None when none of `known_codes` begins
        it."""
