"""Collect: ask the operator for each payment we owe a question, under the reference that was committed before."""

from mutuelle import clock
from mutuelle.errors import Declined, Unavailable
from mutuelle.outbox import Task
from mutuelle.payments.operators import Standing, Status
from workers import operator_requests
from workers.services import Hub


def run(hub: Hub) -> int:
    """Ask for what is due; how many were taken. Safe to run twice: the reference makes the second asking the first."""
    return operator_requests.run(hub, "collect", _ask)


def _ask(hub: Hub, task: Task, asked: operator_requests.Asked) -> Standing:
    """A time-out may have been heard: the second time we first ask what became of it, and ask anew only what was not.

    A request whose time is over is not made any more: the payer has put the phone away, or asked again since.
    """
    payment = asked.payment
    late = not payment.live or clock.now() >= payment.expires_at
    try:
        if (late or task.attempts > 1) and (known := asked.operator.fetch_status(payment.ref, payment.operator_ref)):
            return known
        if late:
            return Standing(Status.EXPIRED, reason="NEVER_ASKED")
        url = hub.callback_url(asked.account, payment.ref)
        return asked.operator.request_payment(payment.ref, asked.payer, asked.amount, url)
    except Unavailable:
        return Standing(Status.UNKNOWN)
    except Declined as refused:
        return Standing(Status.FAILED, reason=refused.code)
