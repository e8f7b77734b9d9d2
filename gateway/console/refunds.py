"""*Remboursements*: one manager requests a refund, another approves it.

A manager then pays it by hand at the operator, and notes the operator's transaction here. A second
page lists what left the wallets.
"""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render, suspense
from gateway.console.actions import Answer, perform, shown_version
from mutuelle.errors import Refused
from mutuelle.money import from_typed
from mutuelle.organisation import logins
from mutuelle.organisation.logins import Manager
from mutuelle.payments import payout_corrections, payouts, receipts, refunds
from mutuelle.payments.refunds import Refund

A_PAGE = 60

bp = Blueprint("refunds", __name__, url_prefix="/remboursements")


@bp.get("")
def page() -> Answer:
    """Lists refunds: awaiting approval, awaiting payout, paid and not seen, closed."""
    with login_session.transaction() as session:
        return _list(session)


def _list(session: Session, refusal: Refused | None = None) -> Answer:
    tenant_id, number = login_session.manager().tenant_id, render.page_number()
    rows = refunds.of_tenant(session, tenant_id, skip=(number - 1) * A_PAGE, limit=A_PAGE + 1)
    return render.page(
        session,
        "refunds.html",
        refusal=refusal,
        rows=rows[:A_PAGE],
        more=len(rows) > A_PAGE,
        number=number,
        names=logins.names(session, tenant_id),
    )


@bp.get("/sorties")
def outflow_page() -> Answer:
    """Lists the money that left a wallet, unexplained money first."""
    tenant_id, number = login_session.manager().tenant_id, render.page_number()
    with login_session.transaction() as session:
        rows = payouts.of_tenant(session, tenant_id, skip=(number - 1) * A_PAGE, limit=A_PAGE + 1)
        return render.page(
            session, "outflows.html", rows=rows[:A_PAGE], more=len(rows) > A_PAGE, number=number
        )


@bp.get("/demander/<uuid:receipt_id>")
def form(receipt_id: UUID) -> Answer:
    """The form that requests the refund of a receipt."""
    with login_session.transaction() as session:
        return _form(session, receipt_id)


def _form(session: Session, receipt_id: UUID, refusal: Refused | None = None) -> Answer:
    receipt = suspense.get_receipt(session, receipt_id)
    return render.page(
        session,
        "refund.html",
        refusal=refusal,
        receipt=receipt,
        version=receipts.version(session, receipt),
        most=refunds.refundable_units(session, receipt),
        open_refund=refunds.open_of(session, receipt),
    )


@bp.post("/demander/<uuid:receipt_id>")
def ask(receipt_id: UUID) -> Answer:
    """Requests a refund. No money moves before its approval."""

    def action(session: Session) -> str:
        receipt, fields = suspense.get_receipt(session, receipt_id), request.form
        refunds.ask(
            session,
            login_session.manager(),
            receipt,
            amount=from_typed(fields.get("montant", ""), receipt.currency),
            reason=fields.get("raison", ""),
            expected_version=shown_version(),
        )
        return url_for("console.refunds.page", dit="demande")

    return perform(action, lambda session, refusal: _form(session, receipt_id, refusal))


@bp.post("/<uuid:refund_id>/approuver")
def approve(refund_id: UUID) -> Answer:
    """A second manager approves the refund."""
    return _decide(refund_id, refunds.approve, "approuve")


@bp.post("/<uuid:refund_id>/refuser")
def refuse(refund_id: UUID) -> Answer:
    """Closes a request for a refund without approving it."""
    return _decide(refund_id, refunds.refuse, "refuse")


@bp.post("/<uuid:refund_id>/paye")
def mark_paid(refund_id: UUID) -> Answer:
    """Notes that the refund was paid out, with the operator's transaction."""
    transaction = _typed_transaction()
    return _decide(
        refund_id,
        lambda session, manager, refund: refunds.mark_paid(session, manager, refund, transaction),
        "paye",
    )


@bp.post("/<uuid:refund_id>/corriger")
def correct(refund_id: UUID) -> Answer:
    """Corrects the noted transaction of a payout that no line of the operator proves."""
    transaction = _typed_transaction()
    return _decide(
        refund_id,
        lambda session, manager, refund: payout_corrections.correct_transaction(
            session, manager, refund, transaction
        ),
        "corrige-paiement",
    )


def _typed_transaction() -> str:
    return " ".join(request.form.get("transaction", "").split())


def _decide(refund_id: UUID, decide: Callable[[Session, Manager, Refund], None], notice: str) -> Answer:
    def action(session: Session) -> str:
        manager = login_session.manager()
        decide(session, manager, session.get(Refund, (manager.tenant_id, refund_id)) or abort(404))
        return url_for("console.refunds.page", dit=notice)

    return perform(action, _list)
