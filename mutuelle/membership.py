"""Membership: a manager notes a new-born or somebody who left; the household's bills and rights follow in the same transaction.

The page says how many people it showed, so that a double click adds nobody twice.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import adjustments, audit, clock, households, lists, placement, tenants
from mutuelle.errors import Refused
from mutuelle.households import Member
from mutuelle.lists import Wrong


def add(session: Session, tenant_id: UUID, home_id: UUID, *, born: str, name: str, seen: int, by: str) -> None:
    """Somebody more is of the household from today on; provisional without a name.

    Refused: "member.changed" when the household is not as it was shown, "member.year", "member.name", and what
    `adjustments.apply` refuses.
    """
    _begin(session, tenant_id, home_id, seen)
    today = clock.today(tenants.get(session, tenant_id).zone)
    try:
        year = lists.year(born, today)
    except Wrong:
        raise Refused("member.year") from None
    try:
        spoken = lists.person(" ".join(name.split())) if name.strip() else None
    except Wrong:
        raise Refused("member.name") from None
    households.add_member(session, tenant_id, home_id, born=year, on=today, name=spoken, actor=by)
    adjustments.apply(session, tenant_id, home_id, today, "household")


def leave(session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID, *, seen: int, by: str) -> None:
    """Today is a dependant's last day in the household.

    Refused: "member.changed" when the household is not as it was shown, "member.head". LookupError: nobody of the household is
    called by this id.
    """
    _begin(session, tenant_id, home_id, seen)
    member = _of(session, tenant_id, home_id, member_id)
    if member.kind == "head":
        raise Refused("member.head")
    today = clock.today(tenants.get(session, tenant_id).zone)
    households.remove_member(session, tenant_id, member_id, on=today, actor=by)
    adjustments.apply(session, tenant_id, home_id, today, "household")


def study(session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID, *, student: bool, seen: int, by: str) -> None:
    """A child goes to school or learns a trade, or not any more: some schemes cover it for longer. Saying it again is nothing.

    Refused("member.changed"). LookupError: nobody of the household is called by this id.
    """
    _begin(session, tenant_id, home_id, seen)
    member = _of(session, tenant_id, home_id, member_id)
    if member.student == student:
        return
    member.student = student
    session.flush()
    what = "member-studies" if student else "member-studies-no-more"
    audit.note(session, tenant_id, by, what, f"household:{home_id}", member=str(member_id))
    adjustments.apply(session, tenant_id, home_id, clock.today(tenants.get(session, tenant_id).zone), "household")


def _of(session: Session, tenant_id: UUID, home_id: UUID, member_id: UUID) -> Member:
    member = next((one for one in households.members_of(session, tenant_id, home_id) if one.id == member_id), None)
    if member is None:
        raise LookupError("no such member in this household")
    return member


def _begin(session: Session, tenant_id: UUID, home_id: UUID, seen: int) -> None:
    """Lock the household and see that it is as the page showed it."""
    placement.lock(session, (tenant_id, home_id))
    if len(households.members_of(session, tenant_id, home_id)) != seen:
        raise Refused("member.changed")
