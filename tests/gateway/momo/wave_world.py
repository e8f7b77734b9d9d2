"""What the Wave tests share: one session, its paths on the wire, and recorded answers and events."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from mutuelle.money import Money

RECORDED = Path(__file__).parents[2] / "callbacks" / "wave"
REF = UUID("3f0f6a5e-6f0e-4a5c-9f0a-2d3f6b1c7e11")
SESSION = "cos-18qq25rgr100a"
CREATE, SEARCH = ("POST", "/v1/checkout/sessions"), ("GET", "/v1/checkout/sessions/search")
SHOW, LIST = ("GET", f"/v1/checkout/sessions/{SESSION}"), ("GET", "/v1/transactions")
AWA, SUM = "+221770000001", Money(5000, "XOF")
CALLBACK = "https://ussd.example.org/momo/wave/t0ken/callback"
DAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def recorded(name):
    return json.loads((RECORDED / f"{name}.json").read_bytes())


def ask(wave):
    return wave.request_payment(REF, AWA, SUM, CALLBACK)
