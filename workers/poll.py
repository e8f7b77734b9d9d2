"""Queries the status of payments that an operator accepted, so that a lost callback costs only seconds."""

from mutuelle.errors import Unavailable
from mutuelle.outbox import Task, TaskKind
from mutuelle.payments.operators import PaymentStatus, Status
from workers import payment_requests
from workers.payment_requests import OperatorRequest
from workers.services import WorkerServices


def run(services: WorkerServices) -> int:
    """Queries what is due. Returns how many were leased. A repeat changes nothing."""
    return payment_requests.run(services, TaskKind.POLL, ask)


def ask(services: WorkerServices, task: Task, request: OperatorRequest) -> PaymentStatus:
    """Queries the operator. A *not found* for an accepted request is not final: keep polling."""
    payment = request.payment
    try:
        status = payment_requests.query(request.operator, payment.ref, payment.operator_ref)
    except Unavailable:
        status = None
    return status or PaymentStatus(Status.UNKNOWN)
