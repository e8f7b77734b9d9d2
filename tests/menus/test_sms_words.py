"""Every SMS is one part in GSM-7, in both languages, with the longest realistic values."""

from itertools import product
from typing import Any

import pytest

from menus import sms_words
from mutuelle.enrolment.appeals import Explanation
from mutuelle.messaging import gsm7
from mutuelle.money import SYMBOL

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
    "ticket": "48291604",
    "deadline": "2026-12-07",
    "proof_until": "2026-12-22",
    "sponsor": "Ressortissants de France",
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
BIG = {"owed": 999_999, "amount": 999_999, "left": 999_999, "to_open": 999_999}
APPEALS = ("appeal", "appeal-accepted", "appeal-closed", "proof", "proof-accepted", "proof-refused")
KINDS = ("welcome", "link", "failed", "expired", "stopped", "started", *APPEALS)
COVERED = ("welcome", {"covered_from": "2026-12-22", "covered_until": "2027-12-21"})
EXPLAINED = tuple(("appeal-explained", {"because": because}) for because in Explanation)
MOVED = ("receipt", "reversed", "refunded", "corrected", "sponsored", "adjusted-more", "adjusted-less")
WITH_RIGHTS = tuple(product(MOVED, RIGHTS))


def sms_text(kind: str, language: str, name: str, facts: dict[str, Any], currency: str = "XOF") -> str:
    return sms_words.compose(kind, FACTS | facts, language=language, currency=currency, mutuelle=name)


@pytest.mark.parametrize("language", sorted(sms_words.CATALOGUES))
def test_every_kind_is_one_part_in_gsm_7(language: str) -> None:
    long = []
    kinds = [*((kind, {}) for kind in KINDS), COVERED, *EXPLAINED, *WITH_RIGHTS]
    for (kind, facts), name, big, currency in product(kinds, NAMES, ({}, BIG), SYMBOL):
        text = sms_text(kind, language, name, big | dict(facts), currency)
        price = gsm7.segments(text)
        if (price.encoding, price.count) != ("gsm7", 1):
            long.append((kind, facts, currency, price.units, text))
    assert long == []


def test_a_household_that_owes_nothing_is_shown_the_days_and_no_sum() -> None:
    assert sms_text(COVERED[0], "fr", "Mutuelle Diender", COVERED[1]).endswith(
        "Rien à payer. Couverte du 22/12/2026 au 21/12/2027."
    )


def test_a_receipt_names_what_keeps_the_cover_open_where_that_fits() -> None:
    facts = FACTS | {"amount": 19_000, "left": 6_000, "to_open": 6_000, "until": "2026-12-31"}
    text = sms_words.compose("receipt", facts, language="fr", currency="RWF", mutuelle="Mutuelle Huye")
    assert text.endswith("Droits ouverts jusqu'au 31/12/2026. Pour continuer, payez 6 000 RWF.")
    paid = sms_words.compose(
        "receipt", facts | {"left": 0, "to_open": 0}, language="fr", currency="RWF", mutuelle="Mutuelle Huye"
    )
    assert paid.endswith("Droits ouverts jusqu'au 31/12/2026.")


@pytest.mark.parametrize("language", sorted(sms_words.CATALOGUES))
def test_a_long_name_gives_way_before_a_second_part_is_billed(language: str) -> None:
    text = sms_text("reversed", language, "Union des mutuelles de santé de la région de Thiès", BIG)
    assert (gsm7.segments(text).count, text.startswith("Union des mutuel")) == (1, True)


@pytest.mark.parametrize("language", sorted(sms_words.CATALOGUES))
@pytest.mark.parametrize("kind", ["refunded", "corrected"])
@pytest.mark.parametrize(
    ("state", "until", "credit"),
    [
        ("open", "2027-12-21", 8_500),
        ("waiting", "2026-12-21", 8_500),
        ("part-paid", None, 0),
        ("never", None, 0),
    ],
)
def test_an_sms_about_a_refund_or_correction_is_one_segment(
    language: str, kind: str, state: str, until: str | None, credit: int
) -> None:
    left = 0 if credit else 71_000
    facts = {
        "amount": 71_000,
        "transaction": "T_46HS5COOWE7",
        "number": "4829160374",
        "left": left,
        "state": state,
        "since": "2026-12-22",
        "until": until,
        "to_open": 70_000,
        "credit": credit,
    }
    text = sms_words.compose(kind, facts, language=language, currency="XOF", mutuelle="Mutuelle de Thiès")
    assert (gsm7.segments(text).encoding, gsm7.segments(text).count) == ("gsm7", 1), text
