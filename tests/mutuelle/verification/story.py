"""A rich story in one database: bills, receipts, refunds, reversals, a claim, sponsors, proofs, SMS, cases.

Awa's household pays by request, in parts and too much; another one helps itself by phone; a third is claimed
of the State and has a sponsor. A manager attributes money by hand, two refund some, the operator takes some
back. Every row that `verify` asks about is there at least once.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from mutuelle import audit, clock, db, inbox
from mutuelle.audit import Flag
from mutuelle.enrolment import appeals, category_proofs, household_changes
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.households import duplicate_decisions, duplicates, households
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.households.evidence import Evidence
from mutuelle.inbox import Door, NoticeState, Origin
from mutuelle.messaging.messages import Message
from mutuelle.money import Money
from mutuelle.outbox import Task
from mutuelle.payments import (
    manual_attribution,
    payments,
    payouts,
    promises,
    receipts,
    refunds,
    reversals,
    settlement,
)
from mutuelle.payments.operators import Movement, OutflowDirection, PaymentStatus, Status
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund
from mutuelle.reports import daybook
from tests.mutuelle.subsidies import world as claims_world
from tests.mutuelle.subsidies.world import ClaimsWorld

STRANGER = "+221770099999"


def tell(url: str) -> None:
    """Lets the story happen in an empty database, from 22 November 2026 to 2 February 2027."""
    office = claims_world.opened(url)
    requester, phoned, third = office.joins(paid=0), office.joins(), office.joins()
    _are_not_one_family(office, requester, third)
    _pays_by_request(office, requester, 2_000)
    _promises(office, requester)
    _is_attributed_by_hand(office, phoned)
    _is_refunded(office)
    _is_taken_back(office, phoned)
    _changes(office, requester, phoned)
    _is_claimed(office)
    _has_messages(office)


def _are_not_one_family(office: ClaimsWorld, requester: UUID, third: UUID) -> None:
    """Two households have the same names and years; a manager has seen that they are not the same people."""
    office.families[third] = office.families[requester]
    office.name(third)
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        duplicates.find(session, office.tenant_id, [requester, third])
    with office.console() as session:
        ids = session.scalars(select(DuplicatePair.id)).all()
        duplicate_decisions.decide(session, office.bakary, ids, verdict="different", why="papers")


def _movement(amount: int, transaction: str, **more: Any) -> Movement:
    return Movement(transaction, Money(amount, "XOF"), clock.now(), **more)


def _pays_by_request(office: ClaimsWorld, household_id: UUID, amount: int) -> None:
    with db.transaction(db.Role.APP, office.tenant_id) as session:
        payer = households.phone_of(session, office.tenant_id, household_id) or ""
        request = payments.request(
            session,
            office.tenant_id,
            household_id,
            amount=amount,
            operator="wave",
            payer=payer,
            effect_key="k1",
        )
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        origin = Origin(office.tenant_id, office.place.account.id, Door.MOMO, "wave")
        inbox.keep(session, origin, body=b"paid", named_ref=request.ref)
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        payment = payments.get(session, office.tenant_id, request.id, lock=True)
        moved = _movement(amount, "Q1", payer=payer, reference=str(payment.ref), fee=20)
        settlement.settle(
            session, office.place.account, payment, PaymentStatus(Status.CONFIRMED, moved), "callback"
        )
        for notice in session.scalars(select(inbox.Notice)):
            inbox.end(session, notice, NoticeState.DONE, "confirmed")
        for task in session.scalars(select(Task).where(Task.subject_id == payment.id)):
            task.state, task.outcome, task.ended_at = "done", "confirmed", clock.now()


def _promises(office: ClaimsWorld, household_id: UUID) -> None:
    with db.transaction(db.Role.APP, office.tenant_id) as session:
        day = promises.months(clock.today("Africa/Dakar"))[0]
        promises.make(session, office.tenant_id, household_id, day=day, effect_key="k2")
        words = {"language": "fr", "channel": "ussd", "text_id": "appeal.payment"}
        appeals.lodge(session, office.tenant_id, household_id, "payment", phone=STRANGER, **words)


def _receipt(office: ClaimsWorld, transaction: str, amount: int, payer: str | None = STRANGER) -> UUID:
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        moved = _movement(amount, transaction, payer=payer, fee=5)
        return settlement.credit(session, office.place.account, moved, "list").id


def _is_attributed_by_hand(office: ClaimsWorld, household_id: UUID) -> None:
    _receipt(office, "S1", 500)  # stays in suspense
    receipt_id = _receipt(office, "S2", 700)
    with office.console() as session:
        receipt = session.get_one(Receipt, (office.tenant_id, receipt_id))
        version = receipts.version(session, receipt)
        manual_attribution.attribute(session, office.bakary, receipt, household_id, expected_version=version)


def _is_refunded(office: ClaimsWorld) -> None:
    for transaction, payout in (("F1", "OUT1"), ("F2", None)):
        receipt_id = _receipt(office, transaction, 900)
        with office.console() as session:
            receipt = session.get_one(Receipt, (office.tenant_id, receipt_id))
            version = receipts.version(session, receipt)
            row = refunds.ask(
                session, office.bakary, receipt, amount=900, reason="not-ours", expected_version=version
            )
        with office.console() as session:
            refunds.approve(session, office.ndeye, session.get_one(Refund, (row.tenant_id, row.id)))
        if payout:
            with office.console() as session:
                refunds.mark_paid(
                    session, office.ndeye, session.get_one(Refund, (row.tenant_id, row.id)), payout
                )
            with db.transaction(db.Role.WORKER, office.tenant_id) as session:
                paid = _movement(900, payout, flow=OutflowDirection.OUT)
                payouts.settle(session, office.place.account, paid)
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        sweep = _movement(100, "O1", flow=OutflowDirection.OUT)
        payouts.settle(session, office.place.account, sweep)


def _is_taken_back(office: ClaimsWorld, household_id: UUID) -> None:
    transaction = office.pays(household_id, 1_500)
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        back = _movement(1_600, "B1", reverses=transaction)  # 100 more than it was
        reversals.apply(session, office.place.account, back)
    with office.console() as session:  # a manager has seen the case about that
        flag = session.scalars(select(Flag).where(Flag.kind == "conflict")).one()
        daybook.close_flag(session, office.tenant_id, flag.id)
        audit.record(
            session, office.tenant_id, office.bakary.actor, "flag-seen", flag.subject, kind=flag.kind
        )


def _changes(office: ClaimsWorld, requester: UUID, phoned: UUID) -> None:
    office.on("2026-11-24")
    by, tenant_id = office.bakary.actor, office.tenant_id
    with office.console() as session:
        household_changes.add_member(
            session, tenant_id, requester, born="2020", name="Binta Sow", expected_count=3, by=by
        )
    office.on("2026-11-25")
    with office.console() as session:
        head, adult, child, _ = households.members_of(session, tenant_id, requester)
        shown = PageSnapshot(4, adult.birth_year, head.id)
        household_changes.correct_member(
            session, tenant_id, requester, adult.id, born="1991", head=False, why="typing", shown=shown, by=by
        )
        household_changes.remove_member(session, tenant_id, requester, child.id, expected_count=4, by=by)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        category_proofs.check(
            session, tenant_id, phoned, "indigent", Evidence("document", "BF 1"), by=by, until=None
        )
    office.helped(requester, "help", "Amis")


def _is_claimed(office: ClaimsWorld) -> None:
    claim = office.draft()
    office.send(claim)
    office.accept(claim)
    office.pay(claim, office.sums(claim).rest)


def _has_messages(office: ClaimsWorld) -> None:
    """Sends the SMS so far; of the last ones, one has failed unsurely and one still waits."""
    with db.transaction(db.Role.WORKER, office.tenant_id) as session:
        rows = session.scalars(select(Message).order_by(Message.created_at)).all()
        for place, row in enumerate(rows[:-1]):
            row.status = "ambiguous" if place == 0 else "delivered"
            row.text, row.segments, row.sent_at = "Bonjour", 1, clock.now()
            for task in session.scalars(select(Task).where(Task.subject_id == row.id)):
                task.state, task.outcome, task.ended_at = "done", row.status, clock.now()
        subject = audit.about(audit.Subject.MESSAGE, rows[0].id)
        audit.open_case(session, office.tenant_id, audit.FlagKind.SMS, subject, "ambiguous")
