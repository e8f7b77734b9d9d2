"""Verifies that Wave sent a message: by `Wave-Signature: t=<unix>,v1=<hex>`, or by a shared Bearer secret."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

SIGNATURE_AGE_S = 300


def is_genuine(body: bytes, headers: Mapping[str, str], secrets: Mapping[str, str], now: datetime) -> bool:
    """Whether a valid secret signed the stamp and `body` within five minutes of `now`, or came as Bearer."""
    values = {name.lower(): value.encode(errors="replace") for name, value in headers.items()}
    bearer = values.get("authorization", b"")
    shared = [
        hmac.compare_digest(bearer, b"Bearer " + secret) for secret in _split(secrets.get("shared_secrets"))
    ]
    parts = [part.strip().partition(b"=") for part in values.get("wave-signature", b"").split(b",")][:10]
    stamps = [value for name, _, value in parts if name == b"t"]
    signatures = [value for name, _, value in parts if name == b"v1"]
    if len(stamps) != 1 or not (stamps[0].isdigit() and len(stamps[0]) <= 12):
        return any(shared)
    fresh = abs(now.astimezone(UTC).timestamp() - int(stamps[0])) <= SIGNATURE_AGE_S
    matches = [
        hmac.compare_digest(
            signature, hmac.new(secret, stamps[0] + body, hashlib.sha256).hexdigest().encode()
        )
        for secret in _split(secrets.get("signing_secrets"))
        for signature in signatures
    ]
    return any(shared) or (fresh and any(matches))


def _split(secrets: str | None) -> list[bytes]:
    """The secrets that are valid now, separated by commas: several during a rotation."""
    return [secret.strip().encode() for secret in (secrets or "").split(",") if secret.strip()]
