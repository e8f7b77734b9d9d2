"""Reads the forms that aggregators post: each field at most once, no control characters, nothing repaired.

Shared by the adapters of `gateway.ussd` and `gateway.sms`. Takes the decoded pairs, repeats included
(`request.form.items(multi=True)`), so that it needs no web framework. No exception text quotes a value,
because it may be a phone number or a PIN.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from mutuelle import clock
from mutuelle.errors import Malformed

Pairs = Iterable[tuple[str, str]]
NAIVE = "%Y-%m-%d %H:%M:%S"
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # Unicode categories Cc and Cs
CONTROL_IN_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def fields(pairs: Pairs) -> dict[str, str]:
    """The form as a mapping. Raises Malformed when a field comes twice: readers might pick different ones."""
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise Malformed("a field came twice")
        form[name] = value
    return form


def text(form: Mapping[str, str], name: str, longest: int, empty: bool = False, lines: bool = False) -> str:
    """The field `name`. Raises Malformed when it is missing, longer than `longest`, or empty without `empty`.

    Control characters are refused too; `lines` allows line ends and tabs.
    """
    value = form.get(name)
    if value is None:
        raise Malformed(f"{name} is missing")
    if len(value) > longest:
        raise Malformed(f"{name} is longer than {longest}")
    if not value and not empty:
        raise Malformed(f"{name} is empty")
    if (CONTROL_IN_LINES if lines else CONTROL).search(value):
        raise Malformed(f"{name} holds control characters")
    return value


def optional(form: Mapping[str, str], name: str, longest: int) -> str | None:
    """The field `name`. None when it is absent or empty."""
    return text(form, name, longest) if form.get(name) else None


def count(form: Mapping[str, str], name: str) -> int | None:
    """The field `name` as a whole number of at most 12 digits. None when it is absent or empty."""
    value = optional(form, name, 12)
    if value is not None and not (value.isascii() and value.isdigit()):
        raise Malformed(f"{name} is not a whole number")
    return None if value is None else int(value)


def moment(form: Mapping[str, str], name: str) -> datetime | None:
    """The UTC moment in `name`: `2017-05-03 06:04:45` or `2017-05-03T06:04:45.123Z`. None when absent."""
    value = optional(form, name, 40)
    if value is None:
        return None
    try:
        return datetime.strptime(value, NAIVE).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return clock.parse(value)
    except (Malformed, OverflowError):
        raise Malformed(f"{name} is not a moment") from None
