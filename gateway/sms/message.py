"""What SMS routes report, as plain values, and the interface of their adapters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

from config.settings import Settings
from gateway import forms
from mutuelle.errors import Unavailable


class MaybeSent(Unavailable):
    """The message may have left. Routes have no idempotency key, so that it must not be sent again."""


@dataclass(frozen=True)
class SendResult:
    """The route's answer for one recipient. Accepted is not delivered; `reason` is the route's own word."""

    recipient: str = field(repr=False)
    accepted: bool
    message_id: str | None
    reason: str | None


@dataclass(frozen=True)
class Delivery:
    """A delivery report. `delivered` is None unless the status is final; an unknown status is not final."""

    message_id: str
    status: str
    final: bool
    delivered: bool | None
    reason: str | None = None


@dataclass(frozen=True)
class IncomingSms:
    """An SMS to us. `sender` is as it came: E.164, or the name or short code of a service."""

    id: str
    sender: str = field(repr=False)
    to: str
    text: str = field(repr=False)
    at: datetime | None = None


class SendsSms(Protocol):
    """An account at an SMS route."""

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """The account that the settings name."""

    def send(self, recipients: Sequence[str], text: str) -> tuple[SendResult, ...]:
        """Sends an SMS. Returns one result per recipient, in order.

        Raises NotSent (try later), MaybeSent (never again) or Declined (staff must look).
        """

    @staticmethod
    def read_delivery(pairs: forms.Pairs) -> Delivery:
        """Reads a delivery report. Raises Malformed."""

    @staticmethod
    def read_incoming(pairs: forms.Pairs) -> IncomingSms:
        """Reads an SMS to us. Raises Malformed."""
