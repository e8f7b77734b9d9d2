"""Reads true movements to compare receipts with, from a sandbox's `/truth` or a file in its form."""

import json
from pathlib import Path
from typing import Any

import httpx

from gateway import http_client
from mutuelle import clock
from mutuelle.verification.true_movements import TrueMovement


def read(source: str) -> list[TrueMovement]:
    """The list at a URL or in a file. Raises ValueError with one line that says why it cannot be read."""
    try:
        payload = json.loads(_raw(source))
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise ValueError(f"cannot read {source}: {reason}") from error
    except ValueError as error:
        raise ValueError(f"{source} is not JSON") from error
    items = payload.get("movements") if isinstance(payload, dict) else payload
    if not isinstance(items, list):
        raise ValueError(f"{source} is not a list of movements")
    return [_movement(number, item) for number, item in enumerate(items, 1)]


def _raw(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        with http_client.client() as http:
            return http.get(source, timeout=30).raise_for_status().content
    return Path(source).read_bytes()


def _movement(number: int, item: Any) -> TrueMovement:
    try:
        movement = TrueMovement(
            transaction=item["transaction"],
            operator=item["operator"],
            account=item["account"],
            amount=item["amount"],
            currency=item["currency"],
            at=clock.parse(item["at"]),
            returned=_returned(item),
            returned_at=clock.parse(item["reversed_at"]) if item.get("reversed_at") else None,
            reference=item.get("reference") or None,
        )
    except KeyError as missing:
        raise ValueError(f"movement {number} has no {missing}") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"movement {number} cannot be understood: {error}") from None
    texts = (
        movement.transaction,
        movement.operator,
        movement.account,
        movement.currency,
        movement.reference or "",
    )
    if (
        not all(isinstance(text, str) for text in texts)
        or type(movement.amount) is not int
        or type(movement.returned) is not int
    ):
        raise ValueError(
            f"movement {number}: amount is a whole number, reversed true or false, the rest words"
        )
    return movement


def _returned(item: Any) -> Any:
    """Returns the units that went back: `returned` where the list has it, else all if `reversed`, or none."""
    if type(item["reversed"]) is not bool:
        raise ValueError("is not reversed true or false")
    return item.get("returned", item["amount"] if item["reversed"] else 0)
