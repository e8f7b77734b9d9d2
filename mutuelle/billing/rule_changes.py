"""Rule changes: a mutuelle's bills under way, priced anew under the rules of a day, some households at a
time.

Only bills that go by older rules are touched, and only where the rule book says that its tariff counts in
mid-period (`Version.takes_over`); each is written to go by the newer rules from then on, so that a run that
was cut off goes on with those left, and a second one finds nothing. What the rules or the books refuse for
one household is undone for it alone and shown to a person.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mutuelle import audit
from mutuelle.billing import adjustments
from mutuelle.errors import Conflict, Refused
from mutuelle.households import locks
from mutuelle.schemes.versions import Version

CASE_KIND = "rule"


@dataclass
class RuleChangeResult:
    """What came of it: households looked at, bills whose price changed, by how much for each payer, what
    became credit, and how many households are shown to a person; money in whole units."""

    households: int = 0
    bills: int = 0
    shares: Counter[str] = field(default_factory=Counter)
    credit: int = 0
    flags: int = 0

    def add(self, other: "RuleChangeResult") -> None:
        """Count what came of the next households, too."""
        self.households += other.households
        self.bills += other.bills
        self.credit += other.credit
        self.flags += other.flags
        self.shares.update(other.shares)


def count_households(session: Session, tenant_id: UUID, rules: Version, on: date) -> int:
    """How many households have a bill that these rules may take over on the day `on`."""
    return int(session.scalar(_COUNT, _parameters(tenant_id, rules, on)) or 0)


def next_households(
    session: Session, tenant_id: UUID, rules: Version, on: date, after: UUID, limit: int
) -> list[UUID]:
    """The next of these households behind `after`, in the order of their ids. Coarser than `carry_out`, never
    finer."""
    asked = _parameters(tenant_id, rules, on) | {"after": after, "limit": limit}
    return list(session.scalars(_NEXT, asked))


def apply(
    session: Session, tenant_id: UUID, home_ids: Sequence[UUID], on: date, rules_of: date
) -> RuleChangeResult:
    """Price the bills under way of these households by the rules in force on the day `rules_of`; booked `on`
    its day."""
    locks.lock_all(session, tenant_id, home_ids)
    told = RuleChangeResult(households=len(home_ids))
    for home_id in home_ids:
        try:
            with session.begin_nested():
                made = adjustments.apply_rules(session, tenant_id, home_id, on, rules_of)
                session.execute(
                    _CHECK_NOW
                )  # so that what the books refuse is refused here, for this household alone
                session.execute(_CHECK_LATER)
        except (Refused, Conflict, IntegrityError) as wrong:
            why = wrong.key if isinstance(wrong, Refused) else type(wrong).__name__
            audit.open_case(
                session,
                tenant_id,
                CASE_KIND,
                f"household:{home_id}",
                f"the new rules could not be applied: {why}",
            )
            told.flags += 1
            continue
        told.bills += sum(bool(one.shares) for one in made)
        told.credit += sum(one.freed for one in made)
        for one in made:
            told.shares.update(one.shares)
        audit.close_case(session, tenant_id, CASE_KIND, f"household:{home_id}")
    return told


def _parameters(tenant_id: UUID, rules: Version, on: date) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "since": rules.since,
        "on": on,
        "at_once": rules.adjustment.tariff == "at-once",
    }


_CHECK_NOW, _CHECK_LATER = text("SET CONSTRAINTS ALL IMMEDIATE"), text("SET CONSTRAINTS ALL DEFERRED")
_OLDER = """
FROM bills b WHERE b.tenant_id = :tenant AND b.kind = 'dues' AND (b.period_until IS NULL OR b.period_until >=
:on) AND (:at_once OR b.period_from >= :since) AND coalesce((SELECT j.version FROM adjustments j
    WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id ORDER BY j.ordinal DESC LIMIT 1), b.version) < :since
"""
_COUNT = text(f"SELECT count(DISTINCT b.household_id) {_OLDER}")  # our own words, every value is a parameter
_NEXT = text(f"SELECT DISTINCT b.household_id {_OLDER} AND b.household_id > :after ORDER BY 1 LIMIT :limit")
