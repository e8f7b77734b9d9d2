"""Whether Wave said it: `Wave-Signature: t=<unix>,v1=<hex>` over stamp and raw body, or the shared secret as
a Bearer."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

SIGNATURE_AGE_S = 300


def genuine(body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime) -> bool:
    """Whether one of the valid secrets signed `body` within five minutes of `now`, or came along as the
    shared secret."""
    sent = {name.lower(): value.encode(errors="replace") for name, value in headers.items()}
    bearer = sent.get("authorization", b"")
    shared = [
        hmac.compare_digest(bearer, b"Bearer " + secret) for secret in _each(secrets.get("shared_secrets"))
    ]
    parts = [part.strip().partition(b"=") for part in sent.get("wave-signature", b"").split(b",")][:10]
    stamps = [value for name, _, value in parts if name == b"t"]
    marks = [value for name, _, value in parts if name == b"v1"]
    if len(stamps) != 1 or not (stamps[0].isdigit() and len(stamps[0]) <= 12):
        return any(shared)
    fresh = abs(now.astimezone(UTC).timestamp() - int(stamps[0])) <= SIGNATURE_AGE_S
    true = [
        hmac.compare_digest(mark, hmac.new(secret, stamps[0] + body, hashlib.sha256).hexdigest().encode())
        for secret in _each(secrets.get("signing_secrets"))
        for mark in marks
    ]
    return any(shared) or (fresh and any(true))


def _each(secrets: str | None) -> list[bytes]:
    """The secrets valid now: several, separated by commas, during a rotation."""
    return [secret.strip().encode() for secret in (secrets or "").split(",") if secret.strip()]
