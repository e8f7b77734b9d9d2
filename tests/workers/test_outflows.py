"""What leaves a wallet is booked from its operator's list, so that both balances are equal at every step."""

from uuid import UUID

from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.organisation.logins import Login, Manager
from mutuelle.payments import receipts, refunds
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund
from mutuelle.verification import balances
from tests.support.people import AWA, BAKARY
from tests.workers.world import Home, WorkerWorld


def wallet(home: Home) -> int:
    """The units that the wallet holds by the books."""
    with db.transaction(db.Role.AUDITOR) as session:
        (balance,) = [row for row in balances.booked(session) if row.account.id == home.account.id]
    return balance.booked.units


def read_list(town: WorkerWorld, home: Home) -> None:
    """Reads the operator's list, and asserts that the wallet holds what the books say."""
    town.pass_time(301)
    town.pull()
    assert wallet(home) == town.services.operator(home.account).fetch_balance().units


def employ(home: Home) -> list[Manager]:
    """Two people who may decide on a refund."""
    managers = []
    with db.transaction(db.Role.LOGIN) as session:
        for name in ("first", "second"):
            row = Login(
                tenant_id=home.account.tenant_id,
                id=clock.new_id(),
                login=name,
                name=name,
                password="none",
                active=True,
                created_at=clock.now(),
            )
            session.add(row)
            managers.append(Manager(row.tenant_id, row.id, name))
    return managers


def approve_refund(home: Home, managers: list[Manager], receipt_id: UUID, amount: int) -> UUID:
    tenant_id = home.account.tenant_id
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        receipt = session.get_one(Receipt, (tenant_id, receipt_id))
        version = receipts.version(session, receipt)
        row = refunds.ask(
            session, managers[0], receipt, amount=amount, reason="asked", expected_version=version
        )
        refunds.approve(session, managers[1], row)
        return row.id


def note_paid(home: Home, manager: Manager, refund_id: UUID, transaction: str) -> None:
    with db.transaction(db.Role.CONSOLE, home.account.tenant_id) as session:
        row = session.get_one(Refund, (home.account.tenant_id, refund_id))
        refunds.mark_paid(session, manager, row, transaction)


def is_unseen(home: Home, refund_id: UUID) -> bool:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.get_one(Refund, (home.account.tenant_id, refund_id)).unseen


def pay_out(town: WorkerWorld, home: Home, phone: str, amount: int) -> str:
    payload = {"from": home.account.code, "to": phone, "amount": amount}
    return str(town.sandbox.post("/operators/wave/payout", payload)["transaction"])


def with_fees(town: WorkerWorld, home: Home) -> None:
    """The operator keeps one per cent."""
    account = town.sandbox.running.world.wave.accounts[home.account.code]
    object.__setattr__(account, "fee_permille", 10)


def test_the_wallet_holds_what_the_books_say_at_every_step(town: WorkerWorld) -> None:
    home = town.joins()
    managers = employ(home)
    with_fees(town, home)
    first = town.pays_unasked(home.account, AWA, 10_000)
    town.pays_unasked(home.account, AWA, 20_000)
    read_list(town, home)
    by_transaction = {receipt.transaction: receipt.id for receipt in town.receipts()}
    refund_id = approve_refund(home, managers, by_transaction[first], 4_000)
    read_list(town, home)
    payout = pay_out(town, home, AWA, 4_000)
    note_paid(home, managers[1], refund_id, payout)
    assert is_unseen(home, refund_id)
    read_list(town, home)
    assert (is_unseen(home, refund_id), town.flags()) == (False, [])
    pay_out(town, home, BAKARY, 500)
    read_list(town, home)
    assert town.flags() == ["outflow"]
    town.reverse(first)
    read_list(town, home)
    assert town.flags() == ["conflict", "outflow", "refund"], "4,000 were paid out, and 10,000 taken back"
    assert town.parts()["reversed"] == 6_000
    town.read_callbacks()
    read_list(town, home)


def test_a_refund_in_the_operators_portal_ends_the_approved_one(town: WorkerWorld) -> None:
    home = town.joins()
    managers = employ(home)
    transaction = town.pays_unasked(home.account, AWA, 10_000)
    read_list(town, home)
    refund_id = approve_refund(home, managers, town.receipts()[0].id, 10_000)
    town.reverse(transaction)
    read_list(town, home)
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.get_one(Refund, (home.account.tenant_id, refund_id)).status == "ended"
    assert (town.flags(), town.parts()) == (["refund"], {"reversed": 10_000})


def test_partial_reversals_under_the_receipts_own_transaction_are_read_once_each(town: WorkerWorld) -> None:
    home = town.joins()
    transaction = town.pays_unasked(home.account, AWA, 10_000)
    town.read_callbacks()
    book = town.sandbox.running.world.wave
    (line,) = [row for rows in book._days.values() for row in rows if row["transaction_id"] == transaction]
    for number, units in enumerate((3_000, 2_000)):
        left = 10_000 - 3_000 - (2_000 if number else 0)
        back = {"amount": f"-{units}", "fee": "0", "is_reversal": True, "payment_reason": None}
        book._kernel.journal.put(
            ("wave.line", f"{transaction}-{number}", {**line, **back, "balance": str(left)})
        )
    for _ in range(2):
        read_list(town, home)
    assert (town.parts(), town.flags()) == ({"bill": 5_000, "reversed": 5_000}, [])
    town.check_truth = False  # the sandbox's truth knows no partial reversal


def test_money_that_comes_back_from_a_payout_is_booked(town: WorkerWorld) -> None:
    home = town.joins()
    town.pays_unasked(home.account, AWA, 10_000)
    town.read_callbacks()
    payout = pay_out(town, home, BAKARY, 500)
    read_list(town, home)
    book = town.sandbox.running.world.wave
    (line,) = [row for rows in book._days.values() for row in rows if row["transaction_id"] == payout]
    back = {
        "amount": "500",
        "transaction_type": "api_payout_reversal",
        "is_reversal": True,
        "balance": "10000",
    }
    book._kernel.journal.put(("wave.line", f"{payout}-back", {**line, **back}))
    for _ in range(2):
        read_list(town, home)
    assert (town.parts(), town.flags()) == ({"bill": 10_000}, ["outflow"])


def test_a_reversal_of_a_payment_that_never_came_is_booked_before_its_list_is_read_no_more(
    town: WorkerWorld,
) -> None:
    """The payment is older than our account: only its reversal stands in the lists that we read."""
    home = town.joins()
    with_fees(town, home)
    town.faults(drop=1)
    payload = {"from": AWA, "to": home.account.code, "amount": 10_000}
    transaction = town.sandbox.post("/operators/wave/pay", payload)["transaction"]
    town.sandbox.running.world.wave._days.clear()
    town.reverse(transaction)
    town.pull()
    assert (wallet(home), town.flags()) == (0, ["reversal"])
    town.pass_time(29 * 86_400)
    town.pull()
    assert (wallet(home), town.flags()) == (0, ["reversal"])
    for _ in range(2):
        town.pass_time(86_400 + 3_600)
        town.pull()
    assert (wallet(home), town.flags()) == (-9_900, ["outflow", "reversal"])
    with db.transaction(db.Role.AUDITOR) as session:
        assert list(session.scalars(select(Flag.kind).where(Flag.closed_at.is_(None)))) == ["outflow"]
    town.check_truth = False  # its payment is none of ours
