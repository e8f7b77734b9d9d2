"""Wave's webhooks: signed events, sent again with a growing pause until a 2xx, for three days."""

import hashlib
import hmac
import json

from sandbox.courier import Letter
from sandbox.faults import Subject
from sandbox.journal import Row
from sandbox.kernel import Kernel, made_up
from sandbox.settings import WaveAccount

OPERATOR = "wave"
CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
SMALL = "abcdefghjkmnpqrstuvwxyz0123456789"
RETRY_S = 3 * 86_400


class Webhook:
    """`{"id":"EV_…","type":…,"data":{…}}` with `Wave-Signature: t=…,v1=…`; a repeat keeps the event id and
    body."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def announce(self, account: WaveAccount, phone: str, reference: str, kind: str, said: Row) -> None:
        """Post the event to the account's callback, if it has one. `phone` and `reference` name the payment
        for faults."""
        if account.callback is None:
            return
        event = {"id": f"EV_{made_up(CAPITALS + SMALL, 12)}", "type": kind, "data": said}
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        subject = Subject(OPERATOR, account.account, phone, reference)

        def signed(raw: bytes) -> dict[str, str]:
            stamp = str(int(self._kernel.clock.now().timestamp()))
            return {
                "Content-Type": "application/json",
                "Wave-Signature": signature(account.signing_secret, stamp, raw),
            }

        self._kernel.courier.post(Letter(subject, kind, account.callback, body, signed, retry_for_s=RETRY_S))


def signature(secret: str, stamp: str, raw: bytes) -> str:
    """The header's value: HMAC-SHA256 over the stamp and the raw body with nothing between them."""
    return f"t={stamp},v1={hmac.new(secret.encode(), stamp.encode() + raw, hashlib.sha256).hexdigest()}"
