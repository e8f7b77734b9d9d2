"""Writes the text of a reminder: the balance, what paying opens, how to stop reminders.

It is one SMS of one part, whatever the amounts.
"""

from collections.abc import Mapping
from typing import Any

from menus import values
from mutuelle.messaging import gsm7
from mutuelle.money import Money

NAME_MIN = 16  # septets of the mutuelle's name that stay; for more room a sentence is dropped
STOP = "*4*4#"  # after the dialled code: More, SMS reminders; it leads to the question
ROOM = gsm7.SINGLE["gsm7"]


def compose(words: Mapping[str, str], facts: Mapping[str, Any], *, currency: str, mutuelle: str) -> str:
    """Returns the text.

    When it is too long, the mutuelle's name is cut first, then the way to stop is dropped, then the balance.
    """
    filled = {
        "date": values.day(facts["date"]),
        "opens": values.day(facts["opens"]),
        "until": values.day(facts["until"]),
        "to_open": str(Money(facts["to_open"], currency)),
        "left": str(Money(facts["left"], currency)),
        "stop": facts["stop"].removesuffix("#") + STOP,
    }
    when = "" if facts["about"] == "promise" else "-before" if facts["days"] < 0 else "-after"
    parts = [f"reminder.{facts['about']}{when}"]
    parts += ["reminder.pay"] if facts["to_open"] and facts["opens"] else []
    parts += ["reminder.left"] if len(parts) == 1 or facts["left"] != facts["to_open"] else []
    parts += ["reminder.stop"] if facts["stop"] else []
    name = gsm7.fold(mutuelle, unknown="?")
    while True:
        rest = gsm7.fold(" ".join(words[part].format_map(filled) for part in parts))
        room = ROOM - gsm7.septets(f": {rest}")
        if room >= min(NAME_MIN, gsm7.septets(name)) or len(parts) == 1:
            return f"{cut_name(name, room)}: {rest}"
        parts.pop()


def cut_name(name: str, room: int) -> str:
    """Returns the beginning of a mutuelle's name that fits in `room` septets."""
    while gsm7.septets(name) > room:
        name = name[:-1]
    return name.rstrip()
