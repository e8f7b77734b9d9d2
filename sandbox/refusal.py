"""One way to say no on the control API: an HTTP status, what was wrong, and what to do about it."""

import re
from typing import Any


class Refusal(Exception):
    """Becomes `{"error": …, "do": …}` with `status`."""

    def __init__(self, status: int, error: str, do: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.do = do


def phone_number(text: str) -> str:
    """A number in international form; the `+` may be missing, nothing else is repaired.

    >>> phone_number("221770000001")
    '+221770000001'
    """
    digits = text.removeprefix("+")
    if not re.fullmatch(r"[1-9][0-9]{7,14}", digits):
        raise Refusal(
            400,
            f"{text!r} is not a phone number",
            "write 8 to 15 digits with the country code, as +221770000001",
        )
    return "+" + digits


def whole_amount(value: Any, at_least: int = 1) -> int:
    """A whole number of currency units, given as a number or as digits; floats and booleans are refused."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value < 10**12:
        raise Refusal(400, f"{value!r} is not an amount", f"give a whole number of at least {at_least}")
    return value


def text_of(said: dict[str, Any], name: str, default: str | None = None) -> str:
    """The text field `name` of a control body; without a default it must be there."""
    value = said.get(name, default)
    if not isinstance(value, str):
        raise Refusal(400, f"{name!r} is missing or is not text", f'send {{"{name}": "…"}}')
    return value
