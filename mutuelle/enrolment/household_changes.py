"""Membership: a manager notes a new-born, somebody who left, a pupil, or a class of a member that the rules
treat otherwise, or corrects who somebody is; the household's bills and rights follow in the same transaction.

The page says what it showed, so that a double click adds nobody twice and no correction undoes another one
unseen. The trail tells that a rule's exception was noted in a household, never which or of whom: that is
health information.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, inserts
from mutuelle.billing import adjustments
from mutuelle.contributions.quotes import ADULT, age
from mutuelle.enrolment import office_lists
from mutuelle.enrolment.office_lists import RowError
from mutuelle.errors import Missing, Refused
from mutuelle.households import households, locks
from mutuelle.households.households import Member
from mutuelle.households.members import MemberClass
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes

OF_DEPENDANTS = ("disabled",)  # the rules that ask about it are about children
SEEN = ("document", "agent-visit")  # what shows that somebody is of a class
WHYS = (
    "document",
    "told",
    "typing",
    "appeal",
    "flag",
)  # why somebody is corrected, or a bill worked out anew


@dataclass(frozen=True)
class PageSnapshot:
    """What a page said that somebody corrects: how many people, the year of birth of the one, and who was the
    head."""

    people: int
    born: int | None
    head: UUID | None


def add_member(
    session: Session, tenant_id: UUID, home_id: UUID, *, born: str, name: str, seen: int, by: str
) -> None:
    """Somebody more is of the household from today on; provisional without a name.

    Refused: "member.changed" when the household is not as it was shown, "member.year", "member.name", and
    what `adjustments.apply` refuses.
    """
    _begin(session, tenant_id, home_id, seen)
    today = clock.today(tenants.get(session, tenant_id).zone)
    year = _year(born, today)
    try:
        spoken = office_lists.person_name(" ".join(name.split())) if name.strip() else None
    except RowError:
        raise Refused("member.name") from None
    households.add_member(session, tenant_id, home_id, born=year, on=today, name=spoken, actor=by)
    adjustments.apply(session, tenant_id, home_id, today, "household")


def remove_member(
    session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID, *, seen: int, by: str
) -> None:
    """Today is a dependant's last day in the household.

    Refused: "member.changed" when the household is not as it was shown, "member.head". Missing: nobody of the
    household is called by this id.
    """
    _begin(session, tenant_id, home_id, seen)
    member = _of(session, tenant_id, home_id, member_id)
    if member.kind == "head":
        raise Refused("member.head")
    today = clock.today(tenants.get(session, tenant_id).zone)
    households.remove_member(session, tenant_id, member_id, on=today, actor=by)
    adjustments.apply(session, tenant_id, home_id, today, "household")


def set_student(
    session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID, *, student: bool, seen: int, by: str
) -> None:
    """A child goes to school or learns a trade, or not any more: some schemes cover it for longer. Saying it
    again is nothing.

    Refused("member.changed"). Missing: nobody of the household is called by this id.
    """
    _begin(session, tenant_id, home_id, seen)
    member = _of(session, tenant_id, home_id, member_id)
    if member.student == student:
        return
    member.student = student
    session.flush()
    what = "member-studies" if student else "member-studies-no-more"
    audit.record(session, tenant_id, by, what, f"household:{home_id}", member=str(member_id))
    adjustments.apply(
        session, tenant_id, home_id, clock.today(tenants.get(session, tenant_id).zone), "household"
    )


def classes_for(member: Member, noted: Sequence[str]) -> tuple[str, ...]:
    """Those of the classes that the scheme's rules ask about which may be noted of this member."""
    return tuple(code for code in noted if member.kind != "head" or code not in OF_DEPENDANTS)


def add_class(
    session: Session,
    tenant_id: UUID,
    home_id: UUID,
    member_id: UUID,
    *,
    code: str,
    evidence: str,
    seen: int,
    by: str,
) -> None:
    """From today on a member is of a class that a rule of the scheme asks about; said again while it holds,
    it is nothing.

    Refused: "member.changed", "class.unused" when no rule asks it of this member, "class.evidence" when it is
    not one of `SEEN`, and until tomorrow "class.ended-today", when today was noted to be its last day: one
    row holds on a day. Missing: nobody of the household is called by this id.
    """
    _begin(session, tenant_id, home_id, seen)
    member, tenant = _of(session, tenant_id, home_id, member_id), tenants.get(session, tenant_id)
    today = clock.today(tenant.zone)
    if code not in classes_for(member, schemes.get(tenant.scheme).on(today).noted):
        raise Refused("class.unused")
    if evidence not in SEEN:
        raise Refused("class.evidence")
    if held := _held(session, member, code, today):
        if held.until is not None:
            raise Refused("class.ended-today")
        return
    row = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "household_id": home_id,
        "member_id": member_id,
        "code": code,
    }
    inserts.add(
        session, MemberClass, {**row, "evidence": evidence, "since": today, "actor": by, "at": clock.now()}
    )
    _follow(session, tenant_id, home_id, by, "rule-noted", today, noted=str(row["id"]))


def end_class(
    session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID, *, code: str, seen: int, by: str
) -> None:
    """Today is the last day a member is of a class: what rested on it ends, a wait that was spared stays
    spared.

    Refused("member.changed"). Missing: nobody of the household is called by this id, or is of this class.
    """
    _begin(session, tenant_id, home_id, seen)
    member, today = (
        _of(session, tenant_id, home_id, member_id),
        clock.today(tenants.get(session, tenant_id).zone),
    )
    held = _held(session, member, code, today)
    if held is None:
        raise Missing("not of this class")
    if held.until is None:
        held.until = today
        session.flush()
        _follow(session, tenant_id, home_id, by, "rule-ended", today, noted=str(held.id))


def _held(session: Session, member: Member, code: str, today: date) -> MemberClass | None:
    mine = (MemberClass.tenant_id == member.tenant_id, MemberClass.household_id == member.household_id)
    now = or_(MemberClass.until.is_(None), MemberClass.until >= today)
    return session.scalar(
        select(MemberClass).where(*mine, MemberClass.member_id == member.id, MemberClass.code == code, now)
    )


def _follow(
    session: Session, tenant_id: UUID, home_id: UUID, by: str, what: str, today: date, **facts: str
) -> None:
    audit.record(session, tenant_id, by, what, f"household:{home_id}", **facts)
    adjustments.apply(session, tenant_id, home_id, today, "household")


def correct_member(
    session: Session,
    tenant_id: UUID,
    home_id: UUID,
    member_id: UUID,
    *,
    born: str,
    head: bool,
    why: str,
    shown: PageSnapshot,
    by: str,
) -> None:
    """Somebody was noted wrongly: this is the year of birth, and with `head` the head of the household, who
    was somebody else.

    A bill under way is corrected as it would follow any change, for the months the scheme counts. Saying what
    is known is nothing. Refused: "member.changed" when what is to be corrected is not as it was `shown`,
    "member.year", "member.why" when it is none of `WHYS`, "member.head-age" when the head would be a child,
    and what `adjustments.apply` refuses. Missing: nobody of the household is called by this id.
    """
    _begin(session, tenant_id, home_id, shown.people)
    member, reason = _of(session, tenant_id, home_id, member_id), _reason(why)
    everybody = households.members_of(session, tenant_id, home_id)
    today = clock.today(tenants.get(session, tenant_id).zone)
    year, before, was_head = _year(born, today), member.birth_year, member.kind == "head"
    if (head or was_head) and age(year, today) < ADULT:
        raise Refused("member.head-age")
    if year == before and (was_head or not head):
        return
    if before != shown.born or (head and [one.id for one in everybody if one.kind == "head"] != [shown.head]):
        raise Refused("member.changed")
    if head and not was_head:
        for other in everybody:
            other.kind = "head" if other is member else "dependant"
    member.birth_year = year
    session.flush()
    facts = {"member": str(member_id), "was": before, "born": year, "kind": member.kind, "why": reason}
    audit.record(session, tenant_id, by, "member-corrected", f"household:{home_id}", **facts)
    adjustments.apply(session, tenant_id, home_id, today, "correction")


def recalculate(session: Session, tenant_id: UUID, home_id: UUID, *, why: str, seen: int, by: str) -> None:
    """The household's bills under way are worked out anew from what is noted of it; a difference is lines of
    its own.

    Refused: "member.changed", "member.why" when it is none of `WHYS`, and what `adjustments.apply` refuses.
    """
    _begin(session, tenant_id, home_id, seen)
    audit.record(session, tenant_id, by, "bill-recalculated", f"household:{home_id}", why=_reason(why))
    adjustments.apply(
        session, tenant_id, home_id, clock.today(tenants.get(session, tenant_id).zone), "correction"
    )


def _year(typed: str, today: date) -> int:
    try:
        return office_lists.year(typed, today)
    except RowError:
        raise Refused("member.year") from None


def _reason(why: str) -> str:
    """One of a short list: words that somebody types may tell of an illness, and the trail cannot be
    erased."""
    if why not in WHYS:
        raise Refused("member.why")
    return why


def _of(session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID) -> Member:
    member = next(
        (one for one in households.members_of(session, tenant_id, home_id) if one.id == member_id), None
    )
    if member is None:
        raise Missing("no such member in this household")
    return member


def _begin(session: Session, tenant_id: UUID, home_id: UUID, seen: int) -> None:
    """Lock the household and see that it is as the page showed it."""
    locks.lock(session, (tenant_id, home_id))
    if len(households.members_of(session, tenant_id, home_id)) != seen:
        raise Refused("member.changed")
