"""*Ménage*: one household, with the proof of its category, its members, its bills and payments."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy.orm import Session

from gateway.console import login_session, render
from gateway.console.actions import YES, Answer, perform, shown_version
from menus import texts
from mutuelle.enrolment import (
    appeals,
    category_proofs,
    household_changes,
    member_names,
    office_list_csv,
    pending_proofs,
    relationship_changes,
    social_registry,
)
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.enrolment.office_list_csv import RowError
from mutuelle.errors import Refused
from mutuelle.households import evidence
from mutuelle.households.evidence import Evidence, EvidenceKind
from mutuelle.households.households import Household
from mutuelle.organisation import sponsors
from mutuelle.reports import household_page
from mutuelle.schemes import schemes
from mutuelle.schemes.service_rules import Relationship

REASONS = texts.read("fr", "rights")

bp = Blueprint("household", __name__, url_prefix="/menage")


@bp.get("/<uuid:household_id>")
def page(household_id: UUID) -> Answer:
    """The page of one household."""
    with login_session.transaction() as session:
        return _page(session, _get(session, household_id))


def _get(session: Session, household_id: UUID) -> Household:
    return session.get(Household, (login_session.manager().tenant_id, household_id)) or abort(404)


def _page(session: Session, household: Household, refusal: Refused | None = None) -> Answer:
    tenant, today = render.tenant(session), render.today(session)
    facts: dict[str, Any] = household_page.load(session, household, today)
    statuses = schemes.get(tenant.scheme).on(today).member_statuses
    facts |= {
        "household": household,
        "today": today,
        "labels": render.categories(tenant),
        "claim": category_proofs.in_force(session, tenant.id, household.id, today),
        "proof_needed": pending_proofs.categories_to_prove(tenant),
        "kinds": evidence.MANUAL_KINDS,
        "refusal_reasons": tuple(category_proofs.NotProven),
        "sponsor": sponsors.of_household(session, tenant.id, household.id),
        "right_reasons": REASONS,
        "correction_reasons": tuple(household_changes.CorrectionReason),
        "class_choices": {row.id: household_changes.classes_for(row, statuses) for row in facts["members"]},
        "relationships": tuple(Relationship),
        "class_evidence": tuple(household_changes.ClassEvidence),
        "ticket": appeals.open_ticket(session, tenant.id, household.id),
        "ticket_kinds": tuple(appeals.TicketKind),
    }
    return render.page(session, "household.html", refusal=refusal, **facts)


def _change(household_id: UUID, change: Callable[[Session, Household], None], notice: str) -> Answer:
    """Runs `change` and returns to the household's page."""

    def action(session: Session) -> str:
        change(session, _get(session, household_id))
        return url_for("console.household.page", household_id=household_id, dit=notice)

    return perform(action, lambda session, refusal: _page(session, _get(session, household_id), refusal))


@bp.post("/<uuid:household_id>/verifier")
def check(household_id: UUID) -> Answer:
    """Notes that a manager has seen the proof of a category."""

    def change(session: Session, household: Household) -> None:
        fields = request.form
        try:
            until = office_list_csv.day(fields["jusque"], "until") if fields.get("jusque") else None
        except RowError:
            raise Refused("evidence.day") from None
        category_proofs.check(
            session,
            household.tenant_id,
            household.id,
            fields.get("categorie", ""),
            evidence.manual_evidence(fields.get("preuve", ""), fields.get("numero")),
            by=login_session.manager().actor,
            until=until,
            expected_row=fields.get("vu", type=UUID),
        )

    return _change(household_id, change, "prouve")


@bp.post("/<uuid:household_id>/refuser")
def refuse(household_id: UUID) -> Answer:
    """Notes that the category is not proven, or no longer."""

    def change(session: Session, household: Household) -> None:
        category_proofs.refuse(
            session,
            household.tenant_id,
            household.id,
            why=request.form.get("raison", ""),
            by=login_session.manager().actor,
            expected_row=request.form.get("vu", type=UUID),
        )

    return _change(household_id, change, "refuse-categorie")


@bp.post("/<uuid:household_id>/numero")
def number(household_id: UUID) -> Answer:
    """Claims a category by a registry number, and looks the number up in the loaded lists.

    Without a match the claim waits for the next list.
    """

    def change(session: Session, household: Household) -> None:
        proof = Evidence(EvidenceKind.REGISTRY_NUMBER, request.form.get("numero", ""))
        by, category = login_session.manager().actor, request.form.get("categorie", "")
        category_proofs.claim(session, household.tenant_id, household.id, category, by=by, evidence=proof)
        matches = social_registry.matches(session, render.tenant(session), household.id)
        social_registry.carry_out(
            session, household.tenant_id, [match for match in matches if match.sure], by
        )

    return _change(household_id, change, "numero")


@bp.post("/<uuid:household_id>/reclamer")
def appeal(household_id: UUID) -> Answer:
    """Lodges an appeal that a household brought to the office."""

    def change(session: Session, household: Household) -> None:
        kind = request.form.get("objet", "")
        appeals.lodge_at_counter(session, login_session.manager(), household.id, kind)

    return _change(household_id, change, "reclame")


@bp.post("/<uuid:household_id>/nommer/<uuid:member_id>")
def name(household_id: UUID, member_id: UUID) -> Answer:
    """Sets a member's name."""

    def change(session: Session, household: Household) -> None:
        by, new_name = login_session.manager().actor, request.form.get("nom", "")
        member_names.set_name(session, household.tenant_id, member_id, new_name, by)

    return _change(household_id, change, "nomme")


@bp.post("/<uuid:household_id>/ajouter")
def add(household_id: UUID) -> Answer:
    """Adds a new-born or another person to the household."""

    def change(session: Session, household: Household) -> None:
        household_changes.add_member(
            session,
            household.tenant_id,
            household.id,
            born=request.form.get("annee", "").strip(),
            name=request.form.get("nom", ""),
            relationship=request.form.get("lien", ""),
            expected_count=shown_version(),
            by=login_session.manager().actor,
        )

    return _change(household_id, change, "ajoute")


@bp.post("/<uuid:household_id>/retirer/<uuid:member_id>")
def remove(household_id: UUID, member_id: UUID) -> Answer:
    """Removes a member from the household."""

    def change(session: Session, household: Household) -> None:
        household_changes.remove_member(
            session,
            household.tenant_id,
            household.id,
            member_id,
            expected_count=shown_version(),
            by=login_session.manager().actor,
        )

    return _change(household_id, change, "retire")


@bp.post("/<uuid:household_id>/lien/<uuid:member_id>")
def relate(household_id: UUID, member_id: UUID) -> Answer:
    """Notes how a member is related to the head."""

    def change(session: Session, household: Household) -> None:
        relationship_changes.set_relationship(
            session,
            household.tenant_id,
            household.id,
            member_id,
            relationship=request.form.get("lien", ""),
            expected_count=shown_version(),
            by=login_session.manager().actor,
        )

    return _change(household_id, change, "lien")


@bp.post("/<uuid:household_id>/etudes/<uuid:member_id>")
def study(household_id: UUID, member_id: UUID) -> Answer:
    """Notes that a child goes to school, or no longer."""

    def change(session: Session, household: Household) -> None:
        household_changes.set_student(
            session,
            household.tenant_id,
            household.id,
            member_id,
            student=request.form.get("etudes") == YES,
            expected_count=shown_version(),
            by=login_session.manager().actor,
        )

    return _change(household_id, change, "etudes")


@bp.post("/<uuid:household_id>/corriger/<uuid:member_id>")
def correct(household_id: UUID, member_id: UUID) -> Answer:
    """Corrects a member's year of birth, or who the head is."""

    def change(session: Session, household: Household) -> None:
        fields = request.form
        household_changes.correct_member(
            session,
            household.tenant_id,
            household.id,
            member_id,
            born=fields.get("annee", "").strip(),
            head=fields.get("chef") == YES,
            why=fields.get("pourquoi", ""),
            shown=PageSnapshot(
                shown_version(), fields.get("annee-vue", type=int), fields.get("chef-vu", type=UUID)
            ),
            by=login_session.manager().actor,
        )

    return _change(household_id, change, "corrige")


@bp.post("/<uuid:household_id>/recalculer")
def recalculate(household_id: UUID) -> Answer:
    """Computes the running bill anew from what is stored about the household."""

    def change(session: Session, household: Household) -> None:
        household_changes.recalculate(
            session,
            household.tenant_id,
            household.id,
            why=request.form.get("pourquoi", ""),
            expected_count=shown_version(),
            by=login_session.manager().actor,
        )

    return _change(household_id, change, "recalcule")


@bp.post("/<uuid:household_id>/classe/<uuid:member_id>")
def set_class(household_id: UUID, member_id: UUID) -> Answer:
    """Notes that a member is of a class with rules of its own (such as disabled), or no longer (`fini`)."""

    def change(session: Session, household: Household) -> None:
        facts: dict[str, Any] = {
            "code": request.form.get("classe", ""),
            "expected_count": shown_version(),
            "by": login_session.manager().actor,
        }
        if request.form.get("fini"):
            household_changes.end_class(session, household.tenant_id, household.id, member_id, **facts)
        else:
            facts["evidence"] = request.form.get("preuve", "")
            household_changes.add_class(session, household.tenant_id, household.id, member_id, **facts)

    return _change(household_id, change, "classe")
