"""Reprices a mutuelle's running bills under newer rules, some households at a time.

Only bills under older rules are adjusted, and only where the rule book says that its tariff counts in
mid-period (`Version.takes_over`). An adjusted bill follows the newer rules from then on, so that an
interrupted run resumes with the bills that are left, and a second run finds none. Where the rules or the
books refuse a household, its changes alone are rolled back and a case is opened for staff.
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

from mutuelle import audit, set_aside
from mutuelle.audit import FlagKind, Subject
from mutuelle.billing import adjustments
from mutuelle.errors import Conflict, Refused
from mutuelle.households import locks
from mutuelle.schemes.version_rules import Version
from mutuelle.set_aside import Work


@dataclass
class RuleChangeResult:
    """What a run has done, in whole units of money.

    `households` were looked at, the price of `bills` changed, by `shares` for each payer; `credit` is what
    was freed, and `flags` is the number of cases opened for staff.
    """

    households: int = 0
    bills: int = 0
    shares: Counter[str] = field(default_factory=Counter)
    credit: int = 0
    flags: int = 0

    def add(self, other: "RuleChangeResult") -> None:
        """Adds the result for other households."""
        self.households += other.households
        self.bills += other.bills
        self.credit += other.credit
        self.flags += other.flags
        self.shares.update(other.shares)


def count_households(session: Session, tenant_id: UUID, rules: Version, on: date) -> int:
    """Returns how many households have a bill that these rules may take over on the day `on`."""
    return int(session.scalar(_COUNT, _parameters(tenant_id, rules, on)) or 0)


def next_households(
    session: Session, tenant_id: UUID, rules: Version, on: date, after: UUID, limit: int
) -> list[UUID]:
    """Returns the next of these households after `after`, in the order of their ids.

    A prefilter: it may select households in which `apply` then changes nothing, and never misses one.
    """
    values = _parameters(tenant_id, rules, on) | {"after": after, "limit": limit}
    return list(session.scalars(_NEXT, values))


def apply(
    session: Session, tenant_id: UUID, household_ids: Sequence[UUID], on: date, rules_of: date
) -> RuleChangeResult:
    """Prices the bills under way of these households by the rules in force on the day `rules_of`.

    The differences are booked on the day `on`.
    """
    locks.lock_all(session, tenant_id, household_ids)
    result = RuleChangeResult(households=len(household_ids))
    for household_id in household_ids:
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        try:
            with session.begin_nested():
                adjusted = adjustments.apply_rules(session, tenant_id, household_id, on, rules_of)
                # Makes the books' deferred checks refuse here, for this household alone.
                session.execute(_CHECK_NOW)
                session.execute(_CHECK_LATER)
        except (Refused, Conflict, IntegrityError) as error:
            why = error.key if isinstance(error, Refused) else type(error).__name__
            reason = f"the new rules could not be applied: {why}"
            audit.open_case(session, tenant_id, FlagKind.RULE, subject, reason)
            result.flags += 1
            continue
        except Exception as error:  # of any kind: the other households go on
            set_aside.household(session, tenant_id, household_id, Work.RULES, error)
            result.flags += 1
            continue
        for adjustment in adjusted:
            result.bills += bool(adjustment.shares)
            result.credit += adjustment.freed
            result.shares.update(adjustment.shares)
        audit.close_case(session, tenant_id, FlagKind.RULE, subject)
    set_aside.close_recovered(session, tenant_id, Work.RULES, set(household_ids).__contains__)
    return result


def _parameters(tenant_id: UUID, rules: Version, on: date) -> dict[str, Any]:
    return {"tenant": tenant_id, "since": rules.since, "on": on,
            "at_once": rules.adjustment.tariff == "at-once"}  # fmt: skip


_CHECK_NOW, _CHECK_LATER = text("SET CONSTRAINTS ALL IMMEDIATE"), text("SET CONSTRAINTS ALL DEFERRED")
_OLDER = """
FROM bills b
WHERE b.tenant_id = :tenant AND b.kind = 'dues'
AND (b.period_until IS NULL OR b.period_until >= :on) AND (:at_once OR b.period_from >= :since)
AND coalesce((SELECT j.version FROM adjustments j
    WHERE j.tenant_id = b.tenant_id AND j.bill_id = b.id
    ORDER BY j.ordinal DESC LIMIT 1), b.version) < :since
"""
# `_OLDER` is a constant, and every value is a parameter.
_COUNT = text(f"SELECT count(DISTINCT b.household_id) {_OLDER}")
_NEXT = text(f"SELECT DISTINCT b.household_id {_OLDER} AND b.household_id > :after ORDER BY 1 LIMIT :limit")
