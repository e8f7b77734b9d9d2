"""Finds the households that owe an amount, in the stored table of open dues, without reading all bills.

The database keeps the table `open_dues` at each INSERT of bill lines and allocations
(migrations/versions/open_amounts.sql).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.errors import Refused
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import BillKind


@dataclass(frozen=True)
class OpenDues:
    """What a household has not paid of the member part of each bill, in whole units; negative if overpaid.

    Dues come first, oldest first, then joining fees.
    """

    per_bill: tuple[int, ...]

    @property
    def total(self) -> int:
        """What the household owes in all."""
        return sum(self.per_bill)


# The households that the amounts find, at most `most` for each amount and kind of sum, and those asked for.
# ORDER BY makes the planner take the index, also for a sum that it believes to be frequent.
_OPEN_DUES = text("""
WITH amounts AS (SELECT unnest(CAST(:amounts AS bigint[])) AS units), homes AS (
    SELECT d.household_id FROM amounts CROSS JOIN LATERAL (
        SELECT household_id FROM open_dues
        WHERE tenant_id = :tenant AND units = amounts.units
        ORDER BY household_id LIMIT :most) d
    UNION SELECT d.household_id FROM amounts CROSS JOIN LATERAL (
        SELECT household_id FROM open_dues
        WHERE tenant_id = :tenant AND household_units = amounts.units
        ORDER BY household_id LIMIT :most) d
    UNION SELECT unnest(CAST(:homes AS uuid[]))
)
SELECT d.household_id, d.units, b.kind, b.issued, b.period_until, b.scheme, b.version, b.option
FROM homes
JOIN open_dues d ON d.tenant_id = :tenant AND d.household_id = homes.household_id
JOIN bills b ON b.tenant_id = d.tenant_id AND b.id = d.bill_id
ORDER BY b.kind, b.issued, b.id
""")


def find(
    session: Session, tenant_id: UUID, amounts: Sequence[int], households: Iterable[UUID], *, most: int
) -> Mapping[UUID, OpenDues]:
    """Returns what is owed by these `households`, and by others that owe one of `amounts` (whole units).

    An amount finds at most `most` rows by one bill, and `most` by all bills of a household. Arrears that are
    forgiven are not owed.
    """
    values = {"tenant": tenant_id, "amounts": list(amounts), "homes": list(households), "most": most}
    today = tenants.today(session, tenant_id)
    unpaid: dict[UUID, list[int]] = defaultdict(list)
    for row in session.execute(_OPEN_DUES, values):
        units = min(0, row.units) if _forgiven(row, today) else row.units
        if units:
            unpaid[row.household_id].append(units)
    return {household_id: OpenDues(tuple(units)) for household_id, units in unpaid.items()}


def _forgiven(row: Any, today: date) -> bool:
    """Whether arrears of this bill are forgiven. A rule book that is missing forgives nothing."""
    try:
        version = schemes.get(row.scheme).version(row.version)
    except Refused:
        return False
    return row.kind == BillKind.DUES and version.forgives(row.issued, row.period_until, row.option, today)
