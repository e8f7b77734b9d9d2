"""Every scheme against vectors worked by hand: `vectors/*.toml` holds input, working and result."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.household_rights import intervals
from mutuelle.errors import Refused
from mutuelle.schemes import schemes

BOOKS = {
    file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parent / "vectors").iterdir())
}
QUOTES = [(f"{place}: {vector['name']}", vector) for place, book in BOOKS.items() for vector in book["quote"]]
RIGHTS = [
    (f"{place}: {vector['name']}", vector)
    for place, book in BOOKS.items()
    for vector in book.get("rights", [])
]
EACH = {"argnames": ("name", "vector")}


def quote_of(vector: dict[str, Any], on: date, **more: Any) -> Any:
    choices = {"checked": True} | {
        key: vector[key] for key in ("category", "checked", "option", "covered_until") if key in vector
    }
    return quote(schemes.get(vector["scheme"]), vector["born"], on=on, **choices | more)


@pytest.mark.parametrize(**EACH, argvalues=QUOTES, ids=[name for name, _ in QUOTES])
def test_a_quote_is_what_was_worked_by_hand(name, vector):
    if "refused" in vector:
        with pytest.raises(Refused) as refused:
            quote_of(vector, vector["on"])
        assert refused.value.key == vector["refused"]
        return
    price = quote_of(vector, vector["on"])
    assert (price.total, price.shares, price.joining_fee) == (
        vector["total"],
        vector["shares"],
        vector["joining_fee"],
    )
    assert (price.threshold, price.opens_from, price.opens_until) == (
        vector["threshold"],
        vector["from"],
        vector["until"],
    )
    assert list(price.not_covered) == vector.get("not_covered", [])
    assert sum(price.shares.values()) == price.total


@pytest.mark.parametrize(**EACH, argvalues=RIGHTS, ids=[name for name, _ in RIGHTS])
def test_rights_are_what_was_worked_by_hand(name, vector):
    dues = []
    for number, bill in enumerate(vector["bills"], 1):
        price = quote_of(
            vector, bill["issued"], **{key: bill[key] for key in ("covered_until", "option") if key in bill}
        )
        share, since = price.shares["member"], date.fromisoformat(price.version)
        period = (price.period_from, price.period_until)
        dues.append(
            BillState(
                UUID(int=number),
                "dues",
                bill["issued"],
                vector["scheme"],
                since,
                price.option,
                share,
                price.total,
                *period,
            )
        )
    paid = [
        BillPayment(UUID(int=payment["bill"]), payment["on"], payment["amount"]) for payment in vector["paid"]
    ]
    timeline = intervals(schemes.get(vector["scheme"]).version, dues, paid)
    assert [[i.state, i.since] for i in timeline] == vector["states"]


def test_every_scheme_has_vectors_that_show_their_working():
    vectors = [vector for _, vector in [*QUOTES, *RIGHTS]]
    assert {vector["scheme"] for vector in vectors} == set(schemes.load())
    assert all(vector["hand"] for vector in vectors)
