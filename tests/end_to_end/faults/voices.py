"""What strangers say at our callback address, true or made up, and many of them at once."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any


def signed(body: bytes, secret: str, now: datetime, age_s: int = 0) -> dict[str, str]:
    """As Wave signs it, `age_s` ago."""
    stamp = str(int(now.timestamp()) - age_s)
    return {
        "Wave-Signature": f"t={stamp},v1={hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()}"
    }


def event(ref: str, amount: int = 11_500) -> bytes:
    """A success as Wave tells it, made up by somebody who knows the reference."""
    about = {"id": "cos-1", "amount": str(amount), "currency": "XOF", "checkout_status": "complete",
             "payment_status": "succeeded", "client_reference": ref, "transaction_id": "T1"}  # fmt: skip
    return json.dumps({"id": f"EV_{ref}", "type": "checkout.session.completed", "data": about}).encode()


def said_by_mtn(ref: str, status: str = "SUCCESSFUL") -> bytes:
    """A callback as MTN tells it, made up by somebody who knows the reference."""
    return json.dumps({"externalId": ref, "status": status, "amount": "15000", "currency": "RWF"}).encode()


def together(count: int, act: Callable[[], Any]) -> list[Any]:
    """Do `act` `count` times at once; what each returned."""
    start, came = threading.Barrier(count), []

    def one() -> None:
        start.wait()
        came.append(act())

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came
