"""Computes the seal (HMAC) of a row of money or of an archive run, so that `verify` detects later changes.

A seal is an HMAC-SHA256 of the row's facts under a key that the database does not hold (derived from
SECRET_KEY). It shows that a fact was changed, not that a row is missing. The operator's fee is not sealed:
it comes later, and the ledger holds it.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mutuelle import crypto

# The facts of each sealed table, which nothing may change but the reference of a receipt, once.
FACTS = {
    "receipts": (
        "tenant_id", "id", "account_id", "transaction", "amount", "currency", "payer_index", "payer_cipher",
        "reference", "moved_at", "recorded_at",
    ),
    "reversals": (
        "tenant_id", "id", "receipt_id", "account_id", "transaction", "amount", "fee", "excess", "own_id",
        "moved_at", "recorded_at",
    ),
    "outflows": (
        "tenant_id", "id", "account_id", "transaction", "flow", "kind", "amount", "fee", "currency",
        "moved_at", "recorded_at",
    ),
    "refunds": (
        "tenant_id", "id", "receipt_id", "amount", "currency", "reason", "asked_by", "asked_at",
    ),
    "archive_runs": ("id", "archived", "ended_before", "row_count", "is_last", "ran_at"),
}  # fmt: skip


def seal(table: str, row: Mapping[str, Any]) -> bytes:
    """Returns the 32-byte seal of a row of `table`, whose columns are in `row`."""
    facts = [table, *(_written(row[name]) for name in FACTS[table])]
    return hmac.digest(crypto.keys().seal, "\x1f".join(facts).encode(), "sha256")


def _written(value: object) -> str:
    """Returns a value as text, the same before it is stored and after it is read."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return "" if value is None else f"{value!s}"
