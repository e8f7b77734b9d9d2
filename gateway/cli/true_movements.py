"""True movements to compare our receipts with: what a sandbox's `/truth`, or a file in its form, says really
moved."""

import json
from pathlib import Path
from typing import Any

import httpx

from mutuelle import clock
from mutuelle.verification.verify import TrueMovement


def read(where: str) -> list[TrueMovement]:
    """The list at a URL or in a file. ValueError says in one line why it cannot be read or understood."""
    try:
        told = json.loads(_raw(where))
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        said = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise ValueError(f"cannot read {where}: {said}") from error
    except ValueError as error:
        raise ValueError(f"{where} is not JSON") from error
    listed = told.get("movements") if isinstance(told, dict) else told
    if not isinstance(listed, list):
        raise ValueError(f"{where} is not a list of movements")
    return [_one(place, item) for place, item in enumerate(listed, 1)]


def _raw(where: str) -> bytes:
    if where.startswith(("http://", "https://")):
        return httpx.get(where, timeout=30, trust_env=False).raise_for_status().content
    return Path(where).read_bytes()


def _one(place: int, item: Any) -> TrueMovement:
    try:
        told = TrueMovement(
            transaction=item["transaction"],
            operator=item["operator"],
            account=item["account"],
            amount=item["amount"],
            currency=item["currency"],
            at=clock.parse(item["at"]),
            reversed=item["reversed"],
            reversed_at=clock.parse(item["reversed_at"]) if item.get("reversed_at") else None,
            reference=item.get("reference") or None,
        )
    except KeyError as missing:
        raise ValueError(f"movement {place} has no {missing}") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"movement {place} cannot be understood: {error}") from None
    words = (told.transaction, told.operator, told.account, told.currency, told.reference or "")
    if (
        not all(isinstance(word, str) for word in words)
        or type(told.amount) is not int
        or type(told.reversed) is not bool
    ):
        raise ValueError(
            f"movement {place}: amount is a whole number, reversed true or false, the rest words"
        )
    return told
