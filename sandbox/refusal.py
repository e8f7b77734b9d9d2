"""The error of the control API: an HTTP status, what was wrong, and what to do about it."""

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
    """Returns a number in international form. Adds a missing `+` and repairs nothing else.

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
    """Returns a whole number of currency units from a number or digits; refuses floats and booleans."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value < 10**12:
        raise Refusal(400, f"{value!r} is not an amount", f"give a whole number of at least {at_least}")
    return value


def text_field(payload: dict[str, Any], name: str, default: str | None = None) -> str:
    """Returns the text field `name` of a control body; without a default it is required."""
    value = payload.get(name, default)
    if not isinstance(value, str):
        raise Refusal(400, f"{name!r} is missing or is not text", f'send {{"{name}": "…"}}')
    return value
