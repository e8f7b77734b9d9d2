"""Compares our receipts with the true movements of money that an outsider lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import clock

IN_FLIGHT = timedelta(seconds=60)


@dataclass(frozen=True)
class TrueMovement:
    """Money that moved at `operator` on the merchant account `account`, in whole units.

    `reference` is the operator's: ours where we asked for the money, None where it is unknown. `returned`
    units of it went back later, the last of them at `returned_at`.
    """

    transaction: str
    operator: str
    account: str
    amount: int
    currency: str
    at: datetime
    returned: int
    returned_at: datetime | None = None
    reference: str | None = None


def compare(session: Session, movements: Sequence[TrueMovement], broken: list[str]) -> dict[str, int]:
    """Compares our receipts with the true movements. Returns counts; adds messages to `broken`.

    A difference younger than a minute is in flight.
    """
    late = clock.now() - IN_FLIGHT
    query = (
        "SELECT o.operator, o.code, r.transaction, r.amount, r.currency, r.reference, r.recorded_at,"
        " coalesce(sum(v.amount), 0) AS back, max(v.recorded_at) AS back_at"
        " FROM receipts r JOIN operator_accounts o ON o.id = r.account_id"
        " LEFT JOIN reversals v ON v.tenant_id = r.tenant_id AND v.receipt_id = r.id"
        " GROUP BY o.operator, o.code, r.transaction, r.amount, r.currency, r.reference, r.recorded_at"
        " ORDER BY 1, 2, 3"
    )
    receipts = {(row.operator, row.code, row.transaction): row for row in session.execute(text(query))}
    counts = {
        "movements": len(movements),
        "matched": 0,
        "in_flight": 0,
        "lost": 0,
        "invented": 0,
        "different": 0,
    }

    def differs(kind: str, key: tuple[str, str, str], reason: str, *moments: datetime | None) -> None:
        in_flight = any(moment is not None and moment > late for moment in moments)
        counts["in_flight" if in_flight else kind] += 1
        broken.extend([] if in_flight else [f"{kind.upper()} {' '.join(key)}: {reason}"])

    for true in movements:
        key = (true.operator, true.account, true.transaction)
        row = receipts.pop(key, None)
        if row is None:
            differs("lost", key, "no receipt", true.at)
        elif (row.amount, row.currency) != (true.amount, true.currency):
            differs("different", key, "amount or currency")
        elif row.reference and true.reference and row.reference.lower() != true.reference.lower():
            differs("different", key, "reference")
        elif row.back != true.returned:
            differs("different", key, "reversal", true.returned_at, row.back_at)
        else:
            counts["matched"] += 1
    for key, row in receipts.items():
        # A receipt that was recorded after the list was read is not in the list.
        differs("invented", key, "never moved", row.recorded_at)
    return counts
