"""What the MTN tests share: one request, its paths on the wire, and recorded callbacks."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from mutuelle.money import Money

RECORDED = Path(__file__).parents[2] / "callbacks" / "mtn"
REF = UUID("3f0f6a5e-6f0e-4a5c-9f0a-2d3f6b1c7e11")
KEYS = {"api_user": "user", "api_key": "key", "subscription_key": "sub"}
TOKEN, ASK = ("POST", "/collection/token/"), ("POST", "/collection/v1_0/requesttopay")
STATUS = ("GET", f"/collection/v1_0/requesttopay/{REF}")
AWA, SUM = "+250788000001", Money(7000, "RWF")
CALLBACK = f"https://ussd.example.org/momo/mtn/t/callback/{REF}"
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def recorded(name):
    return json.loads((RECORDED / f"{name}.json").read_bytes())


def ask(mtn):
    return mtn.request_payment(REF, AWA, SUM, CALLBACK)


def status_of(mtn, stranger, payload, http_status=200):
    """Lets the stranger answer a status query with `payload`. Returns what our adapter makes of it."""
    stranger.answers[STATUS] = (http_status, payload)
    return mtn.fetch_status(REF, None)
