"""Stores sponsors and computes their shares: a commune, an NGO or a relative pays part of dues, up to a cap.

A promise moves a part of a bill from the member's share to the sponsor's, by the lines of an adjustment. As
with the State's share, rights do not wait for the sponsor's money. The promised part is claimed from the
sponsor and never again from the household. A part that the household has paid is never moved. A promise for a
bill stays: the end of a sponsorship affects later bills only.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, pipeline
from mutuelle.audit import Subject
from mutuelle.db import Row
from mutuelle.errors import Refused

Kind = Literal["commune", "ngo", "relative", "other"]
NAME_MIN, NAME_MAX = 2, 24  # it stands in an SMS
CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,29}")
KINDS: tuple[Kind, ...] = ("commune", "ngo", "relative", "other")


class Sponsor(Row):
    """A payer who promises `percent` of the member's share of dues bills.

    It promises at most `per_bill` for each bill and `cap` for all, in whole units.
    """

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
    """A household that a sponsor helps from the day `since` on."""

    __tablename__ = "sponsorships"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sponsor_id: Mapped[UUID]
    household_id: Mapped[UUID]
    since: Mapped[date]
    until: Mapped[date | None]


@dataclass(frozen=True)
class SponsorTerms:
    """What a sponsor promises, as `Sponsor` stores it. Amounts are whole units."""

    percent: int
    cap: int
    since: date
    per_bill: int | None = None
    until: date | None = None


@dataclass(frozen=True)
class SponsorBalance:
    """A sponsor, how much of its cap is promised, in whole units, and how many households it helps now."""

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
    terms: SponsorTerms,
    by: str,
) -> Sponsor:
    """Adds a sponsor to a mutuelle.

    Refused("sponsor.known") when the code is taken, ("sponsor.code") when it is malformed.
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
        **vars(terms),
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    facts = {"percent": terms.percent, "cap": terms.cap, "per_bill": terms.per_bill}
    audit.record(session, tenant_id, by, "sponsor", audit.about(Subject.SPONSOR, row.id), **facts)
    return row


def get(session: Session, tenant_id: UUID, sponsor_id: UUID) -> Sponsor:
    return session.get_one(Sponsor, (tenant_id, sponsor_id))


def by_code(session: Session, tenant_id: UUID, code: str) -> Sponsor | None:
    """Returns the sponsor of a mutuelle with this code."""
    return session.scalar(select(Sponsor).where(Sponsor.tenant_id == tenant_id, Sponsor.code == code))


def with_bill_lines(session: Session, tenant_id: UUID) -> Sequence[Sponsor]:
    """Returns the sponsors of a mutuelle that have a share of any bill, by name."""
    has_line = text(
        "EXISTS (SELECT FROM bill_lines l"
        " WHERE l.tenant_id = sponsors.tenant_id AND l.sponsor_id = sponsors.id)"
    )
    query = select(Sponsor).where(Sponsor.tenant_id == tenant_id, has_line)
    return session.scalars(query.order_by(Sponsor.name, Sponsor.code)).all()


def of_household(session: Session, tenant_id: UUID, household_id: UUID) -> Sponsor | None:
    """Returns the sponsor that helps this household now."""
    sponsorship = _current_sponsorship(session, tenant_id, household_id)
    return get(session, tenant_id, sponsorship.sponsor_id) if sponsorship else None


def begin_sponsorship(session: Session, sponsor: Sponsor, household_id: UUID, on: date, by: str) -> bool:
    """Lets the sponsor help this household from `on`. Returns False if it does already.

    The caller adjusts the bills under way. Refused("sponsor.other") when another sponsor helps the household,
    ("sponsor.over") when the sponsor itself has ended.
    """
    current = _current_sponsorship(session, sponsor.tenant_id, household_id)
    if current is not None and current.sponsor_id == sponsor.id:
        return False
    if current is not None:
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
        session,
        sponsor.tenant_id,
        by,
        "sponsored",
        audit.about(Subject.HOUSEHOLD, household_id),
        sponsor=str(sponsor.id),
    )
    return True


def end_sponsorship(session: Session, tenant_id: UUID, household_id: UUID, on: date, by: str) -> bool:
    """Ends the help for bills written after `on`. Returns False if no sponsor helps this household."""
    row = _current_sponsorship(session, tenant_id, household_id)
    if row is None:
        return False
    row.until = on
    audit.record(
        session,
        tenant_id,
        by,
        "sponsor-ended",
        audit.about(Subject.HOUSEHOLD, household_id),
        sponsor=str(row.sponsor_id),
    )
    return True


def billed_sponsorships(
    session: Session, tenant_id: UUID, household_ids: Sequence[UUID], issued: date
) -> list[tuple[UUID, UUID]]:
    """Returns (household, sponsor) of households with help now and a dues bill of the day `issued`."""
    ids = pipeline.array(household.hex for household in household_ids)
    (rows,) = pipeline.query(
        session, (_BILLED_SPONSORSHIPS, {"tenant": tenant_id, "household_ids": ids, "issued": issued})
    )
    return [(row.household_id, row.sponsor_id) for row in rows]


def lock_of_households(session: Session, tenant_id: UUID, household_ids: Sequence[UUID]) -> None:
    """Locks the sponsors that help these households now, in the order of their ids.

    The caller has locked the households. Call it before promising for many of them.
    """
    helpers = select(Sponsorship.sponsor_id).where(
        Sponsorship.tenant_id == tenant_id,
        Sponsorship.household_id.in_(household_ids),
        Sponsorship.until.is_(None),
    )
    query = select(Sponsor.id).where(Sponsor.tenant_id == tenant_id, Sponsor.id.in_(helpers))
    session.scalars(query.order_by(Sponsor.id).with_for_update(key_share=True)).all()


def sponsored_households(session: Session, tenant_id: UUID, household_ids: Sequence[UUID]) -> set[UUID]:
    """Returns those of the households that a sponsor helps."""
    ids = pipeline.array(household.hex for household in household_ids)
    (rows,) = pipeline.query(session, (_SPONSORED_HOUSEHOLDS, {"tenant": tenant_id, "household_ids": ids}))
    return {row.household_id for row in rows}


_SPONSORED_HOUSEHOLDS = """
SELECT household_id FROM sponsorships
WHERE tenant_id = %(tenant)s AND household_id = ANY(%(household_ids)s::uuid[]) AND until IS NULL
"""
_BILLED_SPONSORSHIPS = """
SELECT h.household_id, h.sponsor_id FROM sponsorships h
WHERE h.tenant_id = %(tenant)s AND h.household_id = ANY(%(household_ids)s::uuid[]) AND h.until IS NULL
AND EXISTS (SELECT FROM bills b
    WHERE b.tenant_id = h.tenant_id AND b.household_id = h.household_id
    AND b.kind = 'dues' AND b.issued = %(issued)s)
ORDER BY h.household_id
"""


def balances(session: Session, tenant_id: UUID) -> list[SponsorBalance]:
    """Returns every sponsor of a mutuelle with what it has promised, by name."""
    sums = {row.id: row for row in session.execute(_BALANCES, {"tenant": tenant_id})}
    rows = session.scalars(
        select(Sponsor).where(Sponsor.tenant_id == tenant_id).order_by(Sponsor.name, Sponsor.code)
    )
    return [SponsorBalance(row, int(sums[row.id].promised), int(sums[row.id].households)) for row in rows]


_BALANCES = text("""
SELECT s.id,
    coalesce((SELECT sum(l.amount) FROM bill_lines l
        WHERE l.tenant_id = s.tenant_id AND l.sponsor_id = s.id), 0) AS promised,
    (SELECT count(*) FROM sponsorships h
        WHERE h.tenant_id = s.tenant_id AND h.sponsor_id = s.id AND h.until IS NULL) AS households
FROM sponsors s WHERE s.tenant_id = :tenant
""")


def share_changes(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    bill_id: UUID,
    on: date,
    *,
    at_start: Mapping[UUID, int],
    member: int,
    unpaid: int,
) -> dict[UUID, int]:
    """Returns by how many units each sponsor's share of a dues bill changes.

    `member` units of the bill are now the member's, `unpaid` of them not paid. `at_start` holds the sponsors'
    shares when the day began: what was promised today is promised anew, so that a sponsorship that began and
    ended today leaves nothing. The caller has locked the household. This locks the sponsor, so that its cap
    is promised once.
    """
    promised = {
        row.sponsor_id: int(row.units)
        for row in session.execute(_BILL_SHARES, {"tenant": tenant_id, "bill": bill_id})
    }
    sponsorship = _current_sponsorship(session, tenant_id, household_id)
    helper, offer = None, None
    if sponsorship is not None:
        key = (tenant_id, sponsorship.sponsor_id)
        helper = session.get(Sponsor, key, with_for_update={"key_share": True}, populate_existing=True)
    if helper is not None and helper.since <= on and (helper.until is None or helper.until >= on):
        in_all = session.scalar(_PROMISED, {"tenant": tenant_id, "sponsor": helper.id}) or 0
        left = helper.cap - int(in_all) + promised.get(helper.id, 0)
        offer = Offer(helper.id, helper.percent, helper.per_bill, left)
    of_day = sum(promised.values()) - sum(at_start.values())
    targets = Counter(at_start)
    targets.update(share_differences(at_start, member + of_day, unpaid + of_day, offer))
    targets.subtract(promised)
    return {sponsor_id: units for sponsor_id, units in targets.items() if units}


@dataclass(frozen=True)
class Offer:
    """What a sponsor offers for a bill: `percent` of the member's share, at most `per_bill` and `left`.

    `left` is what remains of its cap, in whole units.
    """

    sponsor_id: UUID
    percent: int
    per_bill: int | None
    left: int

    def share_of(self, gross: int) -> int:
        """Returns its share of `gross` units of the member, rounded down: the member carries the odd unit."""
        limit = gross if self.per_bill is None else self.per_bill
        return max(0, min(gross * self.percent // 100, limit, self.left))


def share_differences(
    promised: Mapping[UUID, int], member: int, unpaid: int, offer: Offer | None
) -> dict[UUID, int]:
    """Returns by how many units each sponsor's share changes, without zeros. Pure.

    Earlier promises stay, up to the member's share before any sponsor. The `offer` is computed from that
    share and takes over nothing that the household has paid.
    """
    gross = member + sum(promised.values())
    rest, shares = gross, dict.fromkeys(promised, 0)
    for sponsor_id, units in promised.items():
        if offer is None or sponsor_id != offer.sponsor_id:
            shares[sponsor_id] = min(units, rest)
            rest -= shares[sponsor_id]
    if offer is not None:
        before = promised.get(offer.sponsor_id, 0)
        shares[offer.sponsor_id] = min(offer.share_of(gross), rest, before + max(0, unpaid))
    changes = {sponsor_id: units - promised.get(sponsor_id, 0) for sponsor_id, units in shares.items()}
    return {sponsor_id: units for sponsor_id, units in changes.items() if units}


def _current_sponsorship(session: Session, tenant_id: UUID, household_id: UUID) -> Sponsorship | None:
    of_household = (Sponsorship.tenant_id == tenant_id, Sponsorship.household_id == household_id)
    return session.scalar(select(Sponsorship).where(*of_household, Sponsorship.until.is_(None)))


_BILL_SHARES = text("""
SELECT sponsor_id, sum(amount) AS units FROM bill_lines
WHERE tenant_id = :tenant AND bill_id = :bill AND sponsor_id IS NOT NULL
GROUP BY sponsor_id HAVING sum(amount) > 0 ORDER BY sponsor_id
""")
_PROMISED = text("SELECT sum(amount) FROM bill_lines WHERE tenant_id = :tenant AND sponsor_id = :sponsor")
