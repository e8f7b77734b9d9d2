"""Makes rule books for tests: a shipped one, such as Senegal's, with some rules replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import Scheme

SOURCE = {"source": "made up for a test"}


def scheme(code: str = "SN-CMU", **rules: dict[str, Any] | list[dict[str, Any]]) -> Scheme:
    """The scheme `code` with one version, in which each of `rules` takes the place of the book's own."""
    book = schemes.get(code)
    values = book.model_dump(by_alias=True, mode="python", exclude_none=True)
    last = max(values["versions"], key=lambda version: version["from"])
    for key, rule in rules.items():
        last[key] = [SOURCE | entry for entry in rule] if isinstance(rule, list) else SOURCE | rule
    return Scheme.model_validate({**values, "versions": [_parts_in_quotes(last)]})


WHOLE_PERIODS = {"claimable": "when-open", "claim_basis": "whole-period", "clause": "Decree 1, section 2"}


def whole_periods(code: str) -> Scheme:
    """The scheme `code`, in which another payer is asked for whole periods by a clause."""
    return scheme(code, subsidy=WHOLE_PERIODS)


WHOLE_PERIOD_BOOKS = ("SN-CMU", "RW-CBHI", "CI-CMU", "ML-RAMED")


@contextmanager
def whole_period_books() -> Iterator[None]:
    """Puts rule books with a clause by which whole periods are claimed in place of the shipped ones."""
    books = schemes.known() | {code: whole_periods(code) for code in WHOLE_PERIOD_BOOKS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemes, "known", lambda: books)
        yield


def _parts_in_quotes(value: Any) -> Any:
    """The value with fractions as a file writes them: `part = "1/2"`."""
    if isinstance(value, dict):
        return {key: _parts_in_quotes(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_parts_in_quotes(entry) for entry in value]
    return f"{value}" if type(value).__name__ == "Fraction" else value


def category(price: dict[str, int], **more: Any) -> dict[str, Any]:
    """A category named `general`."""
    return SOURCE | {"code": "general", "label": {"fr": "x", "en": "x"}, "price": price} | more
