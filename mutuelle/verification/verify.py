"""Recomputes every balance and right, and checks the invariants over what is stored.

I1 receipts add up, in the allocations and in the ledger · I2 one receipt per transaction, and one for each
confirmed payment · I4 every notice and payment ends or has a case for staff · I5 rights follow from bills and
money · I7 and I8 the database still hides rows and refuses changes · I10 no phone number is stored in plain
text · I11 shares add up to the price · I12 every franc of a subsidy claim has its household, member, rule and
evidence, and every verified category its proof · I13 no day that was told as covered is taken back · and a
promise to pay has an end. With a list of the true movements of money: no receipt is lost, doubled or
invented. `balances` compares wallets with operators (I15).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.cover import recompute
from mutuelle.organisation.tenants import Tenant
from mutuelle.subsidies import claim_checks
from mutuelle.verification import evidence_checks, phone_leaks, told_day_checks

IN_FLIGHT = timedelta(seconds=60)
GIVE_UP = timedelta(minutes=15)
Check = Callable[[Session], Iterator[str]]


@dataclass(frozen=True)
class TrueMovement:
    """Money that moved at `operator` on the merchant account `account`, in whole units.

    `reference` is the operator's: ours where we asked for the money, None where it is unknown. `reversed`
    money went back later.
    """

    transaction: str
    operator: str
    account: str
    amount: int
    currency: str
    at: datetime
    reversed: bool
    reversed_at: datetime | None = None
    reference: str | None = None


@dataclass
class VerifyReport:
    """What was counted and what is broken; each line of `broken` names the invariant and the record."""

    totals: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.broken, **self.totals, "broken": self.broken}


def run(session: Session, movements: Sequence[TrueMovement] | None = None) -> VerifyReport:
    """Checks everything the transaction may see.

    Give it an auditor's transaction, which sees every mutuelle, with one snapshot of the books.
    """
    report = VerifyReport(_totals(session))
    for check in CHECKS:
        report.broken += check(session)
    if movements is not None:
        report.totals["truth"] = _compare(session, movements, report.broken)
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
    totals["flags_open"] = session.scalar(text("SELECT count(*) FROM flags WHERE closed_at IS NULL"))
    return totals


def _ids(session: Session, query: str, **values: object) -> list[str]:
    return sorted(str(row[0]) for row in session.execute(text(query), values))


# Ledger addresses whose balance is not what receipts, reversals, allocations and claims add up to.
BALANCES = """
WITH book AS (
    SELECT target AS address, currency, amount AS units FROM postings
    UNION ALL SELECT source, currency, -amount FROM postings
), due AS (
    SELECT 'outside:' || account_id AS address, currency, fee - amount AS units FROM receipts
    UNION ALL SELECT 'fees:' || account_id, currency, -fee FROM receipts
    UNION ALL SELECT unnest(ARRAY['outside:' || v.account_id, 'fees:' || v.account_id,
            'outflow:' || v.account_id]), r.currency, unnest(ARRAY[v.amount - v.fee, v.fee, -v.excess])
        FROM reversals v JOIN receipts r ON r.tenant_id = v.tenant_id AND r.id = v.receipt_id
    UNION ALL SELECT unnest(ARRAY['outside:' || account_id, 'fees:' || account_id, 'outflow:' || account_id]),
            currency, unnest(ARRAY[amount + fee, -fee, -amount]) * CASE flow WHEN 'out' THEN 1 ELSE -1 END
        FROM outflows
    UNION ALL SELECT CASE WHEN f.status = 'approved' THEN 'refunds:' WHEN f.outflow_id IS NULL THEN 'outside:'
            ELSE 'outflow:' END || r.account_id, f.currency, f.amount - f.taken_back
        FROM refunds f JOIN receipts r ON r.tenant_id = f.tenant_id AND r.id = f.receipt_id
        WHERE f.status IN ('approved', 'paid')
    UNION ALL SELECT CASE a.kind WHEN 'suspense' THEN 'suspense:' || r.account_id
            WHEN 'credit' THEN 'household:' || a.household_id ELSE 'fund:' || a.household_tenant_id END,
            r.currency, a.amount
        FROM allocations a JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id
        WHERE a.kind IN ('suspense', 'credit', 'bill')
    UNION ALL SELECT unnest(ARRAY['fund:' || s.tenant_id,
            'receivable:' || s.payer || coalesce(':' || s.sponsor_id, '') || ':' || s.tenant_id]), s.currency,
            unnest(ARRAY[c.amount, -c.amount])
        FROM claim_lines c JOIN subsidy_claims s ON s.tenant_id = c.tenant_id AND s.id = c.claim_id
        LEFT JOIN claim_answers x ON x.tenant_id = c.tenant_id AND x.line_id = c.id
        WHERE s.state IN ('sent', 'paid') AND x.answer IS DISTINCT FROM 'rejected'
    UNION ALL SELECT unnest(ARRAY['bank:' || s.tenant_id,
            'receivable:' || s.payer || coalesce(':' || s.sponsor_id, '') || ':' || s.tenant_id]), s.currency,
            unnest(ARRAY[-p.amount, p.amount])
        FROM claim_payments p JOIN subsidy_claims s ON s.tenant_id = p.tenant_id AND s.id = p.claim_id
)
SELECT address FROM (SELECT * FROM book UNION ALL SELECT address, currency, -units FROM due) both_sides
GROUP BY address, currency HAVING sum(units) <> 0
"""


# Queries that find what must not exist, by the message for each record found.
BOOKS = {
    "I1 receipt {}: its parts do not add up to its amount": """
        SELECT r.id FROM receipts r
        LEFT JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
        GROUP BY r.tenant_id, r.id, r.amount HAVING coalesce(sum(a.amount), 0) <> r.amount""",
    "I1 receipt {}: a part is negative": """
        SELECT receipt_id FROM allocations GROUP BY receipt_id, kind, bill_line_id, household_id
        HAVING sum(amount) < 0""",
    "I1 household {}: credit is negative": """
        SELECT household_id FROM allocations WHERE kind = 'credit' GROUP BY household_id
        HAVING sum(amount) < 0""",
    "I1 receipt {}: what was taken back is not what its reversals say": """
        SELECT r.id FROM receipts r
        WHERE (SELECT coalesce(sum(v.amount - v.excess), 0) FROM reversals v WHERE v.receipt_id = r.id)
        <> (SELECT coalesce(sum(a.amount), 0) FROM allocations a
            WHERE a.receipt_id = r.id AND a.kind = 'reversed')""",
    "I1 receipt {}: what is refunded is not what its refunds say": """
        SELECT r.id FROM receipts r
        WHERE (SELECT coalesce(sum(f.amount - f.taken_back), 0) FROM refunds f
            WHERE f.receipt_id = r.id AND f.status IN ('approved', 'paid'))
        <> (SELECT coalesce(sum(a.amount), 0) FROM allocations a
            WHERE a.receipt_id = r.id AND a.kind = 'refunded')""",
    "I1 balance {}: the ledger does not say what the receipts say": BALANCES,
    "I2 transaction {}: has several receipts": """
        SELECT transaction FROM receipts GROUP BY account_id, transaction HAVING count(*) > 1""",
    "I2 payment {}: is confirmed without a receipt of its own": """
        SELECT p.id FROM payments p WHERE p.status IN ('confirmed', 'reversed')
        AND NOT EXISTS (SELECT FROM receipts r
            WHERE r.account_id = p.account_id AND lower(r.reference) = p.ref::text)""",
    "I4 notice {}: has no end and nobody was told": """
        SELECT n.id FROM notices n WHERE n.state = 'new' AND n.received_at < :late
        AND NOT EXISTS (SELECT FROM flags f WHERE f.subject = 'notice:' || n.id AND f.closed_at IS NULL)""",
    "I4 payment {}: has no end and nobody was told": """
        SELECT p.id FROM payments p WHERE p.status IN ('requested', 'unknown', 'pending')
        AND p.expires_at < :late
        AND NOT EXISTS (SELECT FROM flags f WHERE f.subject = 'payment:' || p.ref)""",
    "I4 payment {}: nobody will ask about it": """
        SELECT p.id FROM payments p WHERE p.status IN ('requested', 'unknown', 'pending')
        AND NOT EXISTS (SELECT FROM outbox o WHERE o.subject_id = p.id AND o.state = 'waiting')""",
}
BILLS = {
    "I11 bill {}: its shares do not add up to its price": """
        SELECT b.id FROM bills b
        LEFT JOIN bill_lines l
            ON l.tenant_id = b.tenant_id AND l.bill_id = b.id AND l.adjustment_id IS NULL
        GROUP BY b.tenant_id, b.id, b.total HAVING coalesce(sum(l.amount), 0) <> b.total""",
    "I11 bill line {}: has no bill": """
        SELECT id FROM bill_lines l
        WHERE NOT EXISTS (SELECT FROM bills WHERE tenant_id = l.tenant_id AND id = l.bill_id)""",
    "I11 adjustment {}: its lines do not add up to its total": """
        SELECT j.id FROM adjustments j
        LEFT JOIN bill_lines l ON l.tenant_id = j.tenant_id AND l.adjustment_id = j.id
        GROUP BY j.tenant_id, j.id, j.total HAVING coalesce(sum(l.amount), 0) <> j.total""",
    "I11 bill {}: a payer's part of it is negative": """
        SELECT bill_id FROM bill_lines GROUP BY tenant_id, bill_id, payer HAVING sum(amount) < 0""",
    "I11 adjustment {}: names another household than its bill": """
        SELECT j.id FROM adjustments j JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id
        WHERE b.household_id <> j.household_id""",
    "I11 adjustment {}: goes back to older rules": """
        SELECT j.id FROM adjustments j JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id
        WHERE j.version < greatest(b.version, (
            SELECT max(e.version) FROM adjustments e WHERE e.bill_id = b.id AND e.ordinal < j.ordinal))""",
    "I11 sponsor {}: promised more than its cap": """
        SELECT s.id FROM sponsors s JOIN bill_lines l ON l.tenant_id = s.tenant_id AND l.sponsor_id = s.id
        GROUP BY s.tenant_id, s.id, s.cap HAVING sum(l.amount) > s.cap""",
}
# The reminder run of a day after the promised day ends the promise.
PROMISES = {
    "promise {}: its day is over and it has no end": """
        SELECT p.id FROM promises p WHERE p.state = 'open'
        AND EXISTS (SELECT FROM reminder_runs r
            WHERE r.tenant_id = p.tenant_id AND r.day > p.day AND r.ended_at IS NOT NULL)""",
}


def _none_of(queries: Mapping[str, str]) -> Check:
    """Returns the check that none of these queries, by their messages, finds a record."""

    def check(session: Session) -> Iterator[str]:
        late = clock.now() - GIVE_UP
        for message, query in queries.items():
            yield from map(message.format, _ids(session, query, late=late))

    return check


def _rights(session: Session) -> Iterator[str]:
    """Checks I5, a page of households at a time."""
    for tenant_id in session.scalars(select(Tenant.id).order_by(Tenant.id)).all():
        ids = recompute.next_households(session, tenant_id, UUID(int=0))
        while ids:
            comparisons = recompute.compare(session, tenant_id, ids)
            for household in sorted(comparisons, key=lambda household: household.id):
                if household.trouble:
                    yield f"I5 household {household.id}: its rights cannot be computed ({household.trouble})"
                elif household.differs:
                    yield f"I5 household {household.id}: its rights are not what its bills and money say"
            ids = recompute.next_households(session, tenant_id, ids[-1])


APPEND_ONLY = (
    "entries",
    "postings",
    "allocations",
    "reversals",
    "audit",
    "bills",
    "bill_lines",
    "adjustments",
    "ussd_effects",
    "outflows",
)
CLAIM_TABLES = ("claim_lines", "claim_left_out", "claim_answers", "claim_payments")  # append-only, too
GUARDS = {
    *(
        (table, trigger)
        for table in (*APPEND_ONLY, *CLAIM_TABLES)
        for trigger in ("append_only", "no_truncate")
    ),
    *(("receipts", trigger) for trigger in ("same_money", "no_delete", "no_truncate")),
    ("categories", "only_its_end"),
    *(("promises", trigger) for trigger in ("no_delete", "no_truncate")),
    *(("subsidy_claims", trigger) for trigger in ("frozen", "no_delete", "no_truncate", "claim_adds_up")),
    *(("claim_lines", "claimed_once"), ("claim_answers", "was_sent"), ("claim_payments", "was_sent")),
    *(("allocations", "allocations_add_up"), ("bills", "bill_adds_up"), ("bill_lines", "lines_add_up")),
    *(("adjustments", "adjustment_adds_up"), ("bill_lines", "adjusting_lines_add_up")),
    ("bill_lines", "promise_within_cap"),
    ("claim_lines", "of_its_sponsor"),
}


def _guards(session: Session) -> Iterator[str]:
    """Checks that the database still refuses to change the books (I8) and hides every row (I7)."""
    triggers = (
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND t.tgenabled IN ('O', 'A')"
    )
    enabled = {(table, trigger) for table, trigger in session.execute(text(triggers))}
    missing = sorted(GUARDS - enabled)
    yield from (f"I8 table {table}: its guard {trigger} is gone" for table, trigger in missing)
    unprotected = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND relname <> 'alembic_version' AND NOT (relrowsecurity AND relforcerowsecurity)"
    )
    yield from (f"I7 table {row}: does not hide its rows" for row in _ids(session, unprotected))


def _compare(session: Session, movements: Sequence[TrueMovement], broken: list[str]) -> dict[str, int]:
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
        elif row.back != (true.amount if true.reversed else 0):
            differs("different", key, "reversal", true.reversed_at, row.back_at)
        else:
            counts["matched"] += 1
    for key, row in receipts.items():
        # A receipt that was recorded after the list was read is not in the list.
        differs("invented", key, "never moved", row.recorded_at)
    return counts


CHECKS = (
    *(_none_of(BOOKS), _rights, told_day_checks.run, _guards, phone_leaks.phones),
    *(_none_of(BILLS), evidence_checks.broken, claim_checks.run, _none_of(PROMISES)),
)
