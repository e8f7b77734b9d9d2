"""Money in the books: once, in the right place, and back again when the operator takes it back."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.cover import cover_books
from mutuelle.enrolment import enrolment
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.messaging.messages import Message
from mutuelle.money import Money
from mutuelle.payments import payments, receipts, reversals, settlement
from mutuelle.payments.ledger import Posting
from mutuelle.payments.operators import Movement, PaymentStatus, Status
from mutuelle.payments.payments import Payment
from mutuelle.payments.receipts import Allocation
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import AWA, BAKARY, World
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    yield people.settle_in()
    db.disconnect()


def awa_joins(world: World, phone: str = AWA) -> enrolment.Enrolment:
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        return enrolment.enrol(
            session,
            world.senegal.tenant_id,
            enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category="general",
                birth_years=[1985, 1990, 2015],
                adults=2,
                consent="1",
                channel="ussd",
            ),
        )


def awa_asks(world: World, household: enrolment.Enrolment, amount: int, key: str = "k1") -> UUID:
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        paying = payments.request(
            session,
            world.senegal.tenant_id,
            household.id,
            amount=amount,
            operator="wave",
            payer=AWA,
            effect_key=key,
        )
        return paying.id


def paid(amount: int, transaction: str = "T1", **more: object) -> Movement:
    return Movement(transaction, Money(amount, "XOF"), clock.now(), **more)  # type: ignore[arg-type]


def settle(world: World, payment_id: UUID, answer: PaymentStatus) -> None:
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        payment = payments.get(session, world.senegal.tenant_id, payment_id, lock=True)
        settlement.settle(session, world.senegal.account, payment, answer, "poll")


def parts(world: World) -> dict[str, int]:
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Allocation.kind, func.sum(Allocation.amount)).group_by(Allocation.kind)
        return {kind: int(units) for kind, units in session.execute(query) if units}


def flags() -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        return sorted(session.scalars(select(Flag.kind)))


def sms() -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        return list(session.scalars(select(Message.kind).order_by(Message.created_at)))


def test_a_confirmed_request_pays_the_dues_first_and_opens_rights(world: World) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 10_500)  # 3 people x 3,500; the joining fee of 1,000 stays open
    settle(world, payment, PaymentStatus(Status.CONFIRMED, paid(10_500)))
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        now = cover_books.position(
            session, world.senegal.tenant_id, household.id, clock.today("Africa/Dakar")
        )
    assert (now.owed, now.owed_dues, now.right.state) == (1_000, 0, "waiting")
    assert parts(world) == {"bill": 10_500}
    assert sms() == ["welcome", "receipt"]


def test_the_same_confirmation_again_through_any_door_changes_nothing(world: World) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 5_000)
    moved = paid(5_000)
    settle(world, payment, PaymentStatus(Status.CONFIRMED, moved))
    settle(world, payment, PaymentStatus(Status.CONFIRMED, moved))
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        settlement.credit(session, world.senegal.account, moved, "list")
    assert parts(world) == {"bill": 5_000}
    assert sms() == ["welcome", "receipt"]
    assert flags() == []


def test_other_money_under_a_known_transaction_is_kept_aside(world: World) -> None:
    household = awa_joins(world)
    settle(world, awa_asks(world, household, 5_000), PaymentStatus(Status.CONFIRMED, paid(5_000)))
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        settlement.credit(session, world.senegal.account, paid(6_000), "list")
    assert parts(world) == {"bill": 5_000}
    assert flags() == ["conflict"]


def test_money_of_a_registered_phone_belongs_to_its_household(world: World) -> None:
    awa_joins(world)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        settlement.credit(session, world.senegal.account, paid(20_000, payer=AWA), "list")
    assert parts(world) == {"bill": 11_500, "credit": 8_500}


def test_money_of_a_stranger_waits_in_suspense_until_our_request_claims_it(world: World) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 2_000)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        settlement.credit(session, world.senegal.account, paid(2_000, payer=BAKARY), "list")
    assert parts(world) == {"suspense": 2_000}
    assert flags() == ["suspense"]
    settle(world, payment, PaymentStatus(Status.CONFIRMED, paid(2_000, payer=BAKARY)))
    assert parts(world) == {"bill": 2_000}


def test_a_late_success_after_a_failure_is_recorded_and_opens_a_case(world: World) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 3_500)
    settle(world, payment, PaymentStatus(Status.FAILED, reason="APPROVAL_REJECTED"))
    settle(world, payment, PaymentStatus(Status.CONFIRMED, paid(3_500)))
    assert parts(world) == {"bill": 3_500}
    assert flags() == ["contradiction"]
    assert sms() == ["welcome", "failed", "receipt"]


def test_a_reversal_undoes_the_receipt_once_and_closes_what_it_opened(world: World) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 11_500)
    with db.transaction(db.Role.AUDITOR) as session:
        ref = session.get_one(Payment, (world.senegal.tenant_id, payment)).ref
    settle(world, payment, PaymentStatus(Status.CONFIRMED, paid(11_500, reference=str(ref))))
    back = paid(11_500, "T2", reverses="T1")
    for news in (True, False):
        with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
            assert reversals.apply(session, world.senegal.account, back) is news
    assert parts(world) == {"reversed": 11_500}
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        now = cover_books.position(
            session, world.senegal.tenant_id, household.id, clock.today("Africa/Dakar")
        )
        assert (now.owed, now.right.state) == (11_500, "never")
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.get_one(Payment, (world.senegal.tenant_id, payment)).status == "reversed"
        moved: Counter[tuple[str, str]] = Counter()
        for p in session.scalars(select(Posting)):
            moved[p.source.split(":")[0], p.target.split(":")[0]] += p.amount
    assert moved == {
        ("outside", "household"): 11_500,
        ("household", "fund"): 11_500,
        ("fund", "household"): 11_500,
        ("household", "outside"): 11_500,
    }


def test_one_live_request_a_household(world: World) -> None:
    household = awa_joins(world)
    awa_asks(world, household, 1_000)
    with pytest.raises(Refused, match=r"pay\.pending"):
        awa_asks(world, household, 1_000, key="k2")


@pytest.mark.parametrize(
    ("amount", "key"), [(99_900, "pay.too-much"), (50, "pay.step"), (0, "pay.step"), (-100, "pay.step")]
)
def test_a_sum_the_scheme_does_not_take_is_refused(world: World, amount: int, key: str) -> None:
    household = awa_joins(world)
    with pytest.raises(Refused, match=key):
        awa_asks(world, household, amount)


def test_a_second_household_on_the_same_phone_is_refused_and_leaves_nothing(world: World) -> None:
    awa_joins(world)
    with pytest.raises(Refused, match=r"enrol\.already"):
        awa_joins(world)
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.scalar(select(func.count()).select_from(households.Household)) == 1


def test_coumba_of_another_mutuelle_sees_nothing(world: World) -> None:
    household = awa_joins(world)
    settle(world, awa_asks(world, household, 1_000), PaymentStatus(Status.CONFIRMED, paid(1_000)))
    personal = ["households", "members", "phones", "categories", "consents"]
    tables = [*personal, "bills", "bill_lines", "rights", "payments", "receipts", "allocations"]
    for role in (db.Role.APP, db.Role.WORKER):
        for tenant in (world.mali.tenant_id, None):
            with db.transaction(role, tenant) as session:
                assert [session.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables] == [0] * len(
                    tables
                )


def test_the_books_are_append_only_for_every_role(world: World) -> None:
    household = awa_joins(world)
    settle(world, awa_asks(world, household, 1_000), PaymentStatus(Status.CONFIRMED, paid(1_000)))
    for name in ("entries", "postings", "allocations", "audit", "bill_lines"):
        for statement in (f"UPDATE {name} SET id = id", f"DELETE FROM {name}", f"TRUNCATE {name} CASCADE"):
            with (
                pytest.raises(Exception, match=r"append-only|permission denied|policy"),
                db.transaction(db.Role.WORKER) as session,
            ):
                session.execute(text(statement))


def test_a_receipt_cannot_give_out_more_than_it_holds(world: World) -> None:
    awa_joins(world)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        receipt = settlement.credit(session, world.senegal.account, paid(1_000, payer=BAKARY), "list")
    with (
        pytest.raises(Exception, match="more is allocated"),
        db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session,
    ):
        receipts.place(
            session, receipt, [receipts.ReceiptPart("suspense", 1)], on=date(2026, 11, 22), reason="too much"
        )


def ref_of(world: World, payment_id: UUID) -> str:
    with db.transaction(db.Role.AUDITOR) as session:
        return str(session.get_one(Payment, (world.senegal.tenant_id, payment_id)).ref)


def status_of(world: World, payment_id: UUID) -> str:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.get_one(Payment, (world.senegal.tenant_id, payment_id)).status


def books_are_whole() -> bool:
    with db.transaction(db.Role.AUDITOR) as session:
        return [line for line in verify.run(session).broken if line.startswith(("I1", "I2", "I5"))] == []


@pytest.mark.parametrize("is_requested", [True, False])
def test_money_in_another_currency_belongs_to_no_household_until_staff_look(
    world: World, is_requested: bool
) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 3_000)
    moved = Movement(
        "T1",
        Money(3_000, "RWF"),
        clock.now(),
        payer=AWA,
        reference=ref_of(world, payment) if is_requested else None,
        fee=30,
    )
    for _ in range(2):
        if is_requested:
            settle(world, payment, PaymentStatus(Status.CONFIRMED, moved))
        else:
            with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
                settlement.credit(session, world.senegal.account, moved, "list")
    assert (parts(world), sms(), status_of(world, payment)) == ({"suspense": 3_000}, ["welcome"], "requested")
    assert flags() == ["currency", "currency"] if is_requested else ["currency"]
    assert books_are_whole()


@pytest.mark.parametrize("named", [True, False])
def test_a_transaction_settles_one_request_only(world: World, named: bool) -> None:
    household = awa_joins(world)
    first = awa_asks(world, household, 3_000)
    moved = paid(3_000, payer=AWA, reference=ref_of(world, first) if named else None)
    if not named:
        with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
            settlement.credit(session, world.senegal.account, moved, "list")
    settle(world, first, PaymentStatus(Status.CONFIRMED, moved))
    second = awa_asks(world, household, 3_000, key="k2")
    again = paid(3_000, payer=AWA, reference=ref_of(world, second))
    settle(world, second, PaymentStatus(Status.CONFIRMED, again))
    assert (status_of(world, first), status_of(world, second)) == ("confirmed", "requested")
    assert (parts(world), flags()) == ({"bill": 3_000}, ["contradiction"])
    settle(world, first, PaymentStatus(Status.CONFIRMED, moved))
    assert flags() == ["contradiction"], "the first one's own answer, repeated, is no news"


def test_a_request_paid_twice_is_reversed_only_when_both_were_taken_back(world: World) -> None:
    household = awa_joins(world)
    payment = awa_asks(world, household, 3_000)
    ref = ref_of(world, payment)
    for name in ("T1", "T2"):
        settle(world, payment, PaymentStatus(Status.CONFIRMED, paid(3_000, name, reference=ref)))
    for name, status in (("T1", "confirmed"), ("T2", "reversed")):
        with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
            reversals.apply(session, world.senegal.account, paid(3_000, f"{name}-back", reverses=name))
        assert status_of(world, payment) == status
    assert books_are_whole()
