"""Naming: who joined by telephone is a birth year until somebody notes the name, by hand or from a list. Once
named, a member is provisional no more. The trail says that somebody was named, never how.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit
from mutuelle.enrolment import office_lists
from mutuelle.enrolment.office_lists import ListRow, RowError, RowProblem
from mutuelle.errors import Missing, Refused
from mutuelle.households import member_numbers
from mutuelle.households.households import Household, Member

COLUMNS = {
    "number": ("member_number", "numero", "numéro de membre"),
    "birth_year": ("annee de naissance", "année"),
    "name": ("nom",),
    "kind": ("lien", "type"),
}
KINDS = {
    "head": "head",
    "chef": "head",
    "dependant": "dependant",
    "a charge": "dependant",
    "ayant droit": "dependant",
}
BATCH = 500


@dataclass(frozen=True)
class NameRow:
    """One row of a list: in the household `number`, the `kind` born in `birth_year` is called `name`."""

    line: int
    number: str
    birth_year: int
    name: str
    kind: str


@dataclass(frozen=True)
class NamesResult:
    """What came of some rows: how many got a name, had it already, or why not."""

    named: int
    same: int
    problems: tuple[RowProblem, ...]


def read(lines: Sequence[ListRow], today: date) -> tuple[list[NameRow], list[RowProblem]]:
    """The rows of a list that say who is called how, and those that do not."""
    rows: list[NameRow] = []
    problems: list[RowProblem] = []
    for line in lines:
        try:
            rows.append(_row(line, today))
        except RowError as wrong:
            problems.append(wrong.at(line.number))
    return rows, problems


def _row(line: ListRow, today: date) -> NameRow:
    told = line.cells
    try:
        number = member_numbers.check(told["number"])
    except Refused:
        raise RowError(
            "this is no member number", "copy the ten digits from the card; the last checks the others"
        ) from None
    kind = KINDS.get(office_lists.normalize(told["kind"]))
    if kind is None:
        raise RowError("kind is neither head nor dependant", "write head or dependant")
    return NameRow(
        line.number,
        number,
        office_lists.year(told["birth_year"], today),
        office_lists.person_name(told["name"]),
        kind,
    )


def batches(rows: Sequence[NameRow]) -> Iterator[Sequence[NameRow]]:
    """The rows in the order of their households, so many that one transaction stays short."""
    ordered = sorted(rows, key=lambda row: (row.number, row.line))
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))


def name_members(session: Session, tenant_id: UUID, rows: Sequence[NameRow], by: str) -> NamesResult:
    """Name whom the rows name. A name that is there stays: a list corrects none, and the same list again
    changes nothing."""
    homes = _members(session, tenant_id, {row.number for row in rows})
    named = same = 0
    problems: list[RowProblem] = []
    for row in rows:
        try:
            changed = _name(session, homes, row, by)
        except RowError as wrong:
            problems.append(wrong.at(row.line))
        else:
            named, same = named + changed, same + (not changed)
    return NamesResult(named, same, tuple(problems))


def _members(session: Session, tenant_id: UUID, wanted: set[str]) -> dict[str, list[Member]]:
    """Who is covered in these households, by member number; locked, so that two lists do not name the same
    person."""
    homes: dict[str, list[Member]] = defaultdict(list)
    found = select(Household.id, Household.number).where(
        Household.tenant_id == tenant_id, Household.number.in_(wanted)
    )
    spoken = {row.id: row.number for row in session.execute(found)}
    mine = (Member.tenant_id == tenant_id, Member.household_id.in_(spoken), Member.until.is_(None))
    for member in session.scalars(
        select(Member).where(*mine).order_by(Member.household_id, Member.id).with_for_update()
    ):
        homes[spoken[member.household_id]].append(member)
    return homes


def _name(session: Session, homes: dict[str, list[Member]], row: NameRow, by: str) -> bool:
    """Whether somebody got this row's name who had none; False when that person is called so already."""
    if row.number not in homes:
        raise RowError(
            "no household of this mutuelle has this number", "check the number, and whose list this is"
        )
    fits = [one for one in homes[row.number] if (one.kind, one.birth_year) == (row.kind, row.birth_year)]
    if any(
        one.name is not None and office_lists.normalize(one.name) == office_lists.normalize(row.name)
        for one in fits
    ):
        return False
    if not fits:
        raise RowError(
            "nobody of this kind and birth year is in the household", "compare with `mutuelle members show`"
        )
    free = next((one for one in fits if one.name is None), None)
    if free is None:
        raise RowError(
            "everybody of this kind and birth year has another name", "correct a name on the household's page"
        )
    _put(session, free, row.name, by)
    return True


def set_name(session: Session, tenant_id: UUID, member_id: UUID, name: str, by: str) -> bool:
    """Somebody writes a member's name by hand, or corrects it; False when it was that already.

    Refused("member.name") when it is none. Missing: no such member in this mutuelle.
    """
    mine = (Member.tenant_id == tenant_id, Member.id == member_id, Member.until.is_(None))
    member = session.scalar(select(Member).where(*mine).with_for_update())
    if member is None:
        raise Missing("no such member here")
    try:
        spoken = office_lists.person_name(" ".join(name.split()))
    except RowError:
        raise Refused("member.name") from None
    if member.name == spoken and not member.provisional:
        return False
    _put(session, member, spoken, by)
    return True


def _put(session: Session, member: Member, name: str, by: str) -> None:
    what = "member-named" if member.name is None else "member-renamed"
    member.name, member.provisional = name, False
    session.flush()
    audit.record(
        session, member.tenant_id, by, what, f"household:{member.household_id}", member=str(member.id)
    )
