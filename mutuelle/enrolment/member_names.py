"""Names members that joined by phone with a birth year only: by hand, or from an office list.

A named member is no longer provisional. The audit trail records that a member was named, never the name.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit
from mutuelle.audit import Subject
from mutuelle.enrolment import office_list_csv
from mutuelle.enrolment.office_list_csv import ListRow, RowError, RowProblem
from mutuelle.errors import Missing, Refused
from mutuelle.households import duplicates, member_numbers
from mutuelle.households.households import Household, Member, MemberKind

COLUMNS = {
    "number": ("member_number", "numero", "numéro de membre"),
    "birth_year": ("annee de naissance", "année"),
    "name": ("nom",),
    "kind": ("lien", "type"),
}
KINDS = {
    "head": MemberKind.HEAD,
    "chef": MemberKind.HEAD,
    "dependant": MemberKind.DEPENDANT,
    "a charge": MemberKind.DEPENDANT,
    "ayant droit": MemberKind.DEPENDANT,
}
BATCH = 500


@dataclass(frozen=True)
class NameRow:
    """One row of a list: the name of the member of `kind` born in `birth_year`, in the household `number`."""

    line: int
    number: str
    birth_year: int
    name: str
    kind: str


@dataclass(frozen=True)
class NamesResult:
    """How many rows named a member, how many names were the same already, and the problems of the others."""

    named: int
    same: int
    problems: tuple[RowProblem, ...]


def read(lines: Sequence[ListRow], today: date) -> tuple[list[NameRow], list[RowProblem]]:
    """Returns the rows of a list, and the problems of the lines that are not valid rows."""
    rows: list[NameRow] = []
    problems: list[RowProblem] = []
    for line in lines:
        try:
            rows.append(_row(line, today))
        except RowError as error:
            problems.append(error.at(line.number))
    return rows, problems


def _row(line: ListRow, today: date) -> NameRow:
    cells = line.cells
    try:
        number = member_numbers.check(cells["number"])
    except Refused:
        advice = "copy the ten digits from the card; the last checks the others"
        raise RowError("this is no member number", advice) from None
    kind = KINDS.get(office_list_csv.normalize(cells["kind"]))
    if kind is None:
        raise RowError("kind is neither head nor dependant", "write head or dependant")
    return NameRow(
        line.number,
        number,
        office_list_csv.year(cells["birth_year"], today),
        office_list_csv.person_name(cells["name"]),
        kind,
    )


def batches(rows: Sequence[NameRow]) -> Iterator[Sequence[NameRow]]:
    """Yields the rows by household, in batches small enough for one short transaction each."""
    ordered = sorted(rows, key=lambda row: (row.number, row.line))
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))


def name_members(session: Session, tenant_id: UUID, rows: Sequence[NameRow], by: str) -> NamesResult:
    """Names the members of these rows.

    A name that is stored already stays: a list corrects none, and the same list again changes nothing.
    """
    members = _members(session, tenant_id, {row.number for row in rows})
    named = same = 0
    problems: list[RowProblem] = []
    for row in rows:
        try:
            changed = _name(session, members, row, by)
        except RowError as error:
            problems.append(error.at(row.line))
        else:
            named, same = named + changed, same + (not changed)
    duplicates.find(session, tenant_id, {member.household_id for home in members.values() for member in home})
    return NamesResult(named, same, tuple(problems))


def _members(session: Session, tenant_id: UUID, numbers: set[str]) -> dict[str, list[Member]]:
    """Returns the current members by member number, locked so that two lists cannot name the same person."""
    members: dict[str, list[Member]] = defaultdict(list)
    of_numbers = (Household.tenant_id == tenant_id, Household.number.in_(numbers))
    households = session.execute(select(Household.id, Household.number).where(*of_numbers))
    number_of = {row.id: row.number for row in households}
    current = (Member.tenant_id == tenant_id, Member.household_id.in_(number_of), Member.until.is_(None))
    query = select(Member).where(*current).order_by(Member.household_id, Member.id).with_for_update()
    for member in session.scalars(query.execution_options(populate_existing=True)):
        members[number_of[member.household_id]].append(member)
    return members


def _name(session: Session, members: dict[str, list[Member]], row: NameRow, by: str) -> bool:
    """Names the first unnamed member that fits the row. Returns False if a member has this name already."""
    if row.number not in members:
        raise RowError(
            "no household of this mutuelle has this number", "check the number, and whose list this is"
        )
    fits = [
        member
        for member in members[row.number]
        if (member.kind, member.birth_year) == (row.kind, row.birth_year)
    ]
    if any(
        member.name is not None
        and office_list_csv.normalize(member.name) == office_list_csv.normalize(row.name)
        for member in fits
    ):
        return False
    if not fits:
        raise RowError(
            "nobody of this kind and birth year is in the household", "compare with `mutuelle members show`"
        )
    unnamed = next((member for member in fits if member.name is None), None)
    if unnamed is None:
        raise RowError(
            "everybody of this kind and birth year has another name", "correct a name on the household's page"
        )
    _write(session, unnamed, row.name, by)
    return True


def set_name(session: Session, tenant_id: UUID, member_id: UUID, name: str, by: str) -> bool:
    """Sets or corrects a member's name as typed. Returns False if the member has this name already.

    Refused("member.name") when it is no name. Missing: this mutuelle has no such member.
    """
    current = (Member.tenant_id == tenant_id, Member.id == member_id, Member.until.is_(None))
    query = select(Member).where(*current).with_for_update()
    member = session.scalar(query.execution_options(populate_existing=True))
    if member is None:
        raise Missing("no such member here")
    try:
        full_name = office_list_csv.person_name(" ".join(name.split()))
    except RowError:
        raise Refused("member.name") from None
    if member.name == full_name and not member.provisional:
        return False
    _write(session, member, full_name, by)
    duplicates.find(session, tenant_id, [member.household_id])
    return True


def _write(session: Session, member: Member, name: str, by: str) -> None:
    action = "member-named" if member.name is None else "member-renamed"
    member.name, member.provisional = name, False
    session.flush()
    subject = audit.about(Subject.HOUSEHOLD, member.household_id)
    audit.record(session, member.tenant_id, by, action, subject, member=str(member.id))
