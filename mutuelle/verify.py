"""Verify: recompute every balance and right, and check the invariants over what is stored.

I1 receipts add up, in the allocations and in the ledger · I2 one receipt per transaction · I4 everything reaches an end or a
person · I5 rights are what bills and money say · I8 the books are append-only · I10 no phone number in what is stored in
the open · I11 shares add up to the price. With true movements: nothing lost, doubled or invented.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import bills, clock, cover
from mutuelle.cover import RightsRow
from mutuelle.households import Household

IN_FLIGHT = timedelta(seconds=60)
GIVE_UP = timedelta(minutes=15)


@dataclass(frozen=True)
class TrueMovement:
    """Money that moved at `operator` on the merchant account `account`, in whole units; perhaps taken back since."""

    transaction: str
    operator: str
    account: str
    amount: int
    currency: str
    at: datetime
    reversed: bool
    reversed_at: datetime | None = None


@dataclass
class Found:
    """What was counted and what is broken; `broken` names the invariant and the record."""

    totals: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.broken, **self.totals, "broken": self.broken}


def run(session: Session, movements: Sequence[TrueMovement] | None = None) -> Found:
    """Check everything the transaction may see: an auditor's, which sees every mutuelle, with one view of the books."""
    found = Found()
    found.totals = _totals(session)
    for check in (_receipts, _ledger, _doubled, _ends, _rights, _guards, _open_words, _bills):
        found.broken += check(session)
    if movements is not None:
        found.totals["truth"] = _compare(session, movements, found.broken)
    return found


def _totals(session: Session) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in ("tenants", "households", "members", "bills", "payments", "receipts", "messages", "notices"):
        told[name] = session.scalar(text(f"SELECT count(*) FROM {name}"))  # noqa: S608  # our own table names
    received: dict[str, dict[str, int]] = defaultdict(lambda: {"received": 0})
    for currency, units in session.execute(text("SELECT currency, sum(amount) FROM receipts GROUP BY currency")):
        received[currency]["received"] = int(units)
    kinds = "SELECT r.currency, a.kind, sum(a.amount) FROM allocations a JOIN receipts r ON r.id = a.receipt_id GROUP BY 1, 2"
    for currency, kind, units in session.execute(text(kinds)):
        received[currency][kind] = int(units)
    told["money"] = dict(received)
    told["flags_open"] = session.scalar(text("SELECT count(*) FROM flags WHERE closed_at IS NULL"))
    return told


def _rows(session: Session, query: str, **values: object) -> Iterator[str]:
    return (str(row[0]) for row in session.execute(text(query), values))


def _receipts(session: Session) -> Iterator[str]:
    """I1 in the allocations."""
    unequal = (
        "SELECT r.id FROM receipts r LEFT JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id"
        " GROUP BY r.tenant_id, r.id, r.amount HAVING coalesce(sum(a.amount), 0) <> r.amount"
    )
    yield from (f"I1 receipt {row}: its parts do not add up to its amount" for row in _rows(session, unequal))
    negative = "SELECT receipt_id FROM allocations GROUP BY receipt_id, kind, bill_line_id, household_id HAVING sum(amount) < 0"
    yield from (f"I1 receipt {row}: a part is negative" for row in _rows(session, negative))
    credit = "SELECT household_id FROM allocations WHERE kind = 'credit' GROUP BY household_id HAVING sum(amount) < 0"
    yield from (f"I1 household {row}: credit is negative" for row in _rows(session, credit))
    taken = (
        "SELECT r.id FROM receipts r WHERE (SELECT coalesce(sum(v.amount), 0) FROM reversals v WHERE v.receipt_id = r.id)"
        " <> (SELECT coalesce(sum(a.amount), 0) FROM allocations a WHERE a.receipt_id = r.id AND a.kind = 'reversed')"
    )
    yield from (f"I1 receipt {row}: what was taken back is not what its reversals say" for row in _rows(session, taken))


def _ledger(session: Session) -> Iterator[str]:
    """I1 in the ledger: each wallet's book balance is what came in, less what went back and what the operator kept."""
    outside = "sum(CASE WHEN p.source = 'outside:' || o.id THEN p.amount ELSE -p.amount END)"
    wallets = (
        f"SELECT o.code FROM operator_accounts o WHERE coalesce((SELECT {outside} FROM postings p"  # noqa: S608  # no values
        " WHERE 'outside:' || o.id IN (p.source, p.target)), 0) <>"
        " coalesce((SELECT sum(r.amount - r.fee) FROM receipts r WHERE r.account_id = o.id), 0)"
        " - coalesce((SELECT sum(v.amount) FROM reversals v WHERE v.account_id = o.id), 0)"
    )
    yield from (f"I1 account {row}: the ledger does not say what its receipts say" for row in _rows(session, wallets))
    homes = (
        "SELECT h.id FROM households h WHERE coalesce((SELECT sum(CASE WHEN p.target = 'household:' || h.id THEN p.amount"
        " ELSE -p.amount END) FROM postings p WHERE 'household:' || h.id IN (p.source, p.target)), 0)"
        " <> coalesce((SELECT sum(a.amount) FROM allocations a WHERE a.household_id = h.id AND a.kind = 'credit'), 0)"
    )
    yield from (f"I1 household {row}: its ledger balance is not its credit" for row in _rows(session, homes))


def _doubled(session: Session) -> Iterator[str]:
    """I2."""
    twice = "SELECT transaction FROM receipts GROUP BY account_id, transaction HAVING count(*) > 1"
    yield from (f"I2 transaction {row}: has several receipts" for row in _rows(session, twice))


def _ends(session: Session) -> Iterator[str]:
    """I4."""
    late = {"late": clock.now() - GIVE_UP}
    notices = "SELECT id FROM notices WHERE state = 'new' AND received_at < :late"
    yield from (f"I4 notice {row}: has no end and nobody was told" for row in _rows(session, notices, **late))
    waiting = (
        "SELECT p.id FROM payments p WHERE p.status IN ('requested', 'unknown', 'pending') AND p.expires_at < :late"
        " AND NOT EXISTS (SELECT FROM flags f WHERE f.subject = 'payment:' || p.ref)"
    )
    yield from (f"I4 payment {row}: has no end and nobody was told" for row in _rows(session, waiting, **late))
    forgotten = (
        "SELECT p.id FROM payments p WHERE p.status IN ('requested', 'unknown', 'pending')"
        " AND NOT EXISTS (SELECT FROM outbox o WHERE o.subject_id = p.id AND o.state = 'waiting')"
    )
    yield from (f"I4 payment {row}: nobody will ask about it" for row in _rows(session, forgotten))


def _rights(session: Session) -> Iterator[str]:
    """I5, household by household."""
    for home in session.scalars(select(Household).order_by(Household.tenant_id, Household.id)):
        owed = bills.of_household(session, home.tenant_id, home.id)
        wanted = cover.timeline_of(owed, cover.money_on(session, home.tenant_id, home.id))
        mine = (RightsRow.tenant_id == home.tenant_id, RightsRow.household_id == home.id)
        stored = session.scalars(select(RightsRow).where(*mine).order_by(RightsRow.since))
        if [(i.state, i.since, i.until) for i in wanted] != [(row.state, row.since, row.until) for row in stored]:
            yield f"I5 household {home.id}: its rights are not what its bills and money say"


def _guards(session: Session) -> Iterator[str]:
    """I8: the database still refuses to change the books."""
    guarded = ("entries", "postings", "allocations", "reversals", "audit", "bill_lines", "ussd_effects")
    armed = (
        "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgname = 'append_only' AND t.tgenabled IN ('O', 'A')"
    )
    found = set(_rows(session, armed))
    yield from (f"I8 table {name}: is no longer append-only" for name in guarded if name not in found)


OPEN_WORDS = {
    "messages": "concat(text, ' ', facts, ' ', provider_status)",
    "audit": "concat(subject, ' ', facts)",
    "flags": "concat(subject, ' ', reason)",
    "notices": "outcome",
    "outbox": "outcome",
    "payments": "concat(reason, ' ', operator_ref, ' ', link)",
    "ussd_sessions": "concat(opening, ' ', heard, ' ', report)",
    "ussd_effects": "outcome::text",
    "consents": "text_version",
}


def _open_words(session: Session) -> Iterator[str]:
    """I10 over what is stored unencrypted: no full phone number in international form."""
    for name, words in OPEN_WORDS.items():
        query = f"SELECT count(*) FROM {name} WHERE {words} ~ '[+][1-9][0-9]{{7}}'"  # noqa: S608  # our own table names
        if session.scalar(text(query)):
            yield f"I10 table {name}: holds a phone number in the open"


def _bills(session: Session) -> Iterator[str]:
    """I11."""
    unequal = (
        "SELECT b.id FROM bills b LEFT JOIN bill_lines l ON l.tenant_id = b.tenant_id AND l.bill_id = b.id"
        " GROUP BY b.tenant_id, b.id, b.total HAVING coalesce(sum(l.amount), 0) <> b.total"
    )
    yield from (f"I11 bill {row}: its shares do not add up to its price" for row in _rows(session, unequal))


def _compare(session: Session, movements: Sequence[TrueMovement], broken: list[str]) -> dict[str, int]:
    """Our receipts against what really moved; what is younger than a minute is in flight."""
    late = clock.now() - IN_FLIGHT
    query = (
        "SELECT o.operator, o.code, r.transaction, r.amount, r.currency,"
        " coalesce((SELECT sum(v.amount) FROM reversals v WHERE v.receipt_id = r.id), 0) AS back"
        " FROM receipts r JOIN operator_accounts o ON o.id = r.account_id"
    )
    ours = {(row.operator, row.code, row.transaction): row for row in session.execute(text(query))}
    told = {"movements": len(movements), "matched": 0, "in_flight": 0, "lost": 0, "invented": 0, "different": 0}
    for true in movements:
        row = ours.pop((true.operator, true.account, true.transaction), None)
        if row is None:
            young = true.at > late
            told["in_flight" if young else "lost"] += 1
            broken += [] if young else [f"LOST {true.operator} {true.account} {true.transaction}: no receipt"]
        elif (row.amount, row.currency) != (true.amount, true.currency):
            told["different"] += 1
            broken.append(f"DIFFERENT {true.operator} {true.account} {true.transaction}: amount or currency")
        elif int(row.back) != (true.amount if true.reversed else 0):
            young = true.reversed_at is not None and true.reversed_at > late
            told["in_flight" if young else "different"] += 1
            broken += [] if young else [f"DIFFERENT {true.operator} {true.account} {true.transaction}: reversal"]
        else:
            told["matched"] += 1
    told["invented"] = len(ours)
    broken += [f"INVENTED {operator} {account} {transaction}: never moved" for operator, account, transaction in ours]
    return told
