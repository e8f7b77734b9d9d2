"""*À rapprocher*: lists the receipts in suspense with candidate households; attributes them by hand."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, perform, shown_version
from mutuelle.cover import cover_books
from mutuelle.errors import Refused, UnreadableBooks
from mutuelle.households import households, member_numbers
from mutuelle.payments import manual_attribution, receipts, refunds, suspense_list
from mutuelle.payments.receipts import PartKind, Receipt
from mutuelle.payments.suspense_list import SuspenseItem

A_PAGE = 10

bp = Blueprint("suspense", __name__, url_prefix="/a-rapprocher")


@bp.get("")
def page() -> Answer:
    """The receipts in suspense, oldest first, ten a page."""
    number, tenant_id = render.page_number(), login_session.manager().tenant_id
    with login_session.transaction() as session:
        rows = suspense_list.of_tenant(session, tenant_id, skip=(number - 1) * A_PAGE, limit=A_PAGE + 1)
        return render.page(
            session,
            "suspense.html",
            rows=rows[:A_PAGE],
            more=len(rows) > A_PAGE,
            number=number,
            households=_candidate_facts(session, rows),
        )


@bp.get("/<uuid:receipt_id>")
def receipt_page(receipt_id: UUID) -> Answer:
    """One receipt with its candidate households."""
    with login_session.transaction() as session:
        return _receipt_page(session, get_receipt(session, receipt_id))


def _receipt_page(
    session: Session, receipt: Receipt, refusal: Refused | None = None, number: str = ""
) -> Answer:
    parts = receipts.parts_of(session, receipt)
    waiting = sum(part.amount for part in parts if part.kind == PartKind.SUSPENSE)
    ranked = suspense_list.candidates_of(session, receipt.tenant_id, [receipt])[receipt.id] if waiting else []
    row = SuspenseItem(receipt, waiting, tuple(ranked))
    return render.page(
        session,
        "suspense_receipt.html",
        refusal=refusal,
        row=row,
        number=number,
        households=_candidate_facts(session, [row]),
        version=receipts.version(session, receipt),
        refund=refunds.open_of(session, receipt),
        account=render.operator_account(session, receipt),
        last_by=manual_attribution.last_manager(session, receipt),
    )


def get_receipt(session: Session, receipt_id: UUID) -> Receipt:
    """Returns a receipt of the manager's mutuelle; 404 for any other."""
    return session.get(Receipt, (login_session.manager().tenant_id, receipt_id)) or abort(404)


def _candidate_facts(session: Session, rows: list[SuspenseItem]) -> dict[UUID, dict[str, Any]]:
    """Returns what a page shows of each candidate household: its number, people, what it owes, its rights."""
    tenant_id, today = login_session.manager().tenant_id, render.today(session)
    facts: dict[UUID, dict[str, Any]] = {}
    for household_id in {candidate.household_id for row in rows for candidate in row.candidates}:
        facts[household_id] = {
            "number": households.get(session, tenant_id, household_id).number,
            "people": len(households.members_of(session, tenant_id, household_id)),
        }
        try:
            position = cover_books.position(session, tenant_id, household_id, today)
        except UnreadableBooks:
            facts[household_id]["unreadable"] = True
        else:
            facts[household_id] |= {"owed": position.owed, "state": position.right.state}
    return facts


@bp.post("/<uuid:receipt_id>/attribuer")
def attribute(receipt_id: UUID) -> Answer:
    """Attributes a receipt to a candidate (`menage`) or to the household of a typed number (`numero`)."""
    typed = request.form.get("numero", "")

    def action(session: Session) -> str:
        manual_attribution.attribute(
            session,
            login_session.manager(),
            get_receipt(session, receipt_id),
            _chosen_household(session, typed),
            expected_version=shown_version(),
        )
        return url_for("console.payment.page", which=receipt_id, dit="rapproche")

    return perform(
        action,
        lambda session, refusal: _receipt_page(session, get_receipt(session, receipt_id), refusal, typed),
    )


def _chosen_household(session: Session, typed: str) -> UUID:
    """Returns the household of the pressed button, else of the number `typed`.

    Raises Refused("number.wrong", "number.none"); 404 for a household of another mutuelle.
    """
    household_id = request.form.get("menage", type=UUID)
    if household_id is not None:
        key = (login_session.manager().tenant_id, household_id)
        return household_id if session.get(households.Household, key) else abort(404)
    household = households.by_number(session, member_numbers.check(typed))
    if household is None:
        raise Refused("number.none")
    return household.id


@bp.post("/<uuid:receipt_id>/annuler")
def undo(receipt_id: UUID) -> Answer:
    """Undoes an attribution by hand: the money returns to suspense."""

    def action(session: Session) -> str:
        receipt = get_receipt(session, receipt_id)
        manual_attribution.undo(session, login_session.manager(), receipt, expected_version=shown_version())
        return url_for("console.suspense.receipt_page", receipt_id=receipt_id, dit="annule")

    return perform(
        action, lambda session, refusal: _receipt_page(session, get_receipt(session, receipt_id), refusal)
    )
