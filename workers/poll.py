"""Poll: ask what became of the payments an operator accepted; a lost callback costs seconds, not a
contribution."""

from mutuelle.errors import Unavailable
from mutuelle.outbox import Task
from mutuelle.payments.operators import PaymentStatus, Status
from workers import operator_requests
from workers.services import WorkerServices


def run(hub: WorkerServices) -> int:
    """Ask about what is due; how many were taken. A repeat changes nothing."""
    return operator_requests.run(hub, "poll", _ask)


def _ask(hub: WorkerServices, task: Task, asked: operator_requests.OperatorRequest) -> PaymentStatus:
    """What became of it. That it was never heard of, after it was accepted, is no end: no money moved, and we
    go on asking."""
    try:
        return asked.operator.fetch_status(asked.payment.ref, asked.payment.operator_ref) or PaymentStatus(
            Status.UNKNOWN
        )
    except Unavailable:
        return PaymentStatus(Status.UNKNOWN)
