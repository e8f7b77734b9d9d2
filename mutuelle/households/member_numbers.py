"""Makes and checks member numbers: ten digits, the first not 0, the last a Damm check digit.

A household has the same number on its card, by SMS and by USSD.
"""

from collections.abc import Callable

from stdnum import damm

from mutuelle.errors import Refused

LENGTH = 10


def new(digits: Callable[[int], str], length: int = LENGTH) -> str:
    """Returns a new number. `digits(n)` returns `n` random digits, the first not 0 (`clock.digits`)."""
    body = digits(length - 1)
    return body + str(damm.calc_check_digit(body))


def check(text: str) -> str:
    """Returns the ten digits of `text`, without spaces, dashes or points.

    Refused("number.wrong") if they are no member number. The check digit finds every single wrong digit and
    every swap of neighbours.
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
