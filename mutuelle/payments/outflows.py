"""Records money that left a wallet and reverses no receipt, such as a payout or a sweep, and its coming back.

Only the operator's own lines make an outflow. What no refund explains is shown to staff.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, seals
from mutuelle.audit import FlagKind, Subject
from mutuelle.db import Row
from mutuelle.money import Money
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import ledger
from mutuelle.payments.ledger import Move
from mutuelle.payments.operators import Movement, OutflowDirection


class Outflow(Row):
    """A line of the operator: `amount` left the wallet, or came back, and the operator kept `fee`.

    `kind` is the operator's word for it.
    """

    __tablename__ = "outflows"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    transaction: Mapped[str]
    flow: Mapped[str]
    kind: Mapped[str | None]
    amount: Mapped[int]
    fee: Mapped[int]
    currency: Mapped[str]
    moved_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    seal: Mapped[bytes | None]


UNEXPLAINED = "money left the wallet, and no refund explains it"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


def lock(session: Session, tenant_id: UUID, transaction: str) -> None:
    """Locks a transaction of the operator until this transaction ends, before any receipt is locked.

    So a manager who notes it and a worker that reads its line see one another.
    """
    session.execute(_LOCK, {"key": f"outflow:{tenant_id}:{transaction}"})


def find(
    session: Session, account_id: UUID, transaction: str, flow: OutflowDirection = OutflowDirection.OUT
) -> Outflow | None:
    """Returns the recorded line of this transaction, or None."""
    same = (Outflow.account_id == account_id, Outflow.transaction == transaction, Outflow.flow == flow)
    return session.scalar(select(Outflow).where(*same))


def record(
    session: Session, account: OperatorAccount, movement: Movement, flow: OutflowDirection
) -> Outflow | None:
    """Records and posts a line. Returns None for a repeat; opens a case when the repeat differs."""
    if (outflow := find(session, account.id, movement.transaction, flow)) is not None:
        if contradicts(outflow, movement):
            reason = "the operator now tells another amount or fee for money that left"
            subject = audit.about(Subject.TRANSACTION, movement.transaction)
            audit.open_case(session, account.tenant_id, FlagKind.CONFLICT, subject, reason)
        return None
    row = Outflow(
        tenant_id=account.tenant_id,
        id=clock.new_id(),
        account_id=account.id,
        transaction=movement.transaction,
        flow=flow,
        kind=movement.kind,
        amount=movement.amount.units,
        fee=movement.fee or 0,
        currency=movement.amount.currency,
        moved_at=movement.at,
        recorded_at=clock.now(),
    )
    row.seal = seals.seal("outflows", vars(row))
    session.add(row)
    session.flush()
    outside, fee = ledger.outside_of(account.id), Money(row.fee, row.currency)
    moves = [Move(ledger.outflow_of(account.id), outside, movement.amount)]
    moves += [Move(ledger.fees_of(account.id), outside, fee)]
    moves = moves if flow is OutflowDirection.OUT else ledger.reverse(moves)
    ledger.post(session, account.tenant_id, f"outflow:{row.id}", movement.at, moves)
    return row


def contradicts(outflow: Outflow, movement: Movement) -> bool:
    """Whether the line now names another amount or fee than when it was booked."""
    is_same = (outflow.amount, outflow.currency) == (movement.amount.units, movement.amount.currency)
    return not is_same or movement.fee not in (None, outflow.fee)


def open_case(session: Session, outflow: Outflow, reason: str) -> None:
    """Opens a case about a line for staff."""
    subject = audit.about(Subject.TRANSACTION, outflow.transaction)
    audit.open_case(session, outflow.tenant_id, FlagKind.OUTFLOW, subject, reason)
