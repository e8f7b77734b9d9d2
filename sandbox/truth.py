"""Lists every payment that really moved money, whatever the product was told about it."""

from typing import Any

from sandbox.journal import Change, Row
from sandbox.kernel import Kernel

SHOWN = (
    "transaction",
    "operator",
    "account",
    "payer",
    "amount",
    "currency",
    "reference",
    "external",
    "at",
    "reversed",
    "reversed_at",
    "returned",
)


class Truth:
    """Movements: one JSON row with the keys of SHOWN per payment.

    `amount` is the gross amount in whole units; `reference` is what the merchant's request carried (Wave:
    `client_reference`; MTN: the X-Reference-Id, with `externalId` under `external`) or None for an
    unsolicited payment. `returned` units of it went back so far; `reversed` says that all of it did.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def movement_change(self, operator: str, transaction: str, **facts: Any) -> Change:
        """Returns the journal change that records a movement; put it with the rest of the payment."""
        row = {
            "transaction": transaction,
            "operator": operator,
            **facts,
            "reversed": False,
            "reversed_at": None,
            "returned": 0,
        }
        return ("truth", f"{operator}:{transaction}", row)

    def reversal_change(self, row: Row, at: str, units: int) -> Change:
        """Returns the journal change that records `units` of a movement given back."""
        returned = row["returned"] + units
        facts = {"reversed": returned == row["amount"], "reversed_at": at, "returned": returned}
        return ("truth", f"{row['operator']}:{row['transaction']}", {**row, **facts})

    def find(self, operator: str, transaction: str) -> Row | None:
        return self._kernel.journal.get("truth", f"{operator}:{transaction}")

    def movements(
        self, operator: str | None = None, account: str | None = None, date: str | None = None
    ) -> list[Row]:
        """Returns movements in order of time; filters by operator, account and UTC day when set."""
        with self._kernel.lock:
            rows = self._kernel.journal.rows("truth")
        return [
            {name: row.get(name) for name in SHOWN}
            for row in rows
            if operator in (None, row["operator"])
            and account in (None, row["account"])
            and row["at"].startswith(date or "")
        ]
