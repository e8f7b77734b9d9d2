"""Sponsors: a commune, an association or a relative promises a part of households' own dues, up to a cap.

A promise takes as much off the member's part of a bill as it adds to the sponsor's, by the lines of an
adjustment. As with the State's part, rights do not wait for the sponsor's money; what is promised is asked of
the sponsor by a claim, never of the household again, and what the household has paid is never the sponsor's.
What was promised for a bill stays promised: when a sponsorship ends, it ends for the bills to come.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, pipeline
from mutuelle.db import Row
from mutuelle.errors import Refused

Kind = Literal["commune", "ngo", "relative", "other"]
NAME_MIN, NAME_MAX = 2, 24  # it stands in an SMS
CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,29}")
KINDS: tuple[Kind, ...] = ("commune", "ngo", "relative", "other")


class Sponsor(Row):
    """Who promises `percent` of the member's part of a dues bill, at most `per_bill` of each and `cap` of
    all: whole units."""

    __tablename__ = "sponsors"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    percent: Mapped[int]
    per_bill: Mapped[int | None]
    cap: Mapped[int]
    since: Mapped[date]
    until: Mapped[date | None]
    at: Mapped[datetime]


class Sponsorship(Row):
    """A household that a sponsor helps from a day on."""

    __tablename__ = "sponsorships"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sponsor_id: Mapped[UUID]
    household_id: Mapped[UUID]
    since: Mapped[date]
    until: Mapped[date | None]


@dataclass(frozen=True)
class SponsorBalance:
    """A sponsor with what it has promised of its cap, in whole units, and how many households it helps
    now."""

    sponsor: Sponsor
    promised: int
    households: int

    @property
    def left(self) -> int:
        return max(0, self.sponsor.cap - self.promised)


def add(
    session: Session,
    tenant_id: UUID,
    *,
    code: str,
    name: str,
    kind: Kind,
    percent: int,
    cap: int,
    since: date,
    per_bill: int | None = None,
    until: date | None = None,
    by: str,
) -> Sponsor:
    """A new sponsor of a mutuelle; amounts are whole units.

    Refused("sponsor.known") when the code is taken, ("sponsor.code") when it is no code.
    """
    if not CODE.fullmatch(code):
        raise Refused("sponsor.code", code=code)
    if by_code(session, tenant_id, code) is not None:
        raise Refused("sponsor.known", code=code)
    row = Sponsor(
        tenant_id=tenant_id,
        id=clock.new_id(),
        code=code,
        name=name,
        kind=kind,
        percent=percent,
        per_bill=per_bill,
        cap=cap,
        since=since,
        until=until,
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(
        session, tenant_id, by, "sponsor", f"sponsor:{row.id}", percent=percent, cap=cap, per_bill=per_bill
    )
    return row


def get(session: Session, tenant_id: UUID, sponsor_id: UUID) -> Sponsor:
    return session.get_one(Sponsor, (tenant_id, sponsor_id))


def by_code(session: Session, tenant_id: UUID, code: str) -> Sponsor | None:
    """The sponsor of a mutuelle that has this code."""
    return session.scalar(select(Sponsor).where(Sponsor.tenant_id == tenant_id, Sponsor.code == code))


def with_bill_lines(session: Session, tenant_id: UUID) -> Sequence[Sponsor]:
    """The sponsors of a mutuelle that have a part of a bill, by name."""
    part = text(
        "EXISTS (SELECT FROM bill_lines l WHERE l.tenant_id = sponsors.tenant_id AND l.sponsor_id = sponsors.id)"
    )
    mine = select(Sponsor).where(Sponsor.tenant_id == tenant_id, part)
    return session.scalars(mine.order_by(Sponsor.name, Sponsor.code)).all()


def of_household(session: Session, tenant_id: UUID, household_id: UUID) -> Sponsor | None:
    """Who helps this household now."""
    ship = _current_sponsorship(session, tenant_id, household_id)
    return get(session, tenant_id, ship.sponsor_id) if ship else None


def begin_sponsorship(session: Session, sponsor: Sponsor, household_id: UUID, on: date, by: str) -> bool:
    """The sponsor helps this household from `on`; False when it did already. The caller adjusts the bills
    under way.

    Refused("sponsor.other") when another one helps it, ("sponsor.over") when the sponsor's own time is over.
    """
    now = _current_sponsorship(session, sponsor.tenant_id, household_id)
    if now is not None and now.sponsor_id == sponsor.id:
        return False
    if now is not None:
        raise Refused("sponsor.other", code=sponsor.code)
    if sponsor.until is not None and sponsor.until < on:
        raise Refused("sponsor.over", code=sponsor.code)
    row = Sponsorship(
        tenant_id=sponsor.tenant_id,
        id=clock.new_id(),
        sponsor_id=sponsor.id,
        household_id=household_id,
        since=on,
    )
    session.add(row)
    session.flush()
    audit.record(
        session, sponsor.tenant_id, by, "sponsored", f"household:{household_id}", sponsor=str(sponsor.id)
    )
    return True


def end_sponsorship(session: Session, tenant_id: UUID, household_id: UUID, on: date, by: str) -> bool:
    """Nobody helps this household with bills written after `on`; False when nobody did."""
    row = _current_sponsorship(session, tenant_id, household_id)
    if row is None:
        return False
    row.until = on
    audit.record(
        session, tenant_id, by, "sponsor-ended", f"household:{household_id}", sponsor=str(row.sponsor_id)
    )
    return True


def billed_sponsorships(
    session: Session, tenant_id: UUID, household_ids: Sequence[UUID], issued: date
) -> list[tuple[UUID, UUID]]:
    """(household, sponsor) of those among the households that are helped now and got a dues bill on the day
    `issued`."""
    homes = pipeline.array(household.hex for household in household_ids)
    (rows,) = pipeline.query(
        session, (_BILLED_SPONSORSHIPS, {"tenant": tenant_id, "homes": homes, "issued": issued})
    )
    return [(row.household_id, row.sponsor_id) for row in rows]


def lock_of_households(session: Session, tenant_id: UUID, household_ids: Sequence[UUID]) -> None:
    """Lock who helps these households now, in one order; whoever promises for many households does so first.
    The households are locked already (`allocation.py`)."""
    helps = select(Sponsorship.sponsor_id).where(
        Sponsorship.tenant_id == tenant_id,
        Sponsorship.household_id.in_(household_ids),
        Sponsorship.until.is_(None),
    )
    mine = (Sponsor.tenant_id == tenant_id, Sponsor.id.in_(helps))
    session.scalars(
        select(Sponsor.id).where(*mine).order_by(Sponsor.id).with_for_update(key_share=True)
    ).all()


def sponsored_households(session: Session, tenant_id: UUID, household_ids: Sequence[UUID]) -> set[UUID]:
    """Those among the households that somebody helps."""
    homes = pipeline.array(household.hex for household in household_ids)
    (rows,) = pipeline.query(session, (_SPONSORED_HOUSEHOLDS, {"tenant": tenant_id, "homes": homes}))
    return {row.household_id for row in rows}


_SPONSORED_HOUSEHOLDS = """
SELECT household_id FROM sponsorships
WHERE tenant_id = %(tenant)s AND household_id = ANY(%(homes)s::uuid[]) AND until IS NULL
"""
_BILLED_SPONSORSHIPS = """
SELECT h.household_id, h.sponsor_id FROM sponsorships h
WHERE h.tenant_id = %(tenant)s AND h.household_id = ANY(%(homes)s::uuid[]) AND h.until IS NULL AND EXISTS
(SELECT FROM bills b
    WHERE b.tenant_id = h.tenant_id AND b.household_id = h.household_id AND b.kind = 'dues' AND b.issued =
    %(issued)s)
ORDER BY h.household_id
"""


def balances(session: Session, tenant_id: UUID) -> list[SponsorBalance]:
    """Every sponsor of a mutuelle with what it has promised, by name."""
    told = {row.id: row for row in session.execute(_BALANCES, {"tenant": tenant_id})}
    rows = session.scalars(
        select(Sponsor).where(Sponsor.tenant_id == tenant_id).order_by(Sponsor.name, Sponsor.code)
    )
    return [SponsorBalance(row, int(told[row.id].promised), int(told[row.id].households)) for row in rows]


_BALANCES = text("""
SELECT s.id,
    coalesce((SELECT sum(l.amount) FROM bill_lines l WHERE l.tenant_id = s.tenant_id AND l.sponsor_id = s.id),
    0) AS promised, (SELECT count(*) FROM sponsorships h WHERE h.tenant_id = s.tenant_id AND h.sponsor_id =
    s.id AND h.until IS NULL)
        AS households
FROM sponsors s WHERE s.tenant_id = :tenant
""")


def share_changes(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    bill_id: UUID,
    on: date,
    *,
    member: int,
    unpaid: int,
) -> dict[UUID, int]:
    """By how much each sponsor's part of a dues bill changes, now that `member` units of it are the member's,
    `unpaid` of them.

    The household is locked by the caller; a sponsor is locked from here on, so that its cap is given away
    once.
    """
    given = {
        row.sponsor_id: int(row.units)
        for row in session.execute(_BILL_SHARES, {"tenant": tenant_id, "bill": bill_id})
    }
    ship = _current_sponsorship(session, tenant_id, household_id)
    helper = (
        session.get(Sponsor, (tenant_id, ship.sponsor_id), with_for_update={"key_share": True})
        if ship
        else None
    )
    if helper is not None and (helper.since > on or (helper.until is not None and helper.until < on)):
        helper = None
    if helper is None and not given:
        return {}
    promised = session.scalar(_PROMISED, {"tenant": tenant_id, "sponsor": helper.id}) if helper else 0
    offer = None
    if helper is not None:
        offer = Offer(
            helper.id,
            helper.percent,
            helper.per_bill,
            helper.cap - int(promised or 0) + given.get(helper.id, 0),
        )
    return share_differences(given, member, unpaid, offer)


@dataclass(frozen=True)
class Offer:
    """What a sponsor would give for a bill: `percent` of the member's part, at most `per_bill`, and `left` of
    its cap."""

    sponsor_id: UUID
    percent: int
    per_bill: int | None
    left: int

    def of(self, gross: int) -> int:
        """Its part of a member's part of `gross` units, rounded down: the member carries the odd unit."""
        return max(
            0, min(gross * self.percent // 100, gross if self.per_bill is None else self.per_bill, self.left)
        )


def share_differences(
    given: Mapping[UUID, int], member: int, unpaid: int, offer: Offer | None
) -> dict[UUID, int]:
    """By how much each sponsor's part changes. Pure.

    Earlier promises stay as far as the member's part before any sponsor reaches; the `offer` follows that
    part, and takes over nothing that the household has paid.
    """
    gross = member + sum(given.values())
    rest, wanted = gross, dict.fromkeys(given, 0)
    for sponsor_id, units in given.items():
        if offer is None or sponsor_id != offer.sponsor_id:
            wanted[sponsor_id] = min(units, rest)
            rest -= wanted[sponsor_id]
    if offer is not None:
        had = given.get(offer.sponsor_id, 0)
        wanted[offer.sponsor_id] = min(offer.of(gross), rest, had + max(0, unpaid))
    found = {sponsor_id: units - given.get(sponsor_id, 0) for sponsor_id, units in wanted.items()}
    return {sponsor_id: units for sponsor_id, units in found.items() if units}


def _current_sponsorship(session: Session, tenant_id: UUID, household_id: UUID) -> Sponsorship | None:
    mine: Any = (
        Sponsorship.tenant_id == tenant_id,
        Sponsorship.household_id == household_id,
        Sponsorship.until.is_(None),
    )
    return session.scalar(select(Sponsorship).where(*mine))


_BILL_SHARES = text("""
SELECT sponsor_id, sum(amount) AS units FROM bill_lines WHERE tenant_id = :tenant AND bill_id = :bill AND
sponsor_id IS NOT NULL GROUP BY sponsor_id HAVING sum(amount) > 0 ORDER BY sponsor_id
""")
_PROMISED = text("SELECT sum(amount) FROM bill_lines WHERE tenant_id = :tenant AND sponsor_id = :sponsor")
