"""Reconcile: a callback only wakes a question. We ask the operator about the reference it names, and settle
the answer."""

from mutuelle import audit, db, inbox
from mutuelle.errors import Unavailable
from mutuelle.inbox import Notice
from mutuelle.payments import payments
from mutuelle.payments.operators import Status
from mutuelle.payments.payments import Payment
from workers import batch, operator_requests, pull
from workers.operator_requests import OperatorRequest
from workers.services import WorkerServices

TRIES = 8  # about ten minutes: a notice has its end within fifteen (I4)


def run(hub: WorkerServices) -> int:
    """Understand what operators told us; how many notices were taken. Twice, late or out of order: the same
    end."""
    with db.transaction(db.Role.WORKER) as session:
        due = inbox.lease(session, doors=["momo"], limit=batch.LIMIT, lease_s=hub.settings.lease_s)
    batch.each(due, lambda notice: notice.provider, lambda notice: _one(hub, notice), _put_back,
               lease_s=hub.settings.lease_s, ring=lambda: hub.doorbell.ring("messages"))  # fmt: skip
    return len(due)


def _one(hub: WorkerServices, notice: Notice) -> None:
    if notice.unsolicited:
        if _pulled(hub, notice):
            _end(notice, "done", "the transaction list was pulled")
        else:
            _put_back(notice, "the transaction list was not read to its end yet")
        return
    if (asked := _named(hub, notice)) is None:
        _end(notice, "done", "names no request of this account")
        return
    try:
        told = asked.operator.fetch_status(asked.payment.ref, asked.payment.operator_ref)
    except Unavailable:
        _unanswered(notice, asked.payment)
        return
    if told is None or told.status is Status.UNKNOWN:
        _end(notice, "done", "the operator knows nothing of it")
        return
    operator_requests.conclude(asked, told, "callback", notice)


def _named(hub: WorkerServices, notice: Notice) -> OperatorRequest | None:
    """The request it names, where that is one of the account it came for."""
    if notice.named_ref is None:
        return None
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        payment = payments.by_ref(session, notice.named_ref)
        known = payment is not None and payment.account_id == notice.account_id
        return operator_requests.about(hub, session, payment) if payment and known else None


def _pulled(hub: WorkerServices, notice: Notice) -> bool:
    """Whether the list that proves the money was read since; an operator that does not answer is no failure
    of ours."""
    try:
        return pull.account(hub, notice.tenant_id, notice.account_id, since=notice.received_at)
    except Unavailable:
        return False


def _unanswered(notice: Notice, payment: Payment) -> None:
    """Again later; after some minutes the poll of a live request goes on alone, and of an ended one a person
    is told."""
    if notice.attempts < TRIES:
        _postpone(notice, "operator does not answer")
    elif payment.live:
        _end(notice, "done", "left to the poll")
    else:
        _end(notice, "person", "the operator does not answer about a request that had ended")


def _end(notice: Notice, state: str, outcome: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.end(session, notice, state, outcome)
        if state == "person":
            audit.open_case(session, notice.tenant_id, "unreadable", f"notice:{notice.id}", outcome)


def _postpone(notice: Notice, why: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.postpone(session, notice, batch.backoff_s(notice.attempts), why)


def _put_back(notice: Notice, why: str) -> None:
    """Our own code failed on it: again later; after many tries a person looks at it instead."""
    if notice.attempts >= TRIES:
        _end(notice, "person", why)
    else:
        _postpone(notice, why)
