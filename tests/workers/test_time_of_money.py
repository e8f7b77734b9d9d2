"""Money is dated by the operator's own time, not by the moment of our query."""

import json
from datetime import datetime

from sqlalchemy import select

from mutuelle.payments.receipts import Allocation
from tests.workers.test_open_days import make_it_noon
from tests.workers.world import WorkerWorld


def from_iso(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_money_is_dated_by_the_callback_when_the_answer_comes_a_day_later(town: WorkerWorld) -> None:
    today = make_it_noon(town)
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    town.answers(home)
    town.faults(http_500=1)
    for _ in range(3):
        town.read_callbacks()
        town.poll()
        town.pass_time(3_600)
    town.pass_time(30 * 3_600)
    town.faults()
    town.poll()
    town.read_callbacks()
    (receipt,) = town.receipts()
    assert (town.status(payment), receipt.door, receipt.moved_at.date()) == ("confirmed", "poll", today)
    assert town._all(select(Allocation.on_day)) == [today]


def test_a_forged_callback_dates_no_money_before_its_request(town: WorkerWorld) -> None:
    """MTN's callbacks are not signed; one that comes before the payer approved moves the date by minutes."""
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    body = json.dumps({"externalId": str(payment.ref), "status": "SUCCESSFUL"}).encode()
    town.calls_back("mtn", body)
    with town.database.superuser() as past_us:
        past_us.execute("UPDATE notices SET success_at = success_at - interval '9 days'")
    town.answers(home)
    town.poll()
    town.read_callbacks()
    (receipt,) = town.receipts()
    assert receipt.moved_at >= payment.created_at


def test_a_callback_that_reports_no_success_dates_nothing(town: WorkerWorld) -> None:
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    town.faults(drop=1)
    body = json.dumps({"externalId": str(payment.ref), "status": "PENDING"}).encode()
    town.calls_back("mtn", body)
    town.read_callbacks()
    town.pass_time(120)
    town.answers(home, quiet=False)
    (moved,) = town.truth()
    town.poll()
    (receipt,) = town.receipts()
    assert receipt.moved_at.timestamp() >= from_iso(moved["at"])


def test_wave_money_is_dated_by_wave_through_every_door(town: WorkerWorld) -> None:
    today = make_it_noon(town)
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    town.answers(home)
    town.pays_unasked(home.account, home.phone, 1_000)
    town.pass_time(86_400)
    town.work()
    assert town.status(payment) == "confirmed"
    assert [receipt.moved_at.date() for receipt in town.receipts()] == [today, today]
