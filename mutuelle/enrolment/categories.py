"""Categories: what a household says it is, what proves it, who checked that, and for how long the proof
holds.

Nothing is edited: a claim, a check and a refusal are rows of their own, and each ends the one before it on
the eve. A proof that is over counts no more from the day after; the household then claims as before. Bills
and rights follow each step at once, by an adjustment as of today. Whoever acts says which row they had before
them, so that two at once, a double click and an old page change nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, inserts
from mutuelle.billing import adjustments
from mutuelle.errors import Refused
from mutuelle.households import evidence_numbers, households, locks
from mutuelle.households.evidence import Evidence, holds_until, sealed
from mutuelle.households.households import CategoryClaim
from mutuelle.messaging import messages, sending_hours
from mutuelle.organisation import sponsors, tenants
from mutuelle.schemes import schemes

WHYS = ("not-found", "over", "other-household", "unreadable")
DAY = timedelta(1)


@dataclass(frozen=True)
class CategoryInForce:
    """What a household is on a day. `checked` is whether evidence in force on that day proves it; `evidence`
    is its kind."""

    id: UUID
    category: str
    standing: str
    checked: bool
    since: date
    until: date | None
    evidence: str | None


def in_force(session: Session, tenant_id: UUID, household_id: UUID, on: date) -> CategoryInForce | None:
    """What the household is on the local date `on`; None when it had said nothing by then."""
    mine = (
        CategoryClaim.tenant_id == tenant_id,
        CategoryClaim.household_id == household_id,
        CategoryClaim.since <= on,
    )
    rows = session.scalars(select(CategoryClaim).where(*mine).order_by(CategoryClaim.since.desc()))
    row = next((row for row in rows if row.until is None or row.until >= row.since), None)
    if row is None:
        return None
    standing = row.standing_on(on)
    checked = standing == "checked"
    return CategoryInForce(row.id, row.category, standing, checked, row.since, row.until, row.evidence)


def claim(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    category: str,
    *,
    by: str,
    evidence: Evidence | None = None,
) -> bool:
    """The household says that it is this, with what may prove it; False when it says nothing new.

    Refused: "category.proven" while a proof is in force, which a claim would end, "category.unknown",
    "category.elsewhere", "evidence.kind", "evidence.number".
    """
    now = _begin(session, tenant_id, household_id, None)
    _rule(session, tenant_id, category)
    told = sealed(evidence) if evidence else {}
    if (
        now is not None
        and now.standing == "checked"
        and (now.until is None or now.until >= _today(session, tenant_id))
    ):
        raise Refused("category.proven")
    if now is not None and (now.category, now.standing) == (category, "claimed") and _same(now, told):
        return False
    _write(session, now, tenant_id, household_id, category, "claimed", by, _today(session, tenant_id), told)
    return True


def check(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    category: str,
    evidence: Evidence,
    *,
    by: str,
    since: date | None = None,
    until: date | None = None,
    seen: UUID | None = None,
) -> bool:
    """The evidence was looked at and proves the category `since` that day; False when that was known already.

    Without `until` the proof holds as long as the scheme says. `seen` is the row the person had before them.
    Refused: "category.changed", "category.unknown", "category.elsewhere", "evidence.kind", "evidence.number",
    "evidence.since" when it begins tomorrow or before what is known, "evidence.over" when it is over already,
    "evidence.taken" when it is a number of a registry that proves another household.
    """
    now = _begin(session, tenant_id, household_id, seen)
    rule, today = _rule(session, tenant_id, category), _today(session, tenant_id)
    told, begins = sealed(evidence), since or today
    if now is not None and begins < now.since:
        raise Refused("evidence.since")
    until = holds_until(rule, begins, until, today)
    if (
        now is not None
        and (now.category, now.standing) == (category, "checked")
        and _same(now, told)
        and _lasts(now, until)
    ):
        return False
    sponsors.lock_of_households(session, tenant_id, [household_id])  # before numbers, as a whole list does
    twice = evidence_numbers.taken(session, tenant_id, evidence, begins, household_id)
    _write(session, now, tenant_id, household_id, category, "checked", by, begins, {**told, "until": until})
    if twice:
        evidence_numbers.show(session, tenant_id, household_id)
    _tell(session, tenant_id, household_id, "proof-accepted")
    return True


def refuse(
    session: Session, tenant_id: UUID, household_id: UUID, *, why: str, by: str, seen: UUID | None = None
) -> bool:
    """What the household says it is was not proven, or no longer is; `why` is one of `WHYS`. False when that
    was said already.

    Refused: "category.changed", "category.none" when it says nothing, "category.why".
    """
    now = _begin(session, tenant_id, household_id, seen)
    if now is None:
        raise Refused("category.none")
    if why not in WHYS:
        raise Refused("category.why")
    if now.standing == "refused":
        return False
    _write(
        session,
        now,
        tenant_id,
        household_id,
        now.category,
        "refused",
        by,
        _today(session, tenant_id),
        {"why": why},
    )
    _tell(session, tenant_id, household_id, "proof-refused")
    return True


def expire(session: Session, tenant_id: UUID, row: CategoryClaim) -> bool:
    """A proof that is over: the household claims as before it was checked, from the day after. False when
    nothing is over."""
    now = _begin(session, tenant_id, row.household_id, None)
    if now is None or now.id != row.id or row.until is None or row.until >= _today(session, tenant_id):
        return False
    told = {name: getattr(row, name) for name in ("evidence", "reference_index", "reference_cipher")}
    _write(
        session, now, tenant_id, row.household_id, row.category, "claimed", "expiry", row.until + DAY, told
    )
    return True


@contextmanager
def or_open_case(session: Session, tenant_id: UUID, household_id: UUID) -> Iterator[None]:
    """One household of many: what the rules refuse is undone for it alone and shown to a person, the others
    go on."""
    try:
        with session.begin_nested():
            yield
    except Refused as refused:
        audit.open_case(
            session, tenant_id, "proof", f"household:{household_id}", f"could not be noted: {refused.key}"
        )


def _begin(session: Session, tenant_id: UUID, household_id: UUID, seen: UUID | None) -> CategoryClaim | None:
    """Lock the household; its last row, as the person saw it."""
    locks.lock(session, (tenant_id, household_id))
    now = households.claim_of(session, tenant_id, household_id)
    if seen is not None and (now is None or now.id != seen):
        raise Refused("category.changed")
    return now


def _tell(session: Session, tenant_id: UUID, household_id: UUID, kind: str) -> None:
    """Tell the household by SMS, by daylight and at the pace of reminders, because a list proves many at
    once.

    The words name no category: phones are shared.
    """
    phone = households.phone_of(session, tenant_id, household_id)
    row = households.claim_of(session, tenant_id, household_id)
    if phone is None or row is None:
        return
    at = sending_hours.daylight(clock.now(), tenants.get(session, tenant_id).zone)
    language = households.get(session, tenant_id, household_id).language
    messages.queue_once(
        session,
        tenant_id,
        key=f"{kind}:{row.id}",
        at=at,
        phone=phone,
        household_id=household_id,
        language=language,
        kind=kind,
        facts={},
    )


def _today(session: Session, tenant_id: UUID) -> date:
    return clock.today(tenants.get(session, tenant_id).zone)


def _rule(session: Session, tenant_id: UUID, category: str) -> Any:
    """The scheme's rule of a category on this day."""
    tenant = tenants.get(session, tenant_id)
    return schemes.get(tenant.scheme).on(clock.today(tenant.zone)).category(category)


def _same(row: CategoryClaim, told: dict[str, Any]) -> bool:
    """Whether the row holds this evidence already; a claim without any says nothing new."""
    return not told or (row.evidence, row.reference_index) == (told["evidence"], told.get("reference_index"))


def _lasts(row: CategoryClaim, until: date | None) -> bool:
    """Whether it holds until `until` already; a day more a day later is no news."""
    if row.until is None or until is None:
        return row.until == until
    return row.until <= until <= row.until + DAY


def _write(
    session: Session,
    now: CategoryClaim | None,
    tenant_id: UUID,
    household_id: UUID,
    category: str,
    standing: str,
    by: str,
    since: date,
    told: dict[str, Any],
) -> None:
    """End what held until now, write what holds from `since`, and bill the household anew."""
    if now is not None and (now.until is None or now.until >= since):
        now.until = since - DAY
        session.flush()
    row = {"tenant_id": tenant_id, "id": clock.new_id(), "household_id": household_id, "category": category}
    row |= {"standing": standing, "since": since, "actor": by, "at": clock.now(), **told}
    inserts.add(session, CategoryClaim, row)
    facts = {name: str(told[name]) for name in ("evidence", "until", "why") if told.get(name)}
    audit.record(
        session,
        tenant_id,
        by,
        f"category-{standing}",
        f"household:{household_id}",
        category=category,
        **facts,
    )
    adjustments.apply(session, tenant_id, household_id, _today(session, tenant_id), "category")
