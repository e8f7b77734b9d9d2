"""Every SMS is one billed part in GSM-7, in both languages, with values as long as life makes them."""

from itertools import product
from typing import Any

import pytest

from menus import letters
from mutuelle import sms
from mutuelle.money import SPOKEN

NAMES = ("Mutuelle Diender", "Mutuelle Sikasso", "Mutuelle de Thiès")
LINK = "http://127.0.0.1:18001/wave/c/cos-18qq25rgr100a"
FACTS: dict[str, Any] = {
    "number": "4829160374",
    "owed": 71_000,
    "amount": 71_000,
    "left": 71_000,
    "to_open": 70_000,
    "credit": 0,
    "link": LINK,
    "until": "2027-12-21",
    "since": "2026-12-22",
    "transaction": "T_46HS5COOWE7",
    "state": "open",
}
RIGHTS = (
    {"state": "open", "left": 0},
    {"state": "open", "left": 0, "credit": 8_500},
    {"state": "open"},
    {"state": "waiting"},
    {"state": "waiting", "left": 0, "credit": 8_500},
    {"state": "part-paid", "until": None},
    {"state": "lapsed", "until": None},
    {"state": "never", "until": None},
    {"state": "suspended", "until": None},
)
KINDS = ("welcome", "link", "failed", "expired", "stopped", "started")
WITH_RIGHTS = tuple(product(("receipt", "reversed"), RIGHTS))


def said(kind: str, language: str, name: str, facts: dict[str, Any]) -> str:
    currency = next(iter(SPOKEN))
    return letters.compose(kind, FACTS | facts, language=language, currency=currency, mutuelle=name)


@pytest.mark.parametrize("language", sorted(letters.CATALOGUES))
def test_every_kind_is_one_part_in_gsm_7(language: str) -> None:
    long = []
    for (kind, facts), name in product([*((kind, {}) for kind in KINDS), *WITH_RIGHTS], NAMES):
        text = said(kind, language, name, dict(facts))
        price = sms.segments(text)
        if (price.encoding, price.count) != ("gsm7", 1):
            long.append((kind, facts, price.units, text))
    assert long == []
