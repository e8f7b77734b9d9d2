"""Notes how a member is related to the head. The rules ask it of bills written from that day on."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import audit
from mutuelle.audit import Subject
from mutuelle.billing import adjustments
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.enrolment import shown_household
from mutuelle.errors import Refused
from mutuelle.households.households import Member, MemberKind
from mutuelle.organisation import tenants
from mutuelle.schemes.service_rules import Relationship


def read(code: str) -> str | None:
    """Returns a relationship as typed, None for an empty one. Refused("member.relationship")."""
    if code not in ("", *Relationship):
        raise Refused("member.relationship")
    return code or None


def set_relationship(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    member_id: UUID,
    *,
    relationship: str,
    expected_count: int,
    by: str,
) -> None:
    """Notes how a dependant is related to the head, or that it is not known (empty).

    It counts for bills from today on: days of earlier ones stay as they were told. Changes nothing if it is
    noted already. Refused: "member.changed", "member.relationship" if it is no Relationship or the member is
    the head. Missing: no such member.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    member = shown_household.member(session, tenant_id, household_id, member_id)
    related, today = read(relationship), tenants.today(session, tenant_id)
    if member.kind == MemberKind.HEAD:
        raise Refused("member.relationship")
    if related == member.relationship:
        return
    _note(member, related, today)
    session.flush()
    facts = {"member": str(member_id), "relationship": related}
    audit.record(
        session, tenant_id, by, "member-related", audit.about(Subject.HOUSEHOLD, household_id), **facts
    )
    adjustments.apply(session, tenant_id, household_id, today, AdjustmentReason.HOUSEHOLD)


def change_head(members: Sequence[Member], heads: Sequence[UUID], head: Member, today: date) -> None:
    """Notes what follows from another `head`: if it was the spouse, the one before is the spouse now."""
    for member in members:
        if member.id in heads and head.relationship == Relationship.SPOUSE:
            _note(member, Relationship.SPOUSE, today)
    _note(head, None, today)


def _note(member: Member, related: str | None, today: date) -> None:
    """Adds an entry from today on. What was noted today before it leaves no trace."""
    before = [entry for entry in member.relationships if entry[0] != today.isoformat()]
    last = before[-1][1] if before else None
    member.relationships = before if related == last else [*before, [today.isoformat(), related]]
