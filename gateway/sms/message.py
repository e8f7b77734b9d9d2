"""What every SMS route tells us, as plain values, and what its adapter must offer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

from config.settings import Settings
from gateway import forms
from mutuelle.errors import Unavailable


class MaybeSent(Unavailable):
    """The message may be on its way: no route has an idempotency key, so that it is never sent again by
    itself."""

    retryable = False


@dataclass(frozen=True)
class SendResult:
    """What the route answered for one recipient. Accepted is not delivered; `code` and `reason` are the
    route's own words.

    `cost` stays text, `KES 0.8000`.
    """

    recipient: str = field(repr=False)
    accepted: bool
    message_id: str | None
    code: int | None
    reason: str | None
    cost: str | None


@dataclass(frozen=True)
class Delivery:
    """A delivery report. `delivered` is None while it is not known; a status we do not know is kept and ends
    nothing."""

    message_id: str
    status: str
    final: bool
    delivered: bool | None
    reason: str | None = None


@dataclass(frozen=True)
class Incoming:
    """An SMS to us. `sender` is as it came: E.164, or a name or short code for what no member sent."""

    id: str
    sender: str = field(repr=False)
    to: str
    text: str = field(repr=False)
    at: datetime | None = None


class SendsSms(Protocol):
    """One account at one SMS route."""

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """The account the settings name."""

    def send(self, recipients: Sequence[str], text: str) -> tuple[SendResult, ...]:
        """One `Sent` per recipient, in order. NotSent: again later; MaybeSent: never again; Declined: a
        person must look."""

    @staticmethod
    def read_delivery(pairs: forms.Pairs) -> Delivery:
        """A delivery report. May raise Malformed."""

    @staticmethod
    def read_incoming(pairs: forms.Pairs) -> Incoming:
        """An SMS to us. May raise Malformed."""
