"""Collect: ask the operator for each payment we owe a question, under the reference that was committed
before."""

from mutuelle import clock
from mutuelle.errors import Declined, Unavailable
from mutuelle.outbox import Task
from mutuelle.payments.operators import PaymentStatus, Status
from workers import operator_requests
from workers.services import WorkerServices


def run(hub: WorkerServices) -> int:
    """Ask for what is due; how many were taken. Safe to run twice: the reference makes the second asking the
    first."""
    return operator_requests.run(hub, "collect", _ask)


def _ask(hub: WorkerServices, task: Task, asked: operator_requests.OperatorRequest) -> PaymentStatus:
    """A time-out may have been heard: the second time we first ask what became of it, and ask anew only what
    was not.

    A request whose time is over is not made any more: the payer has put the phone away, or asked again since.
    """
    payment = asked.payment
    late = not payment.live or clock.now() >= payment.expires_at
    try:
        if (late or task.attempts > 1) and (
            known := asked.operator.fetch_status(payment.ref, payment.operator_ref)
        ):
            return known
        if late:
            return PaymentStatus(Status.EXPIRED, reason="NEVER_ASKED")
        url = hub.callback_url(asked.account, payment.ref)
        return asked.operator.request_payment(payment.ref, asked.payer, asked.amount, url)
    except Unavailable:
        return PaymentStatus(Status.UNKNOWN)
    except Declined as refused:
        return PaymentStatus(Status.FAILED, reason=refused.code)
