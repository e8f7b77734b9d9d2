"""Phone numbers: one canonical form (E.164 with `+`), the form an operator wants, and how to show one.

Validity comes from `phonenumbers`. Benin's numbers of before 30 November 2024 have eight digits and become
`01` + 8 (ARCEP Bénin, national numbering plan in force since that day).
"""

import re

import phonenumbers

from mutuelle.errors import Malformed

PATTERN = re.compile(r"\+?\d(?:[ .\u00a0\u202f-]?\d){7,}")  # what looks like a number in a typed text
WIRE = re.compile(r"\+[1-9][0-9]{7,14}")


def normalize(text: object, country: str | None = None) -> str:
    """The E.164 form with `+`. National forms need `country` (ISO 3166, e.g. `ML`). May raise Malformed."""
    if not isinstance(text, str) or len(text) > 30:
        raise Malformed("not a phone number")
    if country == "BJ" and re.fullmatch(r"(\+229|00229|229)?\d{8}", text):
        text = "+22901" + text[-8:]
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise Malformed("not a phone number") from error
    if not phonenumbers.is_possible_number(number):
        raise Malformed("not a phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def wire(text: object) -> str:
    """Returns a number as gateways send it: `+` and 8 to 15 digits. Malformed without the `+`."""
    if not isinstance(text, str) or not WIRE.fullmatch(text):
        raise Malformed("a phone number begins with + and has 8 to 15 digits")
    return text


def mask(number: str) -> str:
    """`+221••••0001`, safe to log."""
    return f"{number[:4]}••••{number[-4:]}"
