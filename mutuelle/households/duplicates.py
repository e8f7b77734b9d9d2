"""Finds pairs of members that are likely one person, stores each pair once, and opens its case for staff.

The names of a household are compared by a keyed hash of their words, so that one mutuelle never reads the
names of another one. A pair is of both mutuelles; the earlier membership stands first.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, crypto
from mutuelle.audit import FlagKind, Subject
from mutuelle.db import Row
from mutuelle.households import names
from mutuelle.households.duplicate_candidates import NAMESAKES, DuplicateCandidate
from mutuelle.households.households import Member

CASE_REASON = "a member of this household is likely a member of another household, too"


class DuplicatePair(Row):
    """Two memberships that are likely one person's, the earlier one first. `number`s are member numbers."""

    __tablename__ = "duplicate_pairs"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    member_id: Mapped[UUID]
    number: Mapped[str]
    later_tenant_id: Mapped[UUID]
    later_household_id: Mapped[UUID]
    later_member_id: Mapped[UUID]
    later_number: Mapped[str]
    score: Mapped[int]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    found_at: Mapped[datetime]


# Drafts of claims hold this lock alone; those who find or decide share it. A claim can then be made again
# from the pairs and decisions that existed at its moment.
_FREEZE = text("SELECT pg_advisory_xact_lock(hashtextextended('duplicates:' || :tenant, 0))")
_SHARE = text("SELECT pg_try_advisory_xact_lock_shared(hashtextextended('duplicates:' || :tenant, 0))")
_KEY = text("""
UPDATE members m SET name_key = k.key
FROM unnest(CAST(:ids AS uuid[]), CAST(:keys AS bytea[])) AS k (id, key)
WHERE m.tenant_id = :tenant AND m.id = k.id
""")
_LIKELY = text("SELECT * FROM likely_duplicates(CAST(:homes AS uuid[]), :namesakes)")
# Households of ours in a pair of which no case told us yet, because the other mutuelle found it.
_UNTOLD = text("""
SELECT DISTINCT home FROM (
    SELECT household_id AS home, found_at FROM duplicate_pairs
    WHERE tenant_id = :tenant AND later_tenant_id <> :tenant
    UNION ALL SELECT later_household_id, found_at FROM duplicate_pairs
    WHERE later_tenant_id = :tenant AND tenant_id <> :tenant
) p
WHERE NOT EXISTS (SELECT FROM flags f WHERE f.tenant_id = :tenant AND f.kind = :kind
    AND f.subject = 'household:' || p.home AND (f.closed_at IS NULL OR f.closed_at > p.found_at))
ORDER BY home
""")


def freeze(session: Session, tenant_id: UUID) -> None:
    """Keeps others from finding or deciding about pairs of a mutuelle until the transaction ends."""
    session.execute(_FREEZE, {"tenant": str(tenant_id)})


def share(session: Session, tenant_ids: Collection[UUID]) -> bool:
    """Keeps claims of these mutuelles from being drafted until the transaction ends.

    Returns False when one is being drafted now.
    """
    return all(session.scalar(_SHARE, {"tenant": str(tenant_id)}) for tenant_id in sorted(tenant_ids))


def find(session: Session, tenant_id: UUID, household_ids: Collection[UUID]) -> int:
    """Stores the new likely duplicates of these households, and opens their cases. Returns how many are new.

    Leaves out pairs of a mutuelle whose claim is being drafted: the draft or the daily job finds them.
    """
    if not household_ids or not share(session, [tenant_id]):
        return 0
    compute_keys(session, tenant_id, household_ids)
    rows = session.execute(_LIKELY, {"homes": list(household_ids), "namesakes": NAMESAKES})
    likely = [row for row in (DuplicateCandidate(**row._mapping) for row in rows) if row.is_likely]
    free = {
        other_id
        for other_id in {row.other_tenant_id for row in likely}
        if other_id == tenant_id or share(session, [other_id])
    }
    now = clock.now()
    pairs = [_pair(tenant_id, row, now) for row in likely if row.other_tenant_id in free]
    stored = _store(session, pairs)
    for household_id in sorted({_to_look_at(tenant_id, pair) for pair in stored}):
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        audit.open_case(session, tenant_id, FlagKind.DUPLICATE, subject, CASE_REASON)
    return len(stored)


def open_untold_cases(session: Session, tenant_id: UUID) -> int:
    """Opens the cases of pairs that another mutuelle has found with ours. Returns how many."""
    values = {"tenant": tenant_id, "kind": FlagKind.DUPLICATE}
    untold = session.scalars(_UNTOLD, values).all()
    for household_id in untold:
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        audit.open_case(session, tenant_id, FlagKind.DUPLICATE, subject, CASE_REASON)
    return len(untold)


def compute_keys(session: Session, tenant_id: UUID, household_ids: Collection[UUID]) -> None:
    """Computes the missing keys of the members' names; a name of one word gets an empty key.

    How common a name is can be told once all households of a mutuelle have their keys.
    """
    query = select(Member.id, Member.name).where(
        Member.tenant_id == tenant_id,
        Member.household_id.in_(household_ids),
        Member.name.is_not(None),
        Member.name_key.is_(None),
    )
    rows = session.execute(query.order_by(Member.id)).all()
    if rows:
        values = {"tenant": tenant_id, "ids": [row.id for row in rows]}
        session.execute(_KEY, {**values, "keys": [_key(row.name) for row in rows]})


def _key(name: str) -> bytes:
    words = names.sorted_words(name)
    return crypto.name_index(words) if " " in words else b""


def _pair(tenant_id: UUID, candidate: DuplicateCandidate, now: datetime) -> dict[str, Any]:
    ours = (tenant_id, candidate.household_id, candidate.member_id, candidate.number)
    other = (
        candidate.other_tenant_id,
        candidate.other_household_id,
        candidate.other_member_id,
        candidate.other_number,
    )
    columns = ("tenant_id", "household_id", "member_id", "number")
    earlier, later = (ours, other) if candidate.is_earlier else (other, ours)
    return {
        **dict(zip(columns, earlier, strict=True)),
        **dict(zip((f"later_{column}" for column in columns), later, strict=True)),
        "id": clock.new_id(),
        "score": candidate.score,
        "reasons": [reason.value for reason in candidate.reasons],
        "found_at": now,
    }


def _store(session: Session, pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stores the pairs that are not stored yet, and returns them."""
    unique = {(pair["member_id"], pair["later_member_id"]): pair for pair in pairs}
    if not unique:
        return []
    # In one order, so that two who find the same pairs do not wait for each other.
    ordered = [unique[key] for key in sorted(unique)]
    query = insert(DuplicatePair).values(ordered).on_conflict_do_nothing().returning(DuplicatePair.id)
    new = set(session.scalars(query))
    return [pair for pair in ordered if pair["id"] in new]


def _to_look_at(tenant_id: UUID, pair: dict[str, Any]) -> UUID:
    """The household of ours that a case is about: the later one if both are ours."""
    household_id: UUID = pair[
        "later_household_id" if pair["later_tenant_id"] == tenant_id else "household_id"
    ]
    return household_id
