"""*Remboursements*: one person asks, another one approves, somebody pays by hand at the operator and notes it here."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, abort, redirect, request, url_for
from sqlalchemy.orm import Session

from gateway.console import matching, people, show
from gateway.console.matching import Answer
from gateway.services import services
from mutuelle import accounts, receipts, refunds
from mutuelle.accounts import Person
from mutuelle.errors import Refused
from mutuelle.money import from_typed
from mutuelle.refunds import Refund

bp = Blueprint("repaying", __name__, url_prefix="/remboursements")


@bp.get("")
def page() -> Answer:
    """Those to approve, those to pay, those that ended."""
    with people.acting() as session:
        return _list(session)


def _list(session: Session, status: int = 200, why: Refused | None = None) -> Answer:
    rows = refunds.of_tenant(session, people.me().tenant_id)
    names = accounts.named(session, people.me().tenant_id)
    return show.page(session, "refunds.html", status, rows=rows, names=names, why=why)


@bp.get("/demander/<uuid:receipt_id>")
def form(receipt_id: UUID) -> Answer:
    """The form that asks for a receipt to be paid back."""
    with people.acting() as session:
        return _form(session, receipt_id)


def _form(session: Session, receipt_id: UUID, status: int = 200, why: Refused | None = None) -> Answer:
    receipt = matching.found(session, receipt_id)
    facts = {
        "receipt": receipt,
        "seen": receipts.version(session, receipt),
        "most": refunds.refundable(session, receipt),
        "why": why,
    }
    return show.page(session, "refund.html", status, **facts, open=refunds.open_of(session, receipt))


@bp.post("/demander/<uuid:receipt_id>")
def ask(receipt_id: UUID) -> Answer:
    """Ask for it; nothing moves yet."""
    with people.acting() as session:
        receipt, seen = matching.found(session, receipt_id), request.form.get("vu", -1, type=int)
        amount = from_typed(request.form.get("montant", ""), receipt.currency)
        reason = request.form.get("raison", "")
        try:
            with people.whole(session):
                refunds.ask(session, people.me(), receipt, amount=amount, reason=reason, seen=seen)
        except Refused as refused:
            return _form(session, receipt_id, 409, refused)
    return redirect(url_for("console.repaying.page", dit="demande"), 303)


@bp.post("/<uuid:refund_id>/approuver")
def approve(refund_id: UUID) -> Answer:
    """The second person agrees."""
    return _decide(refund_id, refunds.approve, "approuve")


@bp.post("/<uuid:refund_id>/refuser")
def refuse(refund_id: UUID) -> Answer:
    """No, or not any more."""
    return _decide(refund_id, refunds.refuse, "refuse")


@bp.post("/<uuid:refund_id>/paye")
def paid(refund_id: UUID) -> Answer:
    """It was paid out, under this transaction of the operator."""
    typed = " ".join(request.form.get("transaction", "").split())
    return _decide(refund_id, lambda session, person, row: refunds.paid(session, person, row, typed), "paye")


def _decide(refund_id: UUID, act: Callable[[Session, Person, Refund], None], told: str) -> Answer:
    with people.acting() as session:
        row = session.get(Refund, (people.me().tenant_id, refund_id)) or abort(404)
        try:
            with people.whole(session):
                act(session, people.me(), row)
        except Refused as refused:
            return _list(session, 409, refused)
    services().doorbell.ring("messages")
    return redirect(url_for("console.repaying.page", dit=told), 303)
