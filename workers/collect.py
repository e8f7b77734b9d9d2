"""Sends the payment requests that are due to the operators, each under the reference committed before."""

from mutuelle import clock
from mutuelle.errors import Declined, Unavailable, UnreadableProof
from mutuelle.outbox import Task, TaskKind
from mutuelle.payments.operators import PaymentStatus, Status
from workers import payment_requests
from workers.payment_requests import OperatorRequest
from workers.services import WorkerServices


def run(services: WorkerServices) -> int:
    """Sends what is due. Returns how many were leased. May run twice: an operator takes a reference once."""
    return payment_requests.run(services, TaskKind.COLLECT, ask)


def ask(services: WorkerServices, task: Task, request: OperatorRequest) -> PaymentStatus:
    """Sends one request. Returns its status.

    After a time-out the operator may have received the request: from the second try on, query its status
    before sending again. A request whose time is over is not sent: the payer has put the phone away, or has
    asked again since.
    """
    payment, operator = request.payment, request.operator
    late = not payment.live or clock.now() >= payment.expires_at
    try:
        if late or task.attempts > 1:
            status = payment_requests.query(operator, payment.ref, payment.operator_ref)
            if status:
                return status
        if late:
            return PaymentStatus(Status.EXPIRED, reason="NEVER_ASKED")
        url = services.callback_url(request.account, payment.ref)
        return operator.request_payment(payment.ref, request.payer, request.amount, url)
    except Unavailable:
        return PaymentStatus(Status.UNKNOWN)
    except UnreadableProof:
        return payment_requests.UNREAD_PROOF
    except Declined as refused:
        return PaymentStatus(Status.FAILED, reason=refused.code)
