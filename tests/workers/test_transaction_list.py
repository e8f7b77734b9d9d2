"""The transaction list proves unrequested money and reversals, and survives strange lines."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.cover import cover_books
from mutuelle.money import Money
from mutuelle.payments import payments, settlement
from mutuelle.payments.operators import Movement, PaymentStatus, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation, ReceiptDoor
from tests.support.locks import waits
from tests.support.people import AWA, BAKARY
from tests.workers.world import Home, WorkerWorld
from workers import transaction_lists


def paid(town: WorkerWorld, amount: int = 3_000) -> tuple[Home, Payment, str]:
    """Awa's household pays by Wave, and the money is settled. Returns the transaction."""
    home = town.joins()
    payment = town.asks(home, amount)
    town.collect()
    town.answers(home)
    town.read_callbacks()
    (receipt,) = town.receipts()
    return home, payment, receipt.transaction


def owed(home: Home) -> tuple[int, str]:
    with db.transaction(db.Role.APP, home.account.tenant_id) as session:
        now = cover_books.position(session, home.account.tenant_id, home.id, clock.today("Africa/Dakar"))
    return now.owed, now.right.state


def test_unasked_money_from_a_registered_phone_is_its_households(town: WorkerWorld) -> None:
    home = town.joins()
    town.pays_unasked(home.account, AWA, 20_000)
    assert town.read_callbacks() == 1, "the callback triggers the list"
    assert (town.parts(), town.sms(), town.flags()) == ({"bill": 11_500, "credit": 8_500}, ["receipt"], [])
    assert owed(home) == (0, "waiting")


def test_money_of_a_stranger_waits_in_suspense_with_the_reason(town: WorkerWorld) -> None:
    home = town.joins()
    town.pays_unasked(home.account, BAKARY, 5_000)
    town.read_callbacks()
    with db.transaction(db.Role.AUDITOR) as session:
        assert list(session.scalars(select(Allocation.reason))) == ["payer's phone is not registered"]
    assert (town.parts(), town.flags(), town.sms()) == ({"suspense": 5_000}, ["suspense"], [])


def test_a_phone_in_two_mutuelles_pays_the_one_whose_wallet_got_the_money(town: WorkerWorld) -> None:
    home = town.joins()
    mali = town.account_of(next(code for code in town.endpoints["momo"]["wave"] if code != home.account.code))
    town.joins(account=mali)
    town.pays_unasked(mali, AWA, 1_000)
    town.read_callbacks()
    with db.transaction(db.Role.AUDITOR) as session:
        assert list(session.scalars(select(Allocation.household_tenant_id))) == [mali.tenant_id]


def test_many_notices_of_money_pull_the_list_once(town: WorkerWorld) -> None:
    home = town.joins()
    for _ in range(5):
        town.pays_unasked(home.account, AWA, 1_000)
    calls: list[Any] = []
    operator = town.services.operator(home.account)
    real = operator.list_movements
    operator.list_movements = lambda *args: calls.append(args) or real(*args)  # type: ignore
    assert town.read_callbacks() == 5
    assert (len(calls), town.parts()) == (len(set(calls)), {"bill": 5_000}), "each day's list once"


def test_reversed_money_is_reversed_everywhere_and_notified_once(town: WorkerWorld) -> None:
    home, payment, transaction = paid(town, 11_500)
    assert owed(home) == (0, "waiting")
    town.reverse(transaction)
    for _ in range(3):
        town.pull()
        town.pass_time(301)
    assert (town.status(payment), town.parts(), owed(home)) == (
        "reversed",
        {"reversed": 11_500},
        (11_500, "never"),
    )
    assert town.sms() == ["link", "receipt", "reversed"]
    town.poll()
    assert (town.status(payment), town.flags()) == ("reversed", []), (
        "an older answer after it is no contradiction"
    )


def test_a_reversal_before_its_receipt_waits_for_it(town: WorkerWorld) -> None:
    """Paid two days ago while callbacks and polls were lost; today's list holds only the reversal."""
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    town.faults(drop=1)
    town.answers(home, quiet=False)
    town.pass_time(2 * 86_400)
    (moved,) = town.truth()
    town.reverse(moved["transaction"])
    town.pull()
    assert (town.parts(), town.flags()) == ({}, ["reversal"])
    town.poll()
    assert town.status(payment) == "confirmed"
    town.pass_time(301)
    town.pull()
    assert (town.status(payment), town.parts(), owed(home)[0]) == ("reversed", {"reversed": 3_000}, 11_500)


def test_one_line_that_cannot_be_read_holds_no_other_back_and_opens_a_case(town: WorkerWorld) -> None:
    home = town.joins()
    town.faults(drop=1)
    for amount in (1_000, 2_000, 3_000):
        town.sandbox.post("/operators/wave/pay", {"from": AWA, "to": home.account.code, "amount": amount})
    day = town.sandbox.running.world.wave._days[home.account.code, datetime.now(UTC).date().isoformat()]
    good = dict(day[1])
    day[1]["amount"] = "12.5"
    town.pull()
    assert (town.parts(), town.flags()) == ({"bill": 4_000}, ["unreadable"])
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.scalars(select(Flag.subject)).one() == f"transaction:{good['transaction_id']}"
    day[1].update(good)
    town.pass_time(301)
    town.pull()
    assert town.parts() == {"bill": 6_000}, "once it can be read it is taken in"


def test_a_wallet_whose_list_does_not_come_holds_no_other_back(town: WorkerWorld) -> None:
    home = town.joins()
    town.faults(drop=1)
    town.sandbox.post("/operators/wave/pay", {"from": AWA, "to": home.account.code, "amount": 1_000})
    mali = town.account_of(next(code for code in town.endpoints["momo"]["wave"] if code != home.account.code))
    with town.database.superuser() as past_us:
        past_us.execute(
            "UPDATE operator_accounts SET credentials = 'nobody can open this' WHERE id = %s", (mali.id,)
        )
    town.pull()
    assert (town.parts(), town.flags()) == ({"bill": 1_000}, ["unreadable"])


def test_a_second_payment_of_one_request_is_a_second_receipt_and_the_rest_is_credit(
    town: WorkerWorld,
) -> None:
    home = town.joins()
    payment = town.asks(home, 11_500)
    town.collect()
    world = town.sandbox.running.world.wave
    payload = {
        "amount": "11500",
        "client_reference": str(payment.ref),
        "currency": "XOF",
        "success_url": "a",
        "error_url": "a",
    }
    extra = world.open_session(world.accounts[home.account.code], payload)
    town.answers(home)
    town.sandbox.post(f"/phones/{AWA}/prompts/{extra['id']}", {"answer": "approve"})
    town.sandbox.quiet()
    town.work()
    assert (town.status(payment), town.parts()) == ("confirmed", {"bill": 11_500, "credit": 11_500})
    assert (len(town.receipts()), town.flags(), town.sms().count("receipt")) == (2, ["double"], 2)


def test_a_second_payment_read_while_the_first_is_being_settled_opens_the_case(town: WorkerWorld) -> None:
    """The list reads the request as pending, and waits for the poll, which confirms it meanwhile."""
    home = town.joins()
    payment = town.asks(home, 5_000)
    town.check_truth = False  # both lines are made by hand
    money = Money(5_000, "XOF")
    first, second = (Movement(f"T{n}", money, clock.now(), AWA, str(payment.ref)) for n in (1, 2))
    with ThreadPoolExecutor(1) as other:
        with db.transaction(db.Role.WORKER, payment.tenant_id) as session:
            row = payments.get(session, payment.tenant_id, payment.id, lock=True)
            line = other.submit(transaction_lists._take_line, home.account, second)
            waits(town.database, line)
            answer = PaymentStatus(Status.CONFIRMED, first)
            settlement.settle(session, home.account, row, answer, ReceiptDoor.POLL)
        assert line.result() is None
    assert (town.status(payment), len(town.receipts()), town.flags()) == ("confirmed", 2, ["double"])


def test_money_of_another_amount_than_was_asked_is_recorded_as_it_came(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home, 3_000)
    town.collect()
    world = town.sandbox.running.world.wave
    payload = {
        "amount": "2500",
        "client_reference": str(payment.ref),
        "currency": "XOF",
        "success_url": "a",
        "error_url": "a",
    }
    other = world.open_session(world.accounts[home.account.code], payload)
    town.sandbox.post(f"/phones/{AWA}/prompts/{other['id']}", {"answer": "approve"})
    town.sandbox.quiet()
    town.work()
    assert (town.status(payment), town.parts(), town.flags()) == ("confirmed", {"bill": 2_500}, ["amount"])


def test_the_fee_of_wave_is_read_from_the_list(town: WorkerWorld) -> None:
    """The session that proves the money does not contain the fee."""
    world = town.sandbox.running.world.wave
    account = town.account("wave")
    object.__setattr__(world.accounts[account.code], "fee_permille", 10)
    paid(town, 5_000)
    for _ in range(2):
        town.pull()
        town.pass_time(301)
    (receipt,) = town.receipts()
    assert (receipt.amount, receipt.fee, town.parts(), town.flags()) == (5_000, 50, {"bill": 5_000}, [])


def test_mtn_naming_the_transaction_only_later_makes_no_second_receipt(town: WorkerWorld) -> None:
    home = town.joins("mtn")
    payment = town.asks(home)
    town.collect()
    town.answers(home)
    book = town.sandbox.running.world.mtn
    row = book.find(home.account.code, str(payment.ref))
    named = row.pop("financialTransactionId")  # type: ignore
    town.read_callbacks()
    assert [receipt.transaction for receipt in town.receipts()] == [str(payment.ref)]
    row["financialTransactionId"] = named  # type: ignore
    town.pass_time(5)
    town.poll()
    again = json.dumps({"externalId": str(payment.ref), "status": "SUCCESSFUL"}).encode()
    town.calls_back("mtn", again)
    town.read_callbacks()
    assert (len(town.receipts()), town.parts(), town.flags()) == (1, {"bill": 3_000}, [])
    town.check_truth = False  # it is in the books under our own name for it
