"""True movements to compare our receipts with: what a sandbox's `/truth`, or a file in its form, says really moved."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from mutuelle import clock
from mutuelle.verify import TrueMovement


def read(where: str) -> list[TrueMovement]:
    """The list at a URL or in a file. ValueError when it cannot be understood."""
    if where.startswith(("http://", "https://")):
        with urllib.request.urlopen(where, timeout=30) as answer:  # noqa: S310  # http(s) only, given by the operator of the command
            raw = answer.read()
    else:
        raw = Path(where).read_bytes()
    told = json.loads(raw)
    return [_one(item) for item in (told["movements"] if isinstance(told, dict) else told)]


def _one(item: dict[str, Any]) -> TrueMovement:
    return TrueMovement(
        transaction=item["transaction"],
        operator=item["operator"],
        account=item["account"],
        amount=int(item["amount"]),
        currency=item["currency"],
        at=clock.parse(item["at"]),
        reversed=bool(item["reversed"]),
        reversed_at=clock.parse(item["reversed_at"]) if item.get("reversed_at") else None,
    )
