"""Builds callbacks as the operators send them, or forged, and sends many at once."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any


def signed(body: bytes, secret: str, now: datetime, age_s: int = 0) -> dict[str, str]:
    """Returns the header with which Wave signed this body `age_s` seconds ago."""
    stamp = str(int(now.timestamp()) - age_s)
    signature = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()
    return {"Wave-Signature": f"t={stamp},v1={signature}"}


def wave_event(ref: str, amount: int = 11_500) -> bytes:
    """Forges the success event of Wave for a request whose reference is known."""
    about = {"id": "cos-1", "amount": str(amount), "currency": "XOF", "checkout_status": "complete",
             "payment_status": "succeeded", "client_reference": ref, "transaction_id": "T1"}  # fmt: skip
    return json.dumps({"id": f"EV_{ref}", "type": "checkout.session.completed", "data": about}).encode()


def mtn_callback(ref: str, status: str = "SUCCESSFUL") -> bytes:
    """Forges the callback of MTN for a request whose reference is known."""
    return json.dumps({"externalId": ref, "status": status, "amount": "15000", "currency": "RWF"}).encode()


def at_once(count: int, act: Callable[[], Any]) -> list[Any]:
    """Calls `act` `count` times at once. Returns the results."""
    start, results = threading.Barrier(count), []

    def call() -> None:
        start.wait()
        results.append(act())

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
