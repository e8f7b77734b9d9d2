"""Member numbers: ten digits, the first not 0, the last a Damm check digit; the same on card, SMS and
USSD."""

from collections.abc import Callable

from stdnum import damm

from mutuelle.errors import Refused

LENGTH = 10


def new(digits: Callable[[int], str], length: int = LENGTH) -> str:
    """A fresh number. `digits(count)` gives that many random digits, the first not 0 (`clock.digits`)."""
    body = digits(length - 1)
    return body + str(damm.calc_check_digit(body))


def check(text: str) -> str:
    """The ten digits a person wrote, without spaces, dashes or points. Refused when they are no member
    number.

    Every single wrong digit and every swap of neighbours is found.
    """
    number = text.translate(str.maketrans("", "", " -."))
    if (
        len(number) != LENGTH
        or not (number.isascii() and number.isdecimal())
        or number[0] == "0"
        or not damm.is_valid(number)
    ):
        raise Refused("number.wrong")
    return number
