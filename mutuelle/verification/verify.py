"""Recomputes every balance and right, and asks every question about what is stored.

`questions.QUESTIONS` lists the questions. With a list of the true movements of money, no receipt is lost,
doubled or invented (`true_movements`). `balances` compares wallets with operators (I15).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.verification import money_seals, true_movements
from mutuelle.verification.questions import QUESTIONS
from mutuelle.verification.true_movements import TrueMovement


@dataclass
class VerifyReport:
    """What was counted and what is broken: each line has the invariant, the question's name, the record."""

    totals: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.broken, **self.totals, "broken": self.broken}


def run(session: Session, movements: Sequence[TrueMovement] | None = None) -> VerifyReport:
    """Asks every question about everything the transaction may see.

    Give it an auditor's transaction, which sees every mutuelle, with one snapshot of the books. Where a
    record breaks a decisive question, nothing further is asked or counted.
    """
    report = VerifyReport()
    for question in QUESTIONS:
        broken = list(question.broken(session))
        report.broken += broken
        if broken and question.decisive:
            return report
    report.totals = _totals(session)
    if movements is not None:
        report.totals["truth"] = true_movements.compare(session, movements, report.broken)
    return report


def _totals(session: Session) -> dict[str, Any]:
    totals: dict[str, Any] = {}
    for name in ("tenants", "households", "members", "bills", "payments", "receipts", "messages", "notices"):
        query = text(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own table names
        totals[name] = session.scalar(query)
    money: dict[str, dict[str, int]] = defaultdict(lambda: {"received": 0})
    received = "SELECT currency, sum(amount) FROM receipts GROUP BY currency"
    for currency, units in session.execute(text(received)):
        money[currency]["received"] = int(units)
    allocated = (
        "SELECT r.currency, a.kind, sum(a.amount) FROM allocations a JOIN receipts r ON r.id = a.receipt_id"
        " GROUP BY 1, 2"
    )
    for currency, kind, units in session.execute(text(allocated)):
        money[currency][kind] = int(units)
    totals["money"] = dict(money)
    refunds = (
        "SELECT count(*) FILTER (WHERE status = 'approved') AS to_pay,"
        " count(*) FILTER (WHERE status = 'paid' AND seen_at IS NULL) AS not_seen FROM refunds"
    )
    counts = dict(session.execute(text(refunds)).mappings().one())
    if any(counts.values()):  # else nothing of them waits
        totals["refunds"] = counts
    if unsealed := money_seals.unsealed(session):
        totals["unsealed"] = unsealed
    totals["flags_open"] = session.scalar(text("SELECT count(*) FROM flags WHERE closed_at IS NULL"))
    return totals
