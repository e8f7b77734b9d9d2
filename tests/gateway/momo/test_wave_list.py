"""Wave's transaction list: receipts and reversals; each line is read or named."""

import pytest

from mutuelle.errors import Malformed, Unavailable
from mutuelle.money import Money
from tests.gateway.momo.wave_world import AWA, DAY, LIST, REF, SHOW, SUM, recorded


def test_the_recorded_list_gives_receipts_and_reversals_only(wave, stranger):
    stranger.answers[LIST] = (200, recorded("transactions"))
    page = wave.list_movements(DAY, None)
    paid, unasked, taken_back = page.movements
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


def test_a_reversal_whose_session_cannot_be_asked_waits(wave, stranger):
    stranger.answers[SHOW] = (500, {})
    with pytest.raises(Unavailable):
        one_line(wave, stranger, **REVERSAL)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "12.5"},
        {"amount": "--5"},
        {"amount": "+5"},
        {"amount": "0"},
        {"amount": 5000},
        {"amount": None},
        {"amount": "1" + "0" * 15},
        {"currency": "EUR"},
        {"fee": "0.5"},
        {"fee": 50},
        {"fee": "x"},
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
