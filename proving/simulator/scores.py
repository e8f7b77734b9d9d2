"""Books against truth: what became of every franc that moved, how much of it where it was meant, and one
digest of it all."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from mutuelle import crypto
from proving.demo.demo import PLACES, Place

Meant = Mapping[str, tuple[str, Place, bool]]

# Where each unit of a receipt is, what the operator took back left out: the household it was put on, or none.
PARTS = """
SELECT o.operator, r.transaction, a.household_id, a.kind, sum(a.amount)::bigint, min(a.reason)
FROM receipts r JOIN operator_accounts o ON o.id = r.account_id
JOIN allocations a ON a.tenant_id = r.tenant_id AND a.receipt_id = r.id
WHERE a.reason <> 'the operator took it back' GROUP BY 1, 2, 3, 4 HAVING sum(a.amount) <> 0 ORDER BY 1, 2, 3,
4
"""
HOMES = """
SELECT t.code, p.blind_index, p.household_id FROM phones p JOIN tenants t ON t.id = p.tenant_id WHERE p.until
IS NULL
"""
# The final books. Ids and references come from the seed and may stay; ciphertexts hold nonces and are left
# out.
BOOKS = (
    "SELECT number, language, joined_at FROM households ORDER BY number",
    "SELECT o.code, r.transaction, r.amount, r.fee, r.reference, r.door, r.moved_at, r.recorded_at"
    " FROM receipts r JOIN operator_accounts o ON o.id = r.account_id ORDER BY 1, 2",
    "SELECT r.transaction, a.kind, h.number, a.amount, a.on_day, a.at, a.reason FROM allocations a JOIN receipts r"
    " ON r.tenant_id = a.tenant_id AND r.id = a.receipt_id LEFT JOIN households h ON h.id = a.household_id"
    " ORDER BY 1, a.at, 2, 3, 4",
    "SELECT transaction, amount, moved_at, recorded_at FROM reversals ORDER BY 1",
    "SELECT source, target, currency, sum(amount)::text, count(*) FROM postings GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "SELECT h.number, r.since, r.until, r.state FROM rights r JOIN households h ON h.id = r.household_id ORDER BY 1, 2",
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
    """SHA-256 over the final books."""
    whole = hashlib.sha256()
    for query in BOOKS:
        for row in books.execute(query):
            whole.update(json.dumps(row, default=str).encode() + b"\n")
        whole.update(b"--\n")
    return whole.hexdigest()


def score(
    books: psycopg.Connection,
    truth: Sequence[dict[str, Any]],
    meant: Meant,
    struck: Sequence[dict[str, Any]],
    verified: dict[str, Any],
) -> Scores:
    """Compare what the books say with what the simulator knows. `verified` is what `mutuelle verify`
    found."""
    homes = {(code, bytes(index)): home for code, index, home in books.execute(HOMES)}
    parts: dict[tuple[str, str], list[tuple[Any, str, int, str]]] = {}
    for operator, transaction, home, kind, units, reason in books.execute(PARTS):
        parts.setdefault((operator, transaction), []).append((home, kind, units, reason))
    sums, broken = Counter[str](), list[str](verified["broken"])
    causes: Counter[str] = Counter()
    for true in truth:
        place = next(place for place in PLACES if place.code == true["account"])
        known = true["reference"] is not None
        phone, clear = (
            (true["payer"], True) if known else (meant[true["transaction"]][0], meant[true["transaction"]][2])
        )
        target = homes.get((place.code, crypto.blind_index(phone)))
        right = 0
        for home, kind, units, reason in parts.get((true["operator"], true["transaction"]), []):
            if home is None:
                causes[reason] += 1 if kind == "suspense" else 0
                continue
            sums["attributed"] += units
            if home == target:
                right += units
            else:
                broken.append(
                    f"WRONG {true['operator']} {true['transaction']}: {units} went to another household"
                )
        sums["right"] += right
        if clear:
            way = "reference" if known else "phone"
            sums[way] += true["amount"]
            sums[f"{way} found"] += min(right, true["amount"])
            if right < true["amount"]:
                broken.append(
                    f"MISSED {true['operator']} {true['transaction']}: {right} of {true['amount']} attributed by {way}"
                )
        if right > true["amount"]:
            broken.append(f"DOUBLED {true['operator']} {true['transaction']}: {right} of {true['amount']}")
    doubled = _doubled(truth, broken)
    asked = {str(ref) for (ref,) in books.execute("SELECT ref FROM payments")}
    unasked = {true["transaction"] for true in truth if true["reference"] is None}
    hit = {one["reference"] for one in struck if one["operator"] in ("wave", "mtn")} & (asked | unasked)
    found = sums["reference found"] + sums["phone found"]
    return Scores(
        payments=len(asked | unasked),
        touched=_share(len(hit), len(asked | unasked)),
        precision=_share(sums["right"], sums["attributed"]),
        recall=_share(found, sums["reference"] + sums["phone"]),
        recall_reference=_share(sums["reference found"], sums["reference"]),
        recall_phone=_share(sums["phone found"], sums["phone"]),
        doubled=doubled + sum(line.startswith(("DOUBLED", "I2")) for line in broken),
        lost=verified["truth"]["lost"] + verified["truth"]["different"],
        suspense_by_cause=dict(sorted(causes.items())),
        broken=broken,
    )


def _doubled(truth: Sequence[dict[str, Any]], broken: list[str]) -> int:
    """How many of our requests took a payer's money more than once."""
    times = Counter(true["reference"] for true in truth if true["reference"])
    twice = [reference for reference, count in times.items() if count > 1]
    broken += [
        f"DOUBLED-REQUEST {reference}: took the payer's money {times[reference]} times" for reference in twice
    ]
    return len(twice)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 1.0
