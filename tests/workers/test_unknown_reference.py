"""Money for a reference of ours that the books do not know, as after a restore, waits in suspense with it."""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation
from tests.workers.test_missed_lists import open_flags
from tests.workers.world import Home, WorkerWorld, together

REASON = "our books do not know the reference of ours that it answers"


def lost_request(town: WorkerWorld, operator: str) -> tuple[Home, Payment]:
    """A household asks to pay; then the books are restored to a minute before."""
    home = town.joins(operator)
    payment = town.asks(home)
    town.collect()
    with town.database.superuser() as past_us:
        past_us.execute("DELETE FROM outbox WHERE subject_id = %s", [payment.id])
        past_us.execute("DELETE FROM payments WHERE id = %s", [payment.id])
    return home, payment


def in_suspense(town: WorkerWorld, payment: Payment) -> None:
    """Asserts that the money stands in suspense once, under our reference, with its reason and a case."""
    (receipt,) = town.receipts()
    assert (receipt.reference, receipt.amount) == (str(payment.ref), 3_000)
    assert town._all(select(Allocation.reason)) == [REASON]
    assert (town.parts(), "receipt" in town.sms()) == ({"suspense": 3_000}, False)
    assert open_flags(town) == [("suspense", f"receipt:{receipt.id}")]


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_callback_about_a_lost_request_leads_to_its_money(town: WorkerWorld, operator: str) -> None:
    home, payment = lost_request(town, operator)
    town.answers(home)
    town.read_callbacks()
    in_suspense(town, payment)
    (notice,) = town.notices()
    assert (notice.state, notice.outcome) == ("done", "money for a reference that our books do not know")
    town.pull()
    in_suspense(town, payment)


def test_the_list_leads_to_the_money_of_a_lost_request(town: WorkerWorld) -> None:
    home, payment = lost_request(town, "wave")
    town.faults(drop=1)
    town.answers(home, quiet=False)
    town.pull()
    in_suspense(town, payment)


def mtn_row(town: WorkerWorld, payment: Payment) -> dict[str, Any]:
    """The request as the sandbox's MTN keeps it."""
    row = town.sandbox.running.world.mtn.find(town.account("mtn").code, str(payment.ref))
    assert row is not None
    return row


def test_money_of_a_lost_request_is_recorded_once_under_any_name_of_the_operator(town: WorkerWorld) -> None:
    """MTN names the transaction only later; the callbacks come at once."""
    home, payment = lost_request(town, "mtn")
    town.answers(home)
    row = mtn_row(town, payment)
    name = row.pop("financialTransactionId")
    town.read_callbacks()
    in_suspense(town, payment)
    row["financialTransactionId"] = name
    for n in range(4):
        body = json.dumps({"externalId": str(payment.ref), "status": "SUCCESSFUL", "n": n}).encode()
        town.calls_back("mtn", body)
    together(4, lambda _: town.read_callbacks())
    in_suspense(town, payment)
    town.check_truth = False  # it is in the books under our own name for it


def test_a_lost_request_is_asked_about_until_the_answer_is_final(town: WorkerWorld) -> None:
    home, payment = lost_request(town, "mtn")
    town.answers(home)
    town.faults(http_500=1)
    for _ in range(20):
        town.read_callbacks()
        town.pass_time(300)
    (notice,) = town.notices()
    assert (notice.state, open_flags(town)) == ("new", [("unreadable", f"notice:{notice.id}")])
    town.check_truth = False  # the money is not in the books yet
    town.check_books()
    town.check_truth = True
    town.faults()
    town.pass_time(3_600)
    town.read_callbacks()
    in_suspense(town, payment)


def test_a_lost_request_that_stays_without_an_answer_is_left_to_staff(town: WorkerWorld) -> None:
    _, payment = lost_request(town, "mtn")
    body = json.dumps({"externalId": str(payment.ref), "status": "PENDING"}).encode()
    row = mtn_row(town, payment)
    town.calls_back("mtn", body)
    row["status"] = "ONGOING"
    for _ in range(30):
        town.read_callbacks()
        town.pass_time(3 * 3_600)
    (notice,) = [notice for notice in town.notices() if notice.words == body]
    assert (notice.state, open_flags(town)) == ("person", [("unreadable", f"notice:{notice.id}")])


def test_a_proof_about_a_lost_request_is_asked_about_until_it_can_be_read(town: WorkerWorld) -> None:
    home, payment = lost_request(town, "mtn")
    town.answers(home)
    row = mtn_row(town, payment)
    row["amount"] = "3 000"
    for _ in range(40):
        town.read_callbacks()
        town.pass_time(3 * 3_600)
    (notice,) = town.notices()
    assert (notice.state, open_flags(town)) == ("new", [("unreadable", f"notice:{notice.id}")])
    row["amount"] = "3000"
    town.read_callbacks()
    in_suspense(town, payment)


@pytest.mark.parametrize("answer", ["decline", "nothing"])
def test_a_lost_request_without_money_ends_quietly(town: WorkerWorld, answer: str) -> None:
    home, _ = lost_request(town, "mtn")
    if answer == "decline":
        town.answers(home, "decline")
    else:
        town.pass_time(301)
        town.sandbox.quiet()
    town.read_callbacks()
    assert [(notice.state, notice.outcome) for notice in town.notices()] == [
        ("done", "names no request of this account")
    ]
    assert (town.receipts(), town.flags()) == ([], [])


def test_money_of_a_lost_request_is_dated_by_its_callback(town: WorkerWorld) -> None:
    home, payment = lost_request(town, "mtn")
    town.answers(home)
    (moved,) = town.truth()
    town.pass_time(2 * 86_400)
    town.read_callbacks()
    in_suspense(town, payment)
    (receipt,) = town.receipts()
    assert abs(receipt.moved_at.timestamp() - datetime.fromisoformat(moved["at"]).timestamp()) < 30
