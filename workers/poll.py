"""Poll: ask what became of the payments an operator accepted; a lost callback costs seconds, not a contribution."""

from mutuelle.errors import Unavailable
from mutuelle.outbox import Task
from mutuelle.payments.operators import Standing, Status
from workers import operator_requests
from workers.services import Hub


def run(hub: Hub) -> int:
    """Ask about what is due; how many were taken. A repeat changes nothing."""
    return operator_requests.run(hub, "poll", _ask)


def _ask(hub: Hub, task: Task, asked: operator_requests.Asked) -> Standing:
    """What became of it. That it was never heard of, after it was accepted, is no end: no money moved, and we go on asking."""
    try:
        return asked.operator.fetch_status(asked.payment.ref, asked.payment.operator_ref) or Standing(Status.UNKNOWN)
    except Unavailable:
        return Standing(Status.UNKNOWN)
