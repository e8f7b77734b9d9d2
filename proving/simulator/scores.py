"""Compares the books with the movements: shares of money that arrived where it was meant, and one digest."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from mutuelle import crypto
from proving.demo.demo import PLACES, DemoMutuelle
from proving.simulator import cover_truth
from proving.simulator.cover_truth import PaidMoney

Meant = Mapping[str, tuple[str, DemoMutuelle, bool]]  # transaction -> (phone, mutuelle, registered)
Part = tuple[Any, str, int, str]  # household or None, kind, units, reason

# The household of each part of a receipt, or NULL; without what the operator took back.
PARTS = """
SELECT o.operator, r.transaction, a.household_id, a.kind, sum(a.amount)::bigint, min(a.reason)
FROM receipts r JOIN operator_accounts o ON o.id = r.account_id
JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
WHERE a.reason <> 'the operator took it back' GROUP BY 1, 2, 3, 4 HAVING sum(a.amount) <> 0 ORDER BY 1, 2, 3,
4
"""
HOUSEHOLDS = """
SELECT t.code, p.blind_index, p.household_id FROM phones p JOIN tenants t ON t.id = p.tenant_id WHERE p.until
IS NULL
"""
# The final books. Ids and references come from the seed; ciphertexts hold nonces and are left out.
BOOKS = (
    "SELECT number, language, joined_at FROM households ORDER BY number",
    "SELECT o.code, r.transaction, r.amount, r.fee, r.reference, r.door, r.moved_at, r.recorded_at"
    " FROM receipts r JOIN operator_accounts o ON o.id = r.account_id ORDER BY 1, 2",
    "SELECT r.transaction, a.kind, h.number, a.amount, a.on_day, a.at, a.reason"
    " FROM allocations a JOIN receipts r ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id"
    " LEFT JOIN households h ON h.id = a.household_id"
    " ORDER BY 1, a.at, 2, 3, 4",
    "SELECT transaction, amount, moved_at, recorded_at FROM reversals ORDER BY 1",
    "SELECT source, target, currency, sum(amount)::text, count(*) FROM postings"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "SELECT h.number, r.since, r.until, r.state FROM rights r JOIN households h ON h.id = r.household_id"
    " ORDER BY 1, 2",
    "SELECT ref, amount, status, reason, created_at, settled_at FROM payments ORDER BY ref",
    "SELECT kind, subject, reason, opened_at FROM flags ORDER BY 1, 2, 4",
    "SELECT kind, status, text, created_at, sent_at FROM messages ORDER BY created_at, kind, text",
    "SELECT door, provider, state, outcome, times, attempts, received_at, ended_at FROM notices"
    " ORDER BY received_at, door, outcome",
)


@dataclass
class Scores:
    """Money in whole units of its currency; shares are of money."""

    payments: int
    touched: float
    precision: float
    recall: float
    recall_reference: float
    recall_phone: float
    doubled: int
    lost: int
    suspense_by_cause: dict[str, int]
    broken: list[str]


def digest(books: psycopg.Connection) -> str:
    """Returns the SHA-256 of the final books."""
    books_hash = hashlib.sha256()
    for query in BOOKS:
        for row in books.execute(query):
            books_hash.update(json.dumps(row, default=str).encode() + b"\n")
        books_hash.update(b"--\n")
    return books_hash.hexdigest()


class _Tally:
    """Adds up, movement by movement, where the books put the money; `broken` names what is wrong."""

    def __init__(self, broken: list[str]) -> None:
        self.sums, self.causes, self.broken = Counter[str](), Counter[str](), broken
        self.paid = defaultdict[Any, PaidMoney](PaidMoney)

    def add(self, movement: dict[str, Any], parts: Sequence[Part], household: Any, way: str | None) -> None:
        """Adds one movement meant for `household`; `way` is how the product can know that, or None."""
        name, amount = f"{movement['operator']} {movement['transaction']}", movement["amount"]
        right = paid_back = 0
        for part_household, kind, units, reason in parts:
            if part_household is None:
                self.causes[reason] += 1 if kind == "suspense" else 0
                paid_back += units if kind == "refunded" else 0
                continue
            self.sums["attributed"] += units
            if part_household == household:
                right += units
            else:
                self.broken.append(f"WRONG {name}: {units} went to another household")
        if household is not None:
            # A refund and a reversal may be about the same units: at least the larger of them went back.
            gone = max(movement["returned"], paid_back)
            self.paid[household].add(datetime.fromisoformat(movement["at"]), amount, gone)
        self.sums["right"] += right
        if way is not None:
            self.sums[way] += amount
            self.sums[f"{way} found"] += min(right + paid_back, amount)
            if right + paid_back < amount:
                self.broken.append(f"MISSED {name}: {right} of {amount} attributed by {way}")
        if right + paid_back > amount:
            self.broken.append(f"DOUBLED {name}: {right} of {amount}")


def score(
    books: psycopg.Connection,
    truth: Sequence[dict[str, Any]],
    meant: Meant,
    struck: Sequence[dict[str, Any]],
    verified: dict[str, Any],
    now: datetime,
) -> Scores:
    """Compares the books with what the simulator knows. `verified` is the report of `mutuelle verify`."""
    tally = _tally(books, truth, meant, list[str](verified["broken"]))
    sums, broken = tally.sums, tally.broken
    broken += cover_truth.broken(books, tally.paid, now)
    doubled = _doubled(truth, broken)
    requests = {str(ref) for (ref,) in books.execute("SELECT ref FROM payments")}
    unsolicited = {movement["transaction"] for movement in truth if movement["reference"] is None}
    payments = requests | unsolicited
    hit = {strike["reference"] for strike in struck if strike["operator"] in ("wave", "mtn")} & payments
    return Scores(
        payments=len(payments),
        touched=_share(len(hit), len(payments)),
        precision=_share(sums["right"], sums["attributed"]),
        recall=_share(sums["reference found"] + sums["phone found"], sums["reference"] + sums["phone"]),
        recall_reference=_share(sums["reference found"], sums["reference"]),
        recall_phone=_share(sums["phone found"], sums["phone"]),
        doubled=doubled + sum(line.startswith(("DOUBLED", "I2")) for line in broken),
        lost=verified["truth"]["lost"] + verified["truth"]["different"],
        suspense_by_cause=dict(sorted(tally.causes.items())),
        broken=broken,
    )


def _tally(
    books: psycopg.Connection, truth: Sequence[dict[str, Any]], meant: Meant, broken: list[str]
) -> _Tally:
    households = {(code, bytes(index)): household for code, index, household in books.execute(HOUSEHOLDS)}
    parts: dict[tuple[str, str], list[Part]] = {}
    for operator, transaction, *part in books.execute(PARTS):
        parts.setdefault((operator, transaction), []).append(tuple(part))
    tally = _Tally(broken)
    for movement in truth:
        mutuelle = next(place for place in PLACES if place.code == movement["account"])
        phone: str = movement["payer"]
        way: str | None = "reference"
        if movement["reference"] is None:
            phone, _, registered = meant[movement["transaction"]]
            way = "phone" if registered else None
        household = households.get((mutuelle.code, crypto.blind_index(phone)))
        tally.add(movement, parts.get((movement["operator"], movement["transaction"]), []), household, way)
    return tally


def _doubled(truth: Sequence[dict[str, Any]], broken: list[str]) -> int:
    """Counts our requests that took a payer's money more than once."""
    times = Counter(movement["reference"] for movement in truth if movement["reference"])
    twice = [reference for reference, count in times.items() if count > 1]
    broken += [
        f"DOUBLED-REQUEST {reference}: took the payer's money {times[reference]} times" for reference in twice
    ]
    return len(twice)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 1.0
