"""*Remboursements*: one person asks, another one approves, somebody pays by hand at the operator and notes it
here."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render, suspense
from gateway.console.actions import Answer, act
from mutuelle.errors import Refused
from mutuelle.money import from_typed
from mutuelle.organisation import logins
from mutuelle.organisation.logins import Manager
from mutuelle.payments import receipts, refunds
from mutuelle.payments.refunds import Refund

bp = Blueprint("refunds", __name__, url_prefix="/remboursements")


@bp.get("")
def page() -> Answer:
    """Those to approve, those to pay, those that ended."""
    with login_session.acting() as session:
        return _list(session)


def _list(session: Session, why: Refused | None = None) -> Answer:
    rows = refunds.of_tenant(session, login_session.me().tenant_id)
    names = logins.names(session, login_session.me().tenant_id)
    return render.page(session, "refunds.html", rows=rows, names=names, why=why)


@bp.get("/demander/<uuid:receipt_id>")
def form(receipt_id: UUID) -> Answer:
    """The form that asks for a receipt to be paid back."""
    with login_session.acting() as session:
        return _form(session, receipt_id)


def _form(session: Session, receipt_id: UUID, why: Refused | None = None) -> Answer:
    receipt = suspense.found(session, receipt_id)
    facts = {
        "receipt": receipt,
        "seen": receipts.version(session, receipt),
        "most": refunds.refundable_units(session, receipt),
        "open": refunds.open_of(session, receipt),
    }
    return render.page(session, "refund.html", why=why, **facts)


@bp.post("/demander/<uuid:receipt_id>")
def ask(receipt_id: UUID) -> Answer:
    """Ask for it; nothing moves yet."""

    def do(session: Session) -> str:
        receipt, told = suspense.found(session, receipt_id), request.form
        amount, seen = from_typed(told.get("montant", ""), receipt.currency), told.get("vu", -1, type=int)
        refunds.ask(
            session,
            login_session.me(),
            receipt,
            amount=amount,
            reason=told.get("raison", ""),
            expected_version=seen,
        )
        return url_for("console.refunds.page", dit="demande")

    return act(do, lambda session, why: _form(session, receipt_id, why))


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
    return _decide(
        refund_id, lambda session, person, row: refunds.mark_paid(session, person, row, typed), "paye"
    )


def _decide(refund_id: UUID, move: Callable[[Session, Manager, Refund], None], told: str) -> Answer:
    def do(session: Session) -> str:
        move(
            session,
            login_session.me(),
            session.get(Refund, (login_session.me().tenant_id, refund_id)) or abort(404),
        )
        return url_for("console.refunds.page", dit=told)

    return act(do, _list)
