"""Simulates treasurers: they attribute money in suspense, undo what they attributed wrongly, and pay back."""

import random
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import crypto
from mutuelle.payments import manual_attribution, payout_corrections, receipts, refunds
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund, RefundStatus
from proving.simulator.outside import Rejection
from proving.simulator.staff import SOON_S, Office
from proving.simulator.timeline import Steps

WRONG = 0.25  # share of attributions to the wrong household, undone afterwards
WRONG_TRANSACTION = 0.2  # share of payouts noted under a transaction that the operator does not know
HOURS_S = (1800.0, 40_000.0)  # until a second person looks at it

IN_SUSPENSE = """
SELECT r.id, r.transaction FROM receipts r
JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id AND a.kind = 'suspense'
WHERE r.tenant_id = %s GROUP BY 1, 2 HAVING sum(a.amount) > 0 ORDER BY 2
"""
HELD_BY = """
SELECT coalesce(sum(amount), 0) FROM allocations
WHERE tenant_id = %s AND receipt_id = %s AND household_id = %s
"""
HOUSEHOLD_OF = "SELECT household_id FROM phones WHERE tenant_id = %s AND blind_index = %s AND until IS NULL"
RECEIPTS = "SELECT id, transaction, amount FROM receipts WHERE tenant_id = %s ORDER BY transaction"


def attribute(office: Office, chance: random.Random) -> Steps:
    """Attributes one receipt in suspense to the household it was meant for, or wrongly, which is undone."""
    waiting = office.query(IN_SUSPENSE, office.tenant_id)
    if not waiting:
        return
    receipt_id, transaction = chance.choice(waiting)
    owner = _owner(office, transaction)
    household_id = owner if chance.random() >= WRONG else office.pick(chance)
    if household_id is None:
        return

    def give(session: Session) -> bool:
        receipt = _receipt(session, office.tenant_id, receipt_id)
        manual_attribution.attribute(
            session,
            office.first,
            receipt,
            household_id,
            expected_version=receipts.version(session, receipt),
        )
        return True

    office.act(give)
    if household_id != owner:
        yield from _undo(office, receipt_id, household_id, chance)


def _owner(office: Office, transaction: str) -> UUID | None:
    """Returns the household that unsolicited money was meant for, None if it is a stranger's."""
    phone, place, _ = office.world.meant.get(transaction, ("", office.place, False))
    rows = office.query(HOUSEHOLD_OF, office.tenant_id, crypto.blind_index(phone)) if phone else []
    return UUID(str(rows[0][0])) if rows and place is office.place else None


def _undo(office: Office, receipt_id: UUID, household_id: UUID, chance: random.Random) -> Steps:
    """Takes a receipt off a household again, however often that must be tried."""

    def undo(session: Session) -> bool:
        receipt = _receipt(session, office.tenant_id, receipt_id)
        version = receipts.version(session, receipt)
        manual_attribution.undo(session, office.second, receipt, expected_version=version)
        return True

    yield chance.uniform(*SOON_S)
    for _ in range(40):
        ((held,),) = office.query(HELD_BY, office.tenant_id, receipt_id, household_id)
        if not held:
            return
        office.act(undo)
        yield 3600


def pay_back(office: Office, chance: random.Random) -> Steps:
    """Pays part of a receipt back: one manager asks, another decides, the payout is made and noted."""
    rows = office.query(RECEIPTS, office.tenant_id)
    if not rows or office.place.operator != "wave":
        return
    receipt_id, transaction, amount = chance.choice(rows)
    units = amount if chance.random() < 0.4 else chance.randint(1, amount)
    reason = chance.choice(refunds.REASONS)

    def ask(session: Session) -> UUID:
        receipt = _receipt(session, office.tenant_id, receipt_id)
        version = receipts.version(session, receipt)
        most = refunds.refundable_units(session, receipt)
        return refunds.ask(
            session,
            office.first,
            receipt,
            amount=min(units, most) or units,
            reason=reason,
            expected_version=version,
        ).id

    refund_id = office.act(ask)
    if refund_id is None:
        return
    yield chance.uniform(*HOURS_S)
    decide = refunds.approve if chance.random() < 0.85 else refunds.refuse

    def carry_out(session: Session) -> bool:
        decide(session, office.second, _refund(session, office.tenant_id, refund_id))
        return True

    office.act(carry_out)
    yield chance.uniform(*HOURS_S)
    yield from _pay_out(office, refund_id, transaction, chance)


def _pay_out(office: Office, refund_id: UUID, transaction: str, chance: random.Random) -> Steps:
    """Pays an approved refund at the operator and notes it, sometimes under a wrong transaction at first."""
    query = "SELECT status, amount - taken_back FROM refunds WHERE tenant_id = %s AND id = %s"
    ((status, due),) = office.query(query, office.tenant_id, refund_id)
    if status != RefundStatus.APPROVED or due <= 0:
        return
    outside = office.world.outside
    payer = next(row["payer"] for row in outside.truth() if row["transaction"] == transaction)
    try:
        payout = outside.pay_out(office.place.operator, office.place.code, payer, due)
    except Rejection:
        office.world.counts["payout_refused"] += 1
        return
    office.world.counts["paid_back"] += 1
    yield chance.uniform(*SOON_S)
    wrong = chance.random() < WRONG_TRANSACTION

    def note(session: Session) -> bool:
        noted = f"pt-wrong{payout[-6:]}" if wrong else payout
        refunds.mark_paid(session, office.first, _refund(session, office.tenant_id, refund_id), noted)
        return True

    def correct(session: Session) -> bool:
        row = _refund(session, office.tenant_id, refund_id)
        payout_corrections.correct_transaction(session, office.second, row, payout)
        return True

    yield from office.repeat(note, times=4)
    if wrong:
        yield chance.uniform(*HOURS_S)
        yield from office.repeat(correct, times=4)


def _receipt(session: Session, tenant_id: UUID, receipt_id: UUID) -> Receipt:
    return session.get_one(Receipt, (tenant_id, receipt_id))


def _refund(session: Session, tenant_id: UUID, refund_id: UUID) -> Refund:
    return session.get_one(Refund, (tenant_id, refund_id))
