"""The social registry: its lists, whose lines prove households or wait for a person.

A later list of the same number wins, the same one again changes nothing. Who is missing from a newer list is
shown (`pending_proofs.unlisted`) and keeps what was proven. Numbers are stored as phones are; what a line
means is decided in `likeness`.
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
from mutuelle.enrolment import categories, office_lists, registry_matching
from mutuelle.enrolment.office_lists import ListRow, RowError, RowProblem
from mutuelle.enrolment.registry_matching import Match, MatchCandidate, RegistryLine
from mutuelle.errors import Malformed, Refused
from mutuelle.households import evidence_numbers, locks
from mutuelle.households.evidence import Evidence, number_of
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
SOCIAL = "social"  # the registry a list is of when nobody says
BATCH = 200  # matches carried out in one transaction


class RegistryEntry(Row):
    """A line of the last list that held its number."""

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
    list_id: Mapped[UUID | None]  # None when it came before lists were kept


class RegistryList(Row):
    """A list as it came, told from others by the `digest` of its lines."""

    __tablename__ = "registry_lists"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]  # which registry
    digest: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True)
class LoadResult:
    """How many lines of a list were not known, and how many say something else than before."""

    new: int
    changed: int


def read(lines: Iterable[ListRow], tenant: Tenant) -> tuple[list[tuple[Any, ...]], list[RowProblem]]:
    """The rows to load, sealed, and the lines that are none."""
    today = clock.today(tenant.zone)
    known = _known(tenant, today)
    rows: list[tuple[Any, ...]] = []
    problems: list[RowProblem] = []
    seen: dict[bytes, int] = {}
    for line in lines:
        try:
            row = _row(line.cells, tenant.country, known, today)
            before = seen.setdefault(row[1], line.number)
            if before != line.number:
                raise RowError(f"its number stands in line {before}, too", "leave one of both out")
        except RowError as wrong:
            problems.append(wrong.at(line.number))
        else:
            rows.append(row)
    return rows, problems


def _known(tenant: Tenant, today: date) -> dict[str, str]:
    """The categories a list may name, by code and by label, however they are written."""
    rules = schemes.get(tenant.scheme).on(today).categories
    return {
        office_lists.normalize(spoken): rule.code
        for rule in rules
        for spoken in (rule.code, *rule.label.values())
    }


def _row(told: Mapping[str, str], country: str, known: Mapping[str, str], today: date) -> tuple[Any, ...]:
    try:
        number = number_of(told["registry_number"])
    except Refused:
        raise RowError("registry_number is no number", "write its 3 to 40 letters and digits") from None
    try:
        called = phone.normalize(told["phone"], country) if told["phone"] else None
    except Malformed:
        raise RowError(
            "phone is not a phone number", "write it with its country code, or leave it empty"
        ) from None
    category = known.get(office_lists.normalize(told["category"]))
    if category is None:
        raise RowError(
            "the scheme has no such category", f"write one of {', '.join(sorted(set(known.values())))}"
        )
    until = office_lists.day(told["valid_until"], "valid_until") if told["valid_until"] else None
    if until is not None and until < today:
        raise RowError("valid_until is over", "ask the registry for a newer list")
    born = office_lists.year(told["birth_year"], today) if told["birth_year"] else None
    reached = (crypto.blind_index(called), crypto.seal_phone(called)) if called else (None, None)
    sealed = (crypto.number_index(number), crypto.seal_number(number), *reached)
    return (clock.new_id(), *sealed, office_lists.person_name(told["head_name"]), born, category, until)


_STAGE = """
CREATE TEMP TABLE staged_entries (id uuid, number_index bytea, number_cipher bytea, phone_index bytea,
phone_cipher bytea,
    head_name text, birth_year smallint, category text, valid_until date) ON COMMIT DROP
"""
_COPY = "COPY staged_entries FROM STDIN"
_TAKE = text("""
WITH taken AS (
    INSERT INTO registry_entries AS e (id, number_index, number_cipher, phone_index, phone_cipher, head_name,
    birth_year,
        category, valid_until, tenant_id, listed_at, list_id)
    SELECT staged.*, :tenant, :now, :list FROM staged_entries staged ORDER BY number_index
    ON CONFLICT (tenant_id, number_index) DO UPDATE SET
        phone_index = excluded.phone_index, phone_cipher = excluded.phone_cipher, head_name =
        excluded.head_name, birth_year = excluded.birth_year, category = excluded.category, valid_until =
        excluded.valid_until, listed_at = excluded.listed_at, list_id = excluded.list_id
    WHERE (e.phone_index, e.head_name, e.birth_year, e.category, e.valid_until) IS DISTINCT FROM
        (excluded.phone_index, excluded.head_name, excluded.birth_year, excluded.category,
        excluded.valid_until)
    RETURNING xmax = 0 AS fresh
)
SELECT count(*) FILTER (WHERE fresh) AS new, count(*) FILTER (WHERE NOT fresh) AS changed FROM taken
""")
_STILL = text("""
UPDATE registry_entries e SET list_id = :list FROM staged_entries s
WHERE e.tenant_id = :tenant AND e.number_index = s.number_index AND e.list_id IS DISTINCT FROM :list
""")


def load(
    session: Session, tenant_id: UUID, rows: Sequence[tuple[Any, ...]], by: str, source: str = SOCIAL
) -> LoadResult:
    """Write the rows of a list: COPY cannot go into a table with row-level security, so it goes beside it
    first."""
    if not rows:
        return LoadResult(new=0, changed=0)
    session.execute(text(_STAGE))
    connection = session.connection()
    pipeline.send(connection)
    raw: Any = connection.connection.driver_connection
    with raw.cursor().copy(_COPY) as copying:
        for row in rows:
            copying.write_row(row)
    known = {"tenant": tenant_id, "list": _list(session, tenant_id, rows, source)}
    told = session.execute(_TAKE, {**known, "now": clock.now()}).one()
    session.execute(_STILL, known)
    session.execute(text("DROP TABLE staged_entries"))
    if told.new or told.changed:
        audit.record(
            session, tenant_id, by, "registry-listed", "registry", new=told.new, changed=told.changed
        )
    return LoadResult(told.new, told.changed)


def _list(session: Session, tenant_id: UUID, rows: Sequence[tuple[Any, ...]], source: str) -> UUID:
    """The list these rows are: the registry's newest when it says the same, else a new one."""
    said = sorted(repr((row[1], row[3], *row[5:])) for row in rows)  # what was sealed anew differs each time
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()
    mine = select(RegistryList).where(RegistryList.tenant_id == tenant_id, RegistryList.source == source)
    newest = session.scalar(mine.order_by(RegistryList.at.desc(), RegistryList.id.desc()).limit(1))
    if newest is not None and newest.digest == digest:
        return newest.id
    list_id, now = clock.new_id(), clock.now()
    inserts.add(
        session,
        RegistryList,
        {"tenant_id": tenant_id, "id": list_id, "source": source, "digest": digest, "at": now},
    )
    return list_id


# What a household is today, and who its head is; a row that ended before it began held on no day.
# Where one household is asked about: the lines with its number or phone, and every household that has these,
# too.
_HOMES = """
WITH wanted AS MATERIALIZED (
    SELECT id, number_index, phone_index FROM registry_entries e WHERE tenant_id = :tenant AND (CAST(:home AS
    uuid) IS NULL
        OR number_index IN (SELECT reference_index FROM categories WHERE tenant_id = :tenant AND household_id
        = :home) OR phone_index IN (SELECT blind_index FROM phones WHERE tenant_id = :tenant AND household_id
        = :home AND until IS NULL))
), near AS MATERIALIZED (
    SELECT c.household_id FROM categories c JOIN wanted w ON w.number_index = c.reference_index WHERE
    c.tenant_id = :tenant UNION SELECT p.household_id FROM phones p JOIN wanted w ON w.phone_index =
    p.blind_index WHERE p.tenant_id = :tenant AND p.until IS NULL
), now AS (
    SELECT DISTINCT ON (household_id) household_id, category, standing, since, until, evidence,
    reference_index FROM categories WHERE tenant_id = :tenant AND (until IS NULL OR until >= since) AND
    (CAST(:home AS uuid) IS NULL OR household_id IN (SELECT household_id FROM near)) ORDER BY household_id,
    since DESC
), head AS (
    SELECT DISTINCT ON (household_id) household_id, birth_year, name FROM members
    WHERE tenant_id = :tenant AND kind = 'head' AND until IS NULL
    AND (CAST(:home AS uuid) IS NULL OR household_id IN (SELECT household_id FROM near)) ORDER BY
    household_id, since, id
)
"""
_SAME = text(
    _HOMES  # noqa: S608  # our own words, every value is a parameter
    + """
SELECT e.id AS entry_id, e.category AS listed, e.birth_year, e.valid_until, s.household_id, s.number, s.phone,
    head.birth_year AS head_born, now.category, now.until,
    CASE WHEN now.standing = 'checked' AND now.until < :today THEN 'claimed' ELSE now.standing END AS
    standing, coalesce(now.reference_index = e.number_index AND now.standing = 'checked' AND now.category =
    e.category
        AND (e.valid_until IS NULL OR now.until = e.valid_until) AND (now.until IS NULL OR now.until >=
        :today), false) AS this
FROM (
    SELECT entry_id, household_id, bool_or(number) AS number, bool_or(phone) AS phone FROM (
        SELECT e.id AS entry_id, n.household_id, true AS number, false AS phone
        FROM wanted e JOIN now n ON n.reference_index = e.number_index AND n.evidence IN ('registry-number',
        'list') UNION ALL SELECT e.id, p.household_id, false, true FROM wanted e JOIN phones p ON p.tenant_id
        = :tenant AND p.blind_index = e.phone_index AND p.until IS NULL
    ) common GROUP BY 1, 2
) s JOIN registry_entries e ON e.tenant_id = :tenant AND e.id = s.entry_id
LEFT JOIN now USING (household_id) LEFT JOIN head USING (household_id) ORDER BY e.id, s.household_id
"""
)
_HEADS = text(
    _HOMES
    + """
SELECT household_id, head.birth_year AS head_born, head.name, now.category, now.until,
    CASE WHEN now.standing = 'checked' AND now.until < :today THEN 'claimed' ELSE now.standing END AS standing
FROM head LEFT JOIN now USING (household_id) WHERE head.name IS NOT NULL ORDER BY household_id
"""
)
_LISTED = text(
    "SELECT id AS entry_id, category AS listed, birth_year, valid_until, head_name FROM registry_entries"
    " WHERE tenant_id = :tenant AND birth_year IS NOT NULL ORDER BY id"
)


def matches(session: Session, tenant: Tenant, home_id: UUID | None = None) -> list[Match]:
    """What the lists mean now: for all households, or for one, whose number or phone others may share."""
    today = clock.today(tenant.zone)
    asked = {"tenant": tenant.id, "today": today, "home": home_id}
    entries: dict[UUID, RegistryLine] = {}
    homes: dict[UUID, list[MatchCandidate]] = defaultdict(list)
    for row in session.execute(_SAME, asked):
        entries[row.entry_id] = _entry(row)
        homes[row.entry_id].append(_home(row, number=row.number, phone=row.phone, this=row.this))
    if home_id is None:
        _add_alike(session, asked, entries, homes)
    found = registry_matching.settle(
        [one for id, entry in entries.items() for one in registry_matching.match(entry, homes[id], today)]
    )
    return [one for one in found if home_id in (None, one.home_id)]


def _add_alike(
    session: Session,
    asked: dict[str, Any],
    entries: dict[UUID, RegistryLine],
    homes: dict[UUID, list[MatchCandidate]],
) -> None:
    """Households whose head has the name of a line that has no household by number or phone."""
    heads: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(_HEADS, asked):
        heads[registry_matching.name_key(row.name)].append(row)
    if not heads:
        return
    for row in session.execute(_LISTED, asked):
        alike = [] if row.entry_id in entries else heads.get(registry_matching.name_key(row.head_name), [])
        if alike:
            entries[row.entry_id] = _entry(row)
            homes[row.entry_id] = [_home(head, name=True) for head in alike]


def _entry(row: Any) -> RegistryLine:
    return RegistryLine(row.entry_id, row.listed, row.birth_year, row.valid_until)


def _home(
    row: Any, *, number: bool = False, phone: bool = False, name: bool = False, this: bool = False
) -> MatchCandidate:
    return MatchCandidate(
        row.household_id, number, phone, name, row.head_born, row.category, row.standing, row.until, this
    )


_PROPOSE = text("""
INSERT INTO registry_proposals (tenant_id, id, entry_id, household_id, category, reasons, state, made_at)
VALUES (:tenant, :id, :entry, :home, :category, :reasons, 'open', :now) ON CONFLICT DO NOTHING RETURNING id
""")


def carry_out(session: Session, tenant_id: UUID, found: Iterable[Match], by: str) -> tuple[int, int]:
    """Prove the sure ones, ask a person about the others, once; how many of each were news. What is refused
    is flagged."""
    proven = asked = 0
    found = sorted(
        found, key=lambda one: (one.home_id, one.entry.id)
    )  # in one order, whoever else carries lists out
    locks.lock_all(session, tenant_id, {one.home_id for one in found if one.sure})
    mine = (
        RegistryEntry.tenant_id == tenant_id,
        RegistryEntry.id.in_({one.entry.id for one in found if one.sure}),
    )
    evidence_numbers.lock(
        session, tenant_id, session.scalars(select(RegistryEntry.number_index).where(*mine))
    )
    for one in found:
        if one.sure:
            with categories.or_open_case(session, tenant_id, one.home_id):
                proven += prove(session, tenant_id, one.entry.id, one.home_id, by)
            continue
        row = {
            "tenant": tenant_id,
            "id": clock.new_id(),
            "entry": one.entry.id,
            "home": one.home_id,
            "now": clock.now(),
        }
        told = session.execute(
            _PROPOSE, {**row, "category": one.entry.category, "reasons": list(one.reasons)}
        )
        asked += len(told.all())
    return proven, asked


def prove(session: Session, tenant_id: UUID, entry_id: UUID, home_id: UUID, by: str) -> bool:
    """This line of the list is the household's: its category is checked. False when that was known."""
    entry = session.get_one(RegistryEntry, (tenant_id, entry_id))
    proof = Evidence("list", crypto.open_number(entry.number_cipher))
    return categories.check(
        session, tenant_id, home_id, entry.category, proof, by=by, until=entry.valid_until
    )
