"""What every USSD gateway sends us, as plain values, and what its adapter module offers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway import forms


@dataclass(frozen=True)
class UssdRequest:
    """One turn. `text` is the transcript or the last input.

    `text` may hold a PIN, so `repr` shows neither it nor the phone.
    """

    session_id: str
    phone: str = field(repr=False)
    service_code: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class UssdEvent:
    """The end of a session. All input and output is dropped on reading: it may hold a PIN, a name, a balance.

    `status` is the gateway's own word; success says that the session ended in order, not that anything was
    paid. `cost` stays text, `KES 0.10` or `0.00`.
    """

    session_id: str
    phone: str = field(repr=False)
    status: str
    network_code: str | None = None
    at: datetime | None = None
    cost: str | None = None
    duration_ms: int | None = None
    hops: int | None = None


class UssdAdapter(Protocol):
    """The module of one gateway.

    `CUMULATIVE`: each turn repeats the whole transcript. `SEPTETS_MAX`: the longest body, any prefix counted.
    """

    CUMULATIVE: bool
    SEPTETS_MAX: int
    CONTENT_TYPE: str

    def read(self, pairs: forms.Pairs) -> UssdRequest:
        """Reads one turn. May raise Malformed."""

    def write(self, text: str, open: bool) -> str:
        """Returns the body of our answer in the gateway's format; the session goes on while `open`."""

    def read_event(self, pairs: forms.Pairs) -> UssdEvent:
        """Reads an end-of-session report. May raise Malformed."""

    def match_code(self, service_code: str, known_codes: Iterable[str]) -> tuple[str, str] | None:
        """Returns which of `known_codes` was dialled and what came after it, or None."""
