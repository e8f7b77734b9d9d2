"""Changes of a household by a manager: members join, leave, study, belong to a class, or are corrected.

Bills and rights follow in the same transaction. Callers pass what their page showed, so that a double click
adds no member twice and a correction does not undo another one unseen. The audit trail says that a class was
recorded in a household, never which class or for which member: that is health information.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, inserts
from mutuelle.audit import Subject
from mutuelle.billing import adjustments
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.contributions.quotes import ADULT, age
from mutuelle.enrolment import office_list_csv, relationship_changes, shown_household
from mutuelle.enrolment.office_list_csv import RowError
from mutuelle.errors import Missing, Refused
from mutuelle.households import duplicates, households
from mutuelle.households.households import Member, MemberKind
from mutuelle.households.members import MemberClass
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes

CLASSES_OF_DEPENDANTS = ("disabled",)  # the rules ask about these for children only


class ClassEvidence(StrEnum):
    """What shows that a member belongs to a class."""

    DOCUMENT = "document"
    AGENT_VISIT = "agent-visit"


class CorrectionReason(StrEnum):
    """Why a member is corrected or a bill recalculated; a code, because free text could name an illness."""

    DOCUMENT = "document"
    TOLD = "told"
    TYPING = "typing"
    APPEAL = "appeal"
    FLAG = "flag"


@dataclass(frozen=True)
class PageSnapshot:
    """What the page of a correction showed: the number of members, this member's birth year, and the head."""

    people: int
    born: int | None
    head: UUID | None


def add_member(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    *,
    born: str,
    name: str,
    relationship: str = "",
    expected_count: int,
    by: str,
) -> None:
    """Adds a dependant from today on, provisional without a name. `born` is a year as typed.

    `relationship` is a Relationship, empty where it is not known. Refused: "member.changed" if the household
    does not have `expected_count` members, "member.year", "member.name", "member.relationship", and what
    `adjustments.apply` refuses.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    today = tenants.today(session, tenant_id)
    year = _year(born, today)
    try:
        full_name = office_list_csv.person_name(" ".join(name.split())) if name.strip() else None
    except RowError:
        raise Refused("member.name") from None
    related = relationship_changes.read(relationship)
    households.add_member(
        session,
        tenant_id,
        household_id,
        born=year,
        on=today,
        name=full_name,
        relationship=related,
        actor=by,
    )
    duplicates.find(session, tenant_id, [household_id])
    adjustments.apply(session, tenant_id, household_id, today, AdjustmentReason.HOUSEHOLD)


def remove_member(
    session: Session, tenant_id: UUID, household_id: UUID, member_id: UUID, *, expected_count: int, by: str
) -> None:
    """Makes today a dependant's last day in the household.

    Refused: "member.changed" if the household does not have `expected_count` members, "member.head". Missing:
    the household has no such member.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    member = shown_household.member(session, tenant_id, household_id, member_id)
    if member.kind == MemberKind.HEAD:
        raise Refused("member.head")
    today = tenants.today(session, tenant_id)
    households.remove_member(session, tenant_id, member_id, on=today, actor=by)
    adjustments.apply(session, tenant_id, household_id, today, AdjustmentReason.HOUSEHOLD)


def set_student(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    member_id: UUID,
    *,
    student: bool,
    expected_count: int,
    by: str,
) -> None:
    """Records that a child goes to school or learns a trade, or no longer; some schemes cover it for longer.

    Changes nothing if that is recorded already. Refused("member.changed"). Missing: no such member.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    member = shown_household.member(session, tenant_id, household_id, member_id)
    if member.student == student:
        return
    member.student = student
    session.flush()
    action = "member-studies" if student else "member-studies-no-more"
    audit.record(
        session, tenant_id, by, action, audit.about(Subject.HOUSEHOLD, household_id), member=str(member_id)
    )
    adjustments.apply(
        session, tenant_id, household_id, tenants.today(session, tenant_id), AdjustmentReason.HOUSEHOLD
    )


def classes_for(member: Member, codes: Sequence[str]) -> tuple[str, ...]:
    """Returns the classes in `codes` that this member may have; `disabled` is for dependants only."""
    return tuple(
        code for code in codes if member.kind != MemberKind.HEAD or code not in CLASSES_OF_DEPENDANTS
    )


def add_class(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    member_id: UUID,
    *,
    code: str,
    evidence: str,
    expected_count: int,
    by: str,
) -> None:
    """Notes from today on that a member belongs to a class of the scheme's rules; no change if noted already.

    Refused: "member.changed", "class.unused" if no rule asks about the class for this member,
    "class.evidence" if `evidence` is not a ClassEvidence, "class.ended-today" if today was noted to be its
    last day: one row holds on a day. Missing: the household has no such member.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    member, tenant = (
        shown_household.member(session, tenant_id, household_id, member_id),
        tenants.get(session, tenant_id),
    )
    today = tenant.today()
    if code not in classes_for(member, schemes.get(tenant.scheme).on(today).member_statuses):
        raise Refused("class.unused")
    if evidence not in list(ClassEvidence):
        raise Refused("class.evidence")
    if current := _class(session, member, code, today):
        if current.until is not None:
            raise Refused("class.ended-today")
        return
    class_id = clock.new_id()
    row = {
        "tenant_id": tenant_id,
        "id": class_id,
        "household_id": household_id,
        "member_id": member_id,
        "code": code,
        "evidence": evidence,
        "since": today,
        "actor": by,
        "at": clock.now(),
    }
    inserts.add(session, MemberClass, row)
    audit.record(
        session,
        tenant_id,
        by,
        "rule-noted",
        audit.about(Subject.HOUSEHOLD, household_id),
        noted=str(class_id),
    )
    adjustments.apply(session, tenant_id, household_id, today, AdjustmentReason.HOUSEHOLD)


def end_class(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    member_id: UUID,
    *,
    code: str,
    expected_count: int,
    by: str,
) -> None:
    """Makes today a member's last day in a class. Waiting days that the class waived stay waived.

    Refused("member.changed"). Missing: the household has no such member, or the member is not of this class.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    member = shown_household.member(session, tenant_id, household_id, member_id)
    today = tenants.today(session, tenant_id)
    current = _class(session, member, code, today)
    if current is None:
        raise Missing("not of this class")
    if current.until is None:
        current.until = today
        session.flush()
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        audit.record(session, tenant_id, by, "rule-ended", subject, noted=str(current.id))
        adjustments.apply(session, tenant_id, household_id, today, AdjustmentReason.HOUSEHOLD)


def _class(session: Session, member: Member, code: str, today: date) -> MemberClass | None:
    """The row by which the member belongs to the class today."""
    of_household = (
        MemberClass.tenant_id == member.tenant_id,
        MemberClass.household_id == member.household_id,
    )
    now = or_(MemberClass.until.is_(None), MemberClass.until >= today)
    return session.scalar(
        select(MemberClass).where(
            *of_household, MemberClass.member_id == member.id, MemberClass.code == code, now
        )
    )


def correct_member(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    member_id: UUID,
    *,
    born: str,
    head: bool,
    why: str,
    shown: PageSnapshot,
    by: str,
) -> None:
    """Corrects a member's year of birth and, with `head`, makes the member the head of the household.

    Running bills are adjusted for the months that the scheme counts; who joined today has been billed as
    nobody else, and asks the others for nothing anew. Changes nothing if all is as noted.
    Refused: "member.changed" if what is corrected differs from what the page showed, "member.year",
    "member.why" if `why` is not a CorrectionReason, "member.head-age" if the head would be a child, and what
    `adjustments.apply` refuses. Missing: the household has no such member.
    """
    shown_household.lock(session, tenant_id, household_id, shown.people)
    member, reason = shown_household.member(session, tenant_id, household_id, member_id), _reason(why)
    members = households.members_of(session, tenant_id, household_id)
    today = tenants.today(session, tenant_id)
    year, before, was_head = _year(born, today), member.birth_year, member.kind == MemberKind.HEAD
    if (head or was_head) and age(year, today) < ADULT:
        raise Refused("member.head-age")
    if year == before and (was_head or not head):
        return
    heads = [other.id for other in members if other.kind == MemberKind.HEAD]
    if before != shown.born or (head and heads != [shown.head]):
        raise Refused("member.changed")
    if head and not was_head:
        for other in members:
            other.kind = MemberKind.HEAD if other is member else MemberKind.DEPENDANT
        relationship_changes.change_head(members, heads, member, today)
    member.birth_year = year
    session.flush()
    facts = {"member": str(member_id), "was": before, "born": year, "kind": member.kind, "why": reason}
    audit.record(
        session, tenant_id, by, "member-corrected", audit.about(Subject.HOUSEHOLD, household_id), **facts
    )
    duplicates.find(session, tenant_id, [household_id])
    came_today = member.since == today and any(other.since < today for other in members)
    kind = AdjustmentReason.HOUSEHOLD if came_today else AdjustmentReason.CORRECTION
    adjustments.apply(session, tenant_id, household_id, today, kind)


def recalculate(
    session: Session, tenant_id: UUID, household_id: UUID, *, why: str, expected_count: int, by: str
) -> None:
    """Recalculates the household's running bills from what is noted of it; a difference becomes new lines.

    Refused: "member.changed", "member.why" if `why` is not a CorrectionReason, and all reasons for which
    `adjustments.apply` refuses.
    """
    shown_household.lock(session, tenant_id, household_id, expected_count)
    subject = audit.about(Subject.HOUSEHOLD, household_id)
    audit.record(session, tenant_id, by, "bill-recalculated", subject, why=_reason(why))
    adjustments.apply(
        session, tenant_id, household_id, tenants.today(session, tenant_id), AdjustmentReason.CORRECTION
    )


def _year(typed: str, today: date) -> int:
    try:
        return office_list_csv.year(typed, today)
    except RowError:
        raise Refused("member.year") from None


def _reason(why: str) -> str:
    """Returns `why` if it is a CorrectionReason, because the audit trail can never be erased."""
    if why not in list(CorrectionReason):
        raise Refused("member.why")
    return why
