"""Settles lines of money that left a wallet or came back: books them, and finds the refund that they pay."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import outflows, refunds
from mutuelle.payments.operators import Movement, OutflowDirection
from mutuelle.payments.outflows import Outflow
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund, RefundStatus


def settle(session: Session, account: OperatorAccount, movement: Movement) -> bool:
    """Books a line. Returns False for a repeat.

    A refund that was noted under its transaction is seen from now on; any other line opens a case.
    """
    flow = movement.flow or OutflowDirection.OUT
    outflows.lock(session, account.tenant_id, movement.transaction)
    outflow = outflows.record(session, account, movement, flow)
    if outflow is None:
        return False
    refund = _noted_refund(session, account, movement) if flow is OutflowDirection.OUT else None
    if refund is not None:
        refunds.match(session, refund, outflow)
    elif flow is OutflowDirection.OUT:
        outflows.open_case(session, outflow, outflows.UNEXPLAINED)
    else:
        outflows.open_case(session, outflow, "money that had left the wallet came back")
    return True


def _noted_refund(session: Session, account: OperatorAccount, movement: Movement) -> Refund | None:
    """Locks the refund that was noted under this transaction and waits for its line."""
    of_receipt = (Receipt.tenant_id == Refund.tenant_id) & (Receipt.id == Refund.receipt_id)
    waits_for_line = (
        Receipt.account_id == account.id,
        Refund.transaction == movement.transaction,
        Refund.status == RefundStatus.PAID,
        Refund.outflow_id.is_(None),
        Refund.seen_at.is_(None),
    )
    query = select(Refund).join(Receipt, of_receipt).where(*waits_for_line)
    query = query.order_by(Refund.paid_at, Refund.id).limit(1).with_for_update(of=Refund)
    return session.scalar(query.execution_options(populate_existing=True))


def of_tenant(
    session: Session, tenant_id: UUID, *, skip: int = 0, limit: int = 60
) -> list[tuple[Outflow, Refund | None]]:
    """Returns the money that left or came back, with the refund it paid; without one first, newest first."""
    paid = (Refund.tenant_id == Outflow.tenant_id) & (Refund.outflow_id == Outflow.id)
    query = select(Outflow, Refund).outerjoin(Refund, paid).where(Outflow.tenant_id == tenant_id)
    query = query.order_by(Refund.id.is_not(None), Outflow.moved_at.desc(), Outflow.id)
    return [(row.Outflow, row.Refund) for row in session.execute(query.offset(skip).limit(limit))]
