"""Rule books made up for tests: Senegal's, with some rules told otherwise."""

from typing import Any

from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import Scheme

SOURCE = {"source": "made up for a test"}


def scheme(code: str = "SN-CMU", **rules: dict[str, Any] | list[dict[str, Any]]) -> Scheme:
    """The scheme `code` with one version, in which each of `rules` takes the place of the book's own."""
    book = schemes.get(code)
    told = book.model_dump(by_alias=True, mode="python", exclude_none=True)
    last = max(told["versions"], key=lambda version: version["from"])
    for key, rule in rules.items():
        last[key] = [SOURCE | one for one in rule] if isinstance(rule, list) else SOURCE | rule
    return Scheme.model_validate({**told, "versions": [_parts_in_quotes(last)]})


def _parts_in_quotes(told: Any) -> Any:
    """As a file writes them: `part = "1/2"`."""
    if isinstance(told, dict):
        return {key: _parts_in_quotes(one) for key, one in told.items()}
    if isinstance(told, list | tuple):
        return [_parts_in_quotes(one) for one in told]
    return f"{told}" if type(told).__name__ == "Fraction" else told


def category(price: dict[str, int], **more: Any) -> dict[str, Any]:
    """A category named `general`."""
    return SOURCE | {"code": "general", "label": {"fr": "x", "en": "x"}, "price": price} | more
