"""What managers decide about likely duplicates: one person or two. The newest decision counts.

A manager of either mutuelle of a pair may decide. Of one person, the chosen membership is claimed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, func, or_, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock
from mutuelle.audit import FlagKind, Subject
from mutuelle.db import Row
from mutuelle.errors import Missing, Refused
from mutuelle.households import duplicates
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.households.households import Member
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.tenants import Tenant


class DuplicateVerdict(StrEnum):
    """Whether two members are the same person, and which membership is then claimed; stored values."""

    SAME_EARLIER = "same-earlier"
    SAME_LATER = "same-later"
    DIFFERENT = "different"


class DuplicateEvidence(StrEnum):
    """How the manager knows; the values are stored. A code, because free text could name people."""

    PAPERS = "papers"
    TOLD = "told"
    AGENT_VISIT = "agent-visit"
    REGISTRY = "registry"


class DuplicateDecision(Row):
    """What a manager of the mutuelle `by_tenant_id` decided about a pair."""

    __tablename__ = "duplicate_decisions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    pair_id: Mapped[UUID]
    later_tenant_id: Mapped[UUID]
    verdict: Mapped[str]
    why: Mapped[str]
    by_tenant_id: Mapped[UUID]
    decided_by: Mapped[UUID]
    decided_at: Mapped[datetime]


@dataclass(frozen=True)
class ShownSide:
    """A household of a pair as a page shows it. `members` is None where it belongs to another mutuelle."""

    tenant_id: UUID
    household_id: UUID
    mutuelle: str
    number: str
    members: tuple[Member, ...] | None


@dataclass(frozen=True)
class ShownMatch:
    """One pair of members: the ids of our members in it, its reasons, and the decision that counts."""

    id: UUID
    ours: frozenset[UUID]
    reasons: tuple[str, ...]
    decision: DuplicateDecision | None


@dataclass(frozen=True)
class ShownDuplicate:
    """Two households side by side, the earlier membership first, with their pairs of members."""

    earlier: ShownSide
    later: ShownSide
    found_on: date
    matches: tuple[ShownMatch, ...]

    @property
    def doubled(self) -> frozenset[UUID]:
        """Our members that are in a pair."""
        return frozenset(member_id for match in self.matches for member_id in match.ours)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of all pairs, each once, those of the likeliest pair first."""
        return tuple(dict.fromkeys(reason for match in self.matches for reason in match.reasons))

    @property
    def decision(self) -> DuplicateDecision | None:
        """The newest decision about any of the pairs."""
        made = [match.decision for match in self.matches if match.decision]
        return max(made, key=lambda decision: decision.decided_at, default=None)


def _is_decided() -> Any:
    return exists().where(
        DuplicateDecision.tenant_id == DuplicatePair.tenant_id, DuplicateDecision.pair_id == DuplicatePair.id
    )


def _households(tenant_id: UUID, *, decided: bool) -> Select[UUID, UUID, UUID, UUID, datetime]:
    """Selects the pairs of households of a mutuelle that are wholly decided, or not."""
    key = (
        DuplicatePair.tenant_id,
        DuplicatePair.household_id,
        DuplicatePair.later_tenant_id,
        DuplicatePair.later_household_id,
    )
    is_decided = func.bool_and(_is_decided())
    query = select(*key, func.min(DuplicatePair.found_at).label("found_at"))
    query = query.where(or_(DuplicatePair.tenant_id == tenant_id, DuplicatePair.later_tenant_id == tenant_id))
    return query.group_by(*key).having(is_decided if decided else ~is_decided)


def listed(
    session: Session, tenant: Tenant, *, decided: bool, skip: int = 0, limit: int = 10
) -> list[ShownDuplicate]:
    """Returns pairs of households: those that wait, oldest first, or those decided, newest first."""
    households = _households(tenant.id, decided=decided)
    oldest = func.min(DuplicatePair.found_at)
    order = (oldest.desc() if decided else oldest.asc(), DuplicatePair.later_household_id)
    keys = session.execute(households.order_by(*order).offset(skip).limit(limit)).all()
    names = {row.id: row.name for row in session.execute(select(Tenant.id, Tenant.name))}
    return [_shown(session, tenant, key, names) for key in keys]


def _shown(session: Session, tenant: Tenant, key: Any, names: dict[UUID, str]) -> ShownDuplicate:
    query = select(DuplicatePair).where(
        DuplicatePair.tenant_id == key.tenant_id,
        DuplicatePair.household_id == key.household_id,
        DuplicatePair.later_tenant_id == key.later_tenant_id,
        DuplicatePair.later_household_id == key.later_household_id,
    )
    pairs = session.scalars(query.order_by(DuplicatePair.score.desc(), DuplicatePair.id)).all()
    decisions = newest(session, pairs)

    def side(tenant_id: UUID, household_id: UUID, number: str) -> ShownSide:
        members = None
        if tenant_id == tenant.id:
            of = (Member.tenant_id == tenant_id, Member.household_id == household_id)
            order = (Member.kind.desc(), Member.birth_year, Member.id)
            members = tuple(session.scalars(select(Member).where(*of).order_by(*order)))
        return ShownSide(tenant_id, household_id, names.get(tenant_id, ""), number, members)

    first = pairs[0]
    return ShownDuplicate(
        side(first.tenant_id, first.household_id, first.number),
        side(first.later_tenant_id, first.later_household_id, first.later_number),
        tenant.day_of(key.found_at),
        tuple(
            ShownMatch(
                pair.id,
                frozenset(
                    member_id
                    for owner_id, member_id in (
                        (pair.tenant_id, pair.member_id),
                        (pair.later_tenant_id, pair.later_member_id),
                    )
                    if owner_id == tenant.id
                ),
                tuple(pair.reasons),
                decisions.get(pair.id),
            )
            for pair in pairs
        ),
    )


def newest(
    session: Session, pairs: Collection[DuplicatePair], at: datetime | None = None
) -> dict[UUID, DuplicateDecision]:
    """Returns the decision that counts of each pair, as it was at the moment `at` or as it is now."""
    keys = [(pair.tenant_id, pair.id) for pair in pairs]
    query = select(DuplicateDecision).where(
        tuple_(DuplicateDecision.tenant_id, DuplicateDecision.pair_id).in_(keys)
    )
    if at is not None:
        query = query.where(DuplicateDecision.decided_at <= at)
    order = (DuplicateDecision.decided_at, DuplicateDecision.id)
    return {row.pair_id: row for row in session.scalars(query.order_by(*order))}


def decide(
    session: Session, manager: Manager, pair_ids: Collection[UUID], *, verdict: str, why: str
) -> list[DuplicateDecision]:
    """Decides about pairs that a page showed together; a later decision replaces this one.

    Refused: "duplicate.verdict" and "duplicate.why" for codes that are none, "duplicate.drafting" while a
    claim of one of both mutuelles is being drafted. Missing: a pair is not of this mutuelle.
    """
    if verdict not in tuple(DuplicateVerdict):
        raise Refused("duplicate.verdict")
    if why not in tuple(DuplicateEvidence):
        raise Refused("duplicate.why")
    ours = or_(
        DuplicatePair.tenant_id == manager.tenant_id, DuplicatePair.later_tenant_id == manager.tenant_id
    )
    query = select(DuplicatePair).where(ours, DuplicatePair.id.in_(pair_ids)).order_by(DuplicatePair.id)
    pairs = session.scalars(query).all()
    if not pairs or len(pairs) < len(set(pair_ids)):
        raise Missing("no such pair here")
    tenant_ids = {each for pair in pairs for each in (pair.tenant_id, pair.later_tenant_id)}
    if not duplicates.share(session, tenant_ids):
        raise Refused("duplicate.drafting")
    now = clock.now()
    decisions = [_decision(manager, pair, verdict, why, now) for pair in pairs]
    session.add_all(decisions)
    session.flush()
    for pair in pairs:
        _record(session, manager, pair, verdict, why)
    _close_cases(session, manager.tenant_id, pairs)
    return decisions


def _decision(
    manager: Manager, pair: DuplicatePair, verdict: str, why: str, now: datetime
) -> DuplicateDecision:
    return DuplicateDecision(
        tenant_id=pair.tenant_id,
        id=clock.new_id(),
        pair_id=pair.id,
        later_tenant_id=pair.later_tenant_id,
        verdict=verdict,
        why=why,
        by_tenant_id=manager.tenant_id,
        decided_by=manager.id,
        decided_at=now,
    )


def _ours(tenant_id: UUID, pair: DuplicatePair) -> set[UUID]:
    """The households of this mutuelle in a pair."""
    sides = ((pair.tenant_id, pair.household_id), (pair.later_tenant_id, pair.later_household_id))
    return {household_id for owner_id, household_id in sides if owner_id == tenant_id}


def _record(session: Session, manager: Manager, pair: DuplicatePair, verdict: str, why: str) -> None:
    facts = {"pair": str(pair.id), "verdict": verdict, "why": why}
    for household_id in sorted(_ours(manager.tenant_id, pair)):
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        audit.record(session, manager.tenant_id, manager.actor, "duplicate-decided", subject, **facts)


def _close_cases(session: Session, tenant_id: UUID, pairs: Collection[DuplicatePair]) -> None:
    """Closes the cases of those of our households that are in no undecided pair any more."""
    touched = {household_id for pair in pairs for household_id in _ours(tenant_id, pair)}
    sides = (
        (DuplicatePair.tenant_id, DuplicatePair.household_id),
        (DuplicatePair.later_tenant_id, DuplicatePair.later_household_id),
    )
    undecided = {
        household_id
        for owner, household in sides
        for household_id in session.scalars(
            select(household).where(owner == tenant_id, household.in_(touched), ~_is_decided())
        )
    }
    subjects = [audit.about(Subject.HOUSEHOLD, household_id) for household_id in touched - undecided]
    audit.close_cases(session, tenant_id, [FlagKind.DUPLICATE], subjects)
