"""Wave's transaction list: receipts, reversals and other money; each line is read or named."""

import json
import re

import pytest

from mutuelle import clock
from mutuelle.errors import Malformed, Unavailable
from mutuelle.money import Money
from mutuelle.payments.operators import OutflowDirection
from tests.gateway.momo.wave_world import AWA, DAY, LIST, REF, SHOW, SUM, recorded


def test_the_recorded_list_gives_every_movement_of_the_wallet(wave, stranger):
    stranger.answers[LIST] = (200, recorded("transactions"))
    page = wave.list_movements(DAY, None)
    paid, unasked, payout, payout_back, sweep, taken_back = page.movements
    assert (paid.transaction, paid.amount, paid.fee, paid.payer) == ("TCN4Y4ZC3FM", SUM, 50, AWA)
    assert (paid.reference, paid.reverses) == (str(REF), None)
    assert (unasked.amount, unasked.payer, unasked.reference, unasked.fee) == (
        Money(2500, "XOF"),
        None,
        None,
        0,
    )
    assert (taken_back.transaction, taken_back.reverses, taken_back.amount) == (
        "T_REFUND00001",
        "TCN4Y4ZC3FM",
        SUM,
    )
    assert (taken_back.fee, taken_back.flow) == (50, None)
    assert [
        (line.transaction, line.flow, line.amount.units, line.fee, line.kind)
        for line in (payout, payout_back, sweep)
    ] == [
        ("pt-17q8vpgy8100a", OutflowDirection.OUT, 9_900, 100, "api_payout"),
        ("pt-17q8vpgy8100b", OutflowDirection.BACK, 9_900, 100, "api_payout_reversal"),
        ("T_SWEEP000001", OutflowDirection.OUT, 50_000, 0, "merchant_sweep"),
    ]
    assert (page.cursor, page.more) == ("bmV4dA==", True)
    assert stranger.requests_to(*LIST)[0].query == {"date": "2026-11-21"}


def test_the_cursor_goes_back_as_it_came_and_an_empty_last_page_has_none(wave, stranger):
    info = {"start_cursor": "bmV4dA==", "end_cursor": None, "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": []})
    page = wave.list_movements(DAY, "bmV4dA==")
    assert (page.movements, page.cursor, page.more) == ((), None, False)
    assert stranger.requests_to(*LIST)[0].query == {"date": "2026-11-21", "after": "bmV4dA=="}


def one_line(wave, stranger, **changed):
    line = {**recorded("transactions")["items"][0], **changed}
    info = {"end_cursor": "x", "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": [line]})
    return wave.list_movements(DAY, None).movements


REVERSAL = {
    "is_reversal": True,
    "amount": "-4950",
    "fee": "-50",
    "transaction_id": "T_BACK",
    "payment_reason": None,
}


@pytest.mark.parametrize(
    ("changed", "reverses"),
    [
        ({"payment_reason": "Refund of T_FIRST"}, "T_FIRST"),
        ({"original_transaction_id": "T_FIRST"}, "T_FIRST"),
        ({"transaction_id": "T_FIRST", "checkout_api_session_id": None}, "T_FIRST"),
        ({}, "TCN4Y4ZC3FM"),
    ],
)
def test_a_reversal_names_what_it_takes_back(wave, stranger, changed, reverses):
    stranger.answers[SHOW] = (200, recorded("session_complete"))
    (movement,) = one_line(wave, stranger, **{**REVERSAL, **changed})
    assert (movement.reverses, movement.amount) == (reverses, SUM)


def page_of(wave, stranger, *items):
    info = {"end_cursor": "x", "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": list(items)})
    return wave.list_movements(DAY, None)


@pytest.mark.parametrize("answer", [(500, {}), (403, {"code": "forbidden"}), (200, b"no"), (200, []), "drop"])
def test_a_reversal_whose_session_cannot_be_asked_holds_no_other_line_back(wave, stranger, answer):
    stranger.answers[SHOW] = answer
    good = recorded("transactions")["items"][0]
    page = page_of(wave, stranger, good, {**good, **REVERSAL}, {**good, "transaction_id": "T_LAST"})
    assert [line.transaction for line in page.movements] == [good["transaction_id"], "T_LAST"]
    assert page.unreadable == ("T_BACK",)


def test_sessions_that_are_slow_to_answer_end_the_queries_of_a_page(wave, stranger):
    """A page holds a thousand lines; when each query takes seconds, the list would never come to its end."""
    stranger.answers[SHOW] = (200, recorded("session_complete"))
    ticks = iter(range(0, 1_000, 20))
    clock.install(clock.Source(ticks=lambda: next(ticks)))
    good = recorded("transactions")["items"][0]
    back = [{**good, **REVERSAL, "transaction_id": f"T_BACK{n}"} for n in range(4)]
    try:
        page = page_of(wave, stranger, *back, good)
    finally:
        clock.install(clock.Source())
    assert [line.transaction for line in page.movements] == ["T_BACK0", good["transaction_id"]]
    assert page.unreadable == ("T_BACK1", "T_BACK2", "T_BACK3")
    assert len(stranger.requests_to(*SHOW)) == 1


def in_json(text):
    """A value that is written to the wire exactly as `text`."""
    return f"JSON:{text}"


@pytest.mark.parametrize(
    ("amount", "fee", "gross", "fee_units"),
    [
        ("4950", "50", 5_000, 50),
        ("4950.00", "50.00", 5_000, 50),
        (in_json("4950"), in_json("50"), 5_000, 50),
        (in_json("4950.0"), in_json("50.0"), 5_000, 50),
        (in_json("4.95e3"), in_json("0"), 4_950, 0),
        ("4950", None, 4_950, None),
        ("4950", "0.00", 4_950, 0),
    ],
)
def test_amount_and_fee_are_read_exactly_in_every_form(wave, stranger, amount, fee, gross, fee_units):
    line = {**recorded("transactions")["items"][0], "amount": amount, "fee": fee}
    info = {"end_cursor": "x", "has_next_page": False}
    text = json.dumps({"page_info": info, "date": "2026-11-21", "items": [line]})
    stranger.answers[LIST] = (200, re.sub(r'"JSON:([^"]+)"', r"\1", text).encode())
    page = wave.list_movements(DAY, None)
    (movement,) = page.movements
    assert (movement.amount, movement.fee, page.unreadable) == (Money(gross, "XOF"), fee_units, ())


@pytest.mark.parametrize(
    ("amount", "fee", "expected"),
    [
        ("-5050", "50", (5_000, 50)),
        ("-5000", None, (5_000, 0)),
        ("-50", "50", (50, 0)),
        ("-50", "60", (50, 0)),
    ],
)
def test_an_outflow_and_its_fee_are_the_change_of_the_balance(wave, stranger, amount, fee, expected):
    (movement,) = one_line(wave, stranger, amount=amount, fee=fee, is_reversal=False)
    assert (movement.amount.units, movement.fee) == expected
    assert sum(expected) == -int(amount)


def test_a_reversal_line_that_adds_money_takes_no_receipt_back(wave, stranger):
    (movement,) = one_line(wave, stranger, is_reversal=True, transaction_type="a_new_type")
    assert (movement.flow, movement.reverses) == (OutflowDirection.BACK, None)


@pytest.mark.parametrize(("fee", "expected"), [(None, None), ("", None), ("0", 0), ("50", 50)])
def test_a_missing_fee_is_not_a_fee_of_zero(wave, stranger, fee, expected):
    (movement,) = one_line(wave, stranger, fee=fee)
    assert movement.fee == expected


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "12.5"},
        {"amount": "--5"},
        {"amount": "+5"},
        {"amount": "0"},
        {"amount": 12.5},
        {"amount": None},
        {"amount": True},
        {"amount": []},
        {"amount": "1" + "0" * 15},
        {"currency": "EUR"},
        {"fee": "0.5"},
        {"fee": 0.5},
        {"fee": "x"},
        {"fee": False},
        {"fee": {"value": 50}},
        {"fee": float("nan")},
        {"fee": "0.0.0"},
        {"transaction_type": []},
        {"client_reference": 7, "timestamp": {}},
        {"is_reversal": "false"},
        {"timestamp": "2026-11-21 10:00:00"},
        {"transaction_id": None},
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_never_defaulted(wave, stranger, changed):
    bad, good = {**recorded("transactions")["items"][0], **changed}, recorded("transactions")["items"][0]
    info = {"end_cursor": "x", "has_next_page": False}
    stranger.answers[LIST] = (200, {"page_info": info, "date": "2026-11-21", "items": [bad, good]})
    page = wave.list_movements(DAY, None)
    assert [line.transaction for line in page.movements] == [good["transaction_id"]]
    assert len(page.unreadable) == 1


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"page_info": {}, "items": []},
        {"page_info": {"has_next_page": True, "end_cursor": None}, "items": []},
        {"page_info": {"has_next_page": False, "end_cursor": 7}, "items": []},
        {"page_info": {"has_next_page": False}, "items": None},
    ],
)
def test_a_page_of_another_shape_is_malformed(wave, stranger, payload):
    stranger.answers[LIST] = (200, payload)
    with pytest.raises(Malformed):
        wave.list_movements(DAY, None)


@pytest.mark.parametrize("answer", [(500, {}), (200, b"no"), (401, {"code": "invalid-auth"}), "drop"])
def test_a_list_that_does_not_come_is_asked_again(wave, stranger, answer):
    stranger.answers[LIST] = answer
    with pytest.raises(Unavailable):
        wave.list_movements(DAY, None)


# --- callbacks
