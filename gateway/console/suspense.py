"""*À rapprocher*: the receipts nobody could attribute, who may own them, and what a person decides."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import Answer, act
from mutuelle.cover import cover_books
from mutuelle.errors import Refused
from mutuelle.households import households, member_numbers
from mutuelle.payments import manual_attribution, receipts, refunds, suspense
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.suspense import SuspenseItem

A_PAGE = 10

bp = Blueprint("suspense", __name__, url_prefix="/a-rapprocher")


@bp.get("")
def page() -> Answer:
    """What waits, oldest first, ten at a time."""
    number = render.place()
    with login_session.acting() as session:
        found = suspense.of_tenant(
            session, login_session.me().tenant_id, skip=(number - 1) * A_PAGE, limit=A_PAGE + 1
        )
        facts: dict[str, Any] = {"rows": found[:A_PAGE], "more": len(found) > A_PAGE, "number": number}
        return render.page(session, "suspense.html", **facts, homes=homes_of(session, found))


@bp.get("/<uuid:receipt_id>")
def one(receipt_id: UUID) -> Answer:
    """One receipt with its candidates."""
    with login_session.acting() as session:
        return show_one(session, found(session, receipt_id))


def show_one(session: Session, receipt: Receipt, why: Refused | None = None, number: str = "") -> Answer:
    """The page of one receipt; `why` is what was just refused."""
    parts = receipts.parts_of(session, receipt)
    waiting = sum(part.amount for part in parts if part.kind == "suspense")
    ranked = suspense.candidates_of(session, receipt.tenant_id, [receipt])[receipt.id] if waiting else []
    row = SuspenseItem(receipt, waiting, tuple(ranked))
    facts: dict[str, Any] = {"row": row, "number": number, "homes": homes_of(session, [row])}
    facts |= {"seen": receipts.version(session, receipt), "refund": refunds.open_of(session, receipt)}
    facts |= {
        "owner": render.owner(session, receipt),
        "last_by": manual_attribution.last_manager(session, receipt),
    }
    return render.page(session, "match.html", why=why, **facts)


def found(session: Session, receipt_id: UUID) -> Receipt:
    """A receipt of this person's mutuelle; 404 for any other."""
    return session.get(Receipt, (login_session.me().tenant_id, receipt_id)) or abort(404)


def homes_of(session: Session, rows: list[SuspenseItem]) -> dict[UUID, dict[str, Any]]:
    """What a page says of each candidate: its number, people, and what it owes."""
    today = render.today(session)
    told: dict[UUID, dict[str, Any]] = {}
    for home_id in {candidate.household_id for row in rows for candidate in row.candidates}:
        now = cover_books.position(session, login_session.me().tenant_id, home_id, today)
        home = households.get(session, login_session.me().tenant_id, home_id)
        count = len(households.members_of(session, login_session.me().tenant_id, home_id))
        told[home_id] = {"number": home.number, "people": count, "owed": now.owed, "state": now.right.state}
    return told


@bp.post("/<uuid:receipt_id>/attribuer")
def attribute(receipt_id: UUID) -> Answer:
    """It is that household's: a candidate that was chosen, or a member number that was typed."""
    seen, typed = request.form.get("vu", -1, type=int), request.form.get("numero", "")

    def do(session: Session) -> str:
        manual_attribution.attribute(
            session,
            login_session.me(),
            found(session, receipt_id),
            chosen(session, typed),
            expected_version=seen,
        )
        return url_for("console.payment.page", which=receipt_id, dit="rapproche")

    return act(do, lambda session, why: show_one(session, found(session, receipt_id), why, typed))


def chosen(session: Session, typed: str) -> UUID:
    """The household of the button that was pressed or of the number that was typed. Refused("number.wrong",
    "number.none")."""
    picked = request.form.get("menage", type=UUID)
    if picked is not None:
        return (
            picked
            if session.get(households.Household, (login_session.me().tenant_id, picked))
            else abort(404)
        )
    home = households.by_number(session, member_numbers.check(typed))
    if home is None:
        raise Refused("number.none")
    return home.id


@bp.post("/<uuid:receipt_id>/annuler")
def undo(receipt_id: UUID) -> Answer:
    """It was not theirs: back to suspense."""

    def do(session: Session) -> str:
        manual_attribution.undo(
            session,
            login_session.me(),
            found(session, receipt_id),
            expected_version=request.form.get("vu", -1, type=int),
        )
        return url_for("console.suspense.one", receipt_id=receipt_id, dit="annule")

    return act(do, lambda session, why: show_one(session, found(session, receipt_id), why))
