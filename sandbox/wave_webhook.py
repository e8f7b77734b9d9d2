"""Sends Wave's signed webhooks, with growing pauses until a 2xx, for at most three days."""

import hashlib
import hmac
import json

from sandbox.callback_sender import Callback
from sandbox.fault_draws import Subject
from sandbox.journal import Row
from sandbox.kernel import Kernel, random_name
from sandbox.settings import WaveAccount

OPERATOR = "wave"
CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
SMALL = "abcdefghjkmnpqrstuvwxyz0123456789"
RETRY_S = 3 * 86_400


class Webhook:
    """Sends `{"id":"EV_…","type":…,"data":{…}}` with `Wave-Signature: t=…,v1=…`; retries keep both."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def announce(self, account: WaveAccount, phone: str, reference: str, kind: str, data: Row) -> None:
        """Queues the event for the account's callback, if set; faults depend on `phone` and `reference`."""
        if account.callback is None:
            return
        event = {"id": f"EV_{random_name(CAPITALS + SMALL, 12)}", "type": kind, "data": data}
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        subject = Subject(OPERATOR, account.account, phone, reference)

        def signed_headers(raw: bytes) -> dict[str, str]:
            stamp = str(int(self._kernel.clock.now().timestamp()))
            return {
                "Content-Type": "application/json",
                "Wave-Signature": signature(account.signing_secret, stamp, raw),
            }

        self._kernel.callbacks.post(
            Callback(subject, kind, account.callback, body, signed_headers, retry_for_s=RETRY_S)
        )


def signature(secret: str, stamp: str, raw: bytes) -> str:
    """Returns the header's value: HMAC-SHA256 over stamp and raw body, with nothing between them."""
    return f"t={stamp},v1={hmac.new(secret.encode(), stamp.encode() + raw, hashlib.sha256).hexdigest()}"
