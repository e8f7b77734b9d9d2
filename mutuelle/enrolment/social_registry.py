"""Loads the lists of social registries, and proves or proposes households by their lines.

The line of a later list replaces the line with the same number; loading the same list again changes nothing.
Households that a newer list leaves out keep their proof and are shown to staff
(`pending_proofs.households_off_list`). Numbers are stored as phones are. `registry_matching` decides which
line belongs to which household.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, crypto, inserts, phone, pipeline
from mutuelle.db import Row
from mutuelle.enrolment import category_proofs, office_list_csv, registry_matching, registry_queries
from mutuelle.enrolment.office_list_csv import ListRow, RowError, RowProblem
from mutuelle.enrolment.registry_matching import Match, MatchCandidate, RegistryLine
from mutuelle.errors import Malformed, Refused
from mutuelle.households import locks, names, unique_evidence
from mutuelle.households.evidence import Evidence, EvidenceKind, number_of
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes

COLUMNS: dict[str, Sequence[str]] = {
    "registry_number": ("numero", "numéro de registre"),
    "phone": ("telephone", "téléphone"),
    "head_name": ("chef", "nom du chef"),
    "birth_year": ("annee de naissance",),
    "category": ("categorie",),
    "valid_until": ("valable jusqu'au",),
}
SOCIAL = "social"  # name of the registry when a list comes without one
BATCH = 200  # matches carried out in one transaction


class RegistryEntry(Row):
    """A line of a list; the last list with its number counts."""

    __tablename__ = "registry_entries"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number_index: Mapped[bytes]
    number_cipher: Mapped[bytes]
    phone_index: Mapped[bytes | None]
    phone_cipher: Mapped[bytes | None]
    head_name: Mapped[str]
    birth_year: Mapped[int | None]
    category: Mapped[str]
    valid_until: Mapped[date | None]
    list_id: Mapped[UUID | None]  # None if loaded before lists were stored


class RegistryList(Row):
    """A list as loaded, identified by the `digest` of its lines."""

    __tablename__ = "registry_lists"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]  # name of the registry
    digest: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True)
class LoadResult:
    """How many lines of a list are new, and how many differ from the line stored before."""

    new: int
    changed: int


def read(lines: Iterable[ListRow], tenant: Tenant) -> tuple[list[tuple[Any, ...]], list[RowProblem]]:
    """Returns the rows to load, sealed, and the problems of the lines that cannot be loaded."""
    today = tenant.today()
    codes = _category_codes(tenant, today)
    rows: list[tuple[Any, ...]] = []
    problems: list[RowProblem] = []
    line_of: dict[bytes, int] = {}
    for line in lines:
        try:
            row = _row(line.cells, tenant.country, codes, today)
            first = line_of.setdefault(row[1], line.number)
            if first != line.number:
                raise RowError(f"its number stands in line {first}, too", "leave one of both out")
        except RowError as error:
            problems.append(error.at(line.number))
        else:
            rows.append(row)
    return rows, problems


def _category_codes(tenant: Tenant, today: date) -> dict[str, str]:
    """The codes of the scheme's categories, by normalized code and label."""
    rules = schemes.get(tenant.scheme).on(today).categories
    return {
        office_list_csv.normalize(label): rule.code
        for rule in rules
        for label in (rule.code, *rule.label.values())
    }


def _row(cells: Mapping[str, str], country: str, codes: Mapping[str, str], today: date) -> tuple[Any, ...]:
    """The columns of `staged_entries` for one line."""
    try:
        number = number_of(cells["registry_number"])
    except Refused:
        raise RowError("registry_number is no number", "write its 3 to 40 letters and digits") from None
    try:
        phone_number = phone.normalize(cells["phone"], country) if cells["phone"] else None
    except Malformed:
        advice = "write it with its country code, or leave it empty"
        raise RowError("phone is not a phone number", advice) from None
    category = codes.get(office_list_csv.normalize(cells["category"]))
    if category is None:
        advice = f"write one of {', '.join(sorted(set(codes.values())))}"
        raise RowError("the scheme has no such category", advice)
    until = office_list_csv.day(cells["valid_until"], "valid_until") if cells["valid_until"] else None
    if until is not None and until < today:
        raise RowError("valid_until is over", "ask the registry for a newer list")
    born = office_list_csv.year(cells["birth_year"], today) if cells["birth_year"] else None
    sealed_phone: tuple[bytes | None, bytes | None] = (None, None)
    if phone_number:
        sealed_phone = (crypto.blind_index(phone_number), crypto.seal_phone(phone_number))
    sealed = (crypto.number_index(number), crypto.seal_number(number), *sealed_phone)
    return (clock.new_id(), *sealed, office_list_csv.person_name(cells["head_name"]), born, category, until)


def load(
    session: Session, tenant_id: UUID, rows: Sequence[tuple[Any, ...]], by: str, source: str = SOCIAL
) -> LoadResult:
    """Writes the rows of a list, by a temporary table: COPY refuses tables with row-level security."""
    if not rows:
        return LoadResult(new=0, changed=0)
    session.execute(text(registry_queries.CREATE_STAGE))
    connection = session.connection()
    pipeline.send(connection)
    raw: Any = connection.connection.driver_connection
    with raw.cursor().copy(registry_queries.COPY_TO_STAGE) as copying:
        for row in rows:
            copying.write_row(row)
    values = {"tenant": tenant_id, "list": _list_id(session, tenant_id, rows, source)}
    counts = session.execute(registry_queries.LOAD_FROM_STAGE, {**values, "now": clock.now()}).one()
    session.execute(registry_queries.MOVE_TO_LIST, values)
    session.execute(registry_queries.DROP_STAGE)
    if counts.new or counts.changed:
        facts = {"new": counts.new, "changed": counts.changed}
        audit.record(session, tenant_id, by, "registry-listed", "registry", **facts)
    return LoadResult(counts.new, counts.changed)


def _list_id(session: Session, tenant_id: UUID, rows: Sequence[tuple[Any, ...]], source: str) -> UUID:
    """The id of the registry's newest list if it has these lines, else of a new one."""
    # Ciphers are left out of the digest: the same number is sealed differently each time.
    lines = sorted(repr((row[1], row[3], *row[5:])) for row in rows)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    lists = select(RegistryList).where(RegistryList.tenant_id == tenant_id, RegistryList.source == source)
    newest = session.scalar(lists.order_by(RegistryList.at.desc(), RegistryList.id.desc()).limit(1))
    if newest is not None and newest.digest == digest:
        return newest.id
    list_id = clock.new_id()
    row = {"tenant_id": tenant_id, "id": list_id, "source": source, "digest": digest, "at": clock.now()}
    inserts.add(session, RegistryList, row)
    return list_id


def matches(session: Session, tenant: Tenant, household_id: UUID | None = None) -> list[Match]:
    """Matches the lists' lines with all households, or with one and those that share its number or phone."""
    today = tenant.today()
    values = {"tenant": tenant.id, "today": today, "home": household_id}
    entries: dict[UUID, RegistryLine] = {}
    candidates: dict[UUID, list[MatchCandidate]] = defaultdict(list)
    for row in session.execute(registry_queries.WITH_NUMBER_OR_PHONE, values):
        entries[row.entry_id] = _line(row)
        candidates[row.entry_id].append(_candidate(row, number=row.number, phone=row.phone, this=row.this))
    if household_id is None:
        _add_by_name(session, values, entries, candidates)
    pairs = registry_matching.settle(
        [
            pair
            for entry_id, entry in entries.items()
            for pair in registry_matching.match(entry, candidates[entry_id], today)
        ]
    )
    return [pair for pair in pairs if household_id in (None, pair.household_id)]


def _add_by_name(
    session: Session,
    values: dict[str, Any],
    entries: dict[UUID, RegistryLine],
    candidates: dict[UUID, list[MatchCandidate]],
) -> None:
    """Adds the lines without a household by number or phone whose name is that of a household's head."""
    heads: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(registry_queries.HEADS_WITH_NAME, values):
        heads[names.sorted_words(row.name)].append(row)
    if not heads:
        return
    for row in session.execute(registry_queries.LINES_WITH_YEAR, values):
        if row.entry_id in entries:
            continue
        if alike := heads.get(names.sorted_words(row.head_name), []):
            entries[row.entry_id] = _line(row)
            candidates[row.entry_id] = [_candidate(head, name=True) for head in alike]


def _line(row: Any) -> RegistryLine:
    return RegistryLine(row.entry_id, row.listed, row.birth_year, row.valid_until)


def _candidate(
    row: Any, *, number: bool = False, phone: bool = False, name: bool = False, this: bool = False
) -> MatchCandidate:
    return MatchCandidate(
        row.household_id, number, phone, name, row.head_born, row.category, row.standing, row.until, this
    )


def carry_out(session: Session, tenant_id: UUID, pairs: Iterable[Match], by: str) -> tuple[int, int]:
    """Proves the sure matches and proposes the others to staff. Returns how many of each were new.

    A household that the rules refuse gets an open case for staff.
    """
    proven = proposed = 0
    # One order for all who carry out lists, so that two at once cannot deadlock.
    ordered = sorted(pairs, key=lambda pair: (pair.household_id, pair.entry.id))
    sure = [pair for pair in ordered if pair.sure]
    locks.lock_all(session, tenant_id, {pair.household_id for pair in sure})
    of_sure = (RegistryEntry.tenant_id == tenant_id, RegistryEntry.id.in_({pair.entry.id for pair in sure}))
    numbers = session.scalars(select(RegistryEntry.number_index).where(*of_sure))
    unique_evidence.lock(session, tenant_id, numbers)
    for pair in ordered:
        if pair.sure:
            with category_proofs.or_open_case(session, tenant_id, pair.household_id):
                proven += prove(session, tenant_id, pair.entry.id, pair.household_id, by)
        else:
            proposed += _propose(session, tenant_id, pair)
    return proven, proposed


def _propose(session: Session, tenant_id: UUID, pair: Match) -> int:
    """Returns 1, or 0 if this match was proposed before."""
    row = {
        "tenant": tenant_id,
        "id": clock.new_id(),
        "entry": pair.entry.id,
        "home": pair.household_id,
        "category": pair.entry.category,
        "reasons": [reason.value for reason in pair.reasons],
        "now": clock.now(),
    }
    return len(session.execute(registry_queries.PROPOSE, row).all())


def prove(session: Session, tenant_id: UUID, entry_id: UUID, household_id: UUID, by: str) -> bool:
    """Checks the household's category by this line. Returns False if the line proved it already."""
    entry = session.get_one(RegistryEntry, (tenant_id, entry_id))
    proof = Evidence(EvidenceKind.LIST, crypto.open_number(entry.number_cipher))
    return category_proofs.check(
        session, tenant_id, household_id, entry.category, proof, by=by, until=entry.valid_until
    )
