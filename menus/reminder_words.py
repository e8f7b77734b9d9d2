"""The words of a reminder: what is left, what paying opens, how to end reminders; one SMS of one part,
whatever the amounts."""

from collections.abc import Mapping
from typing import Any

from menus import values
from mutuelle.messaging import gsm7
from mutuelle.money import Money

NAME_MIN = 16  # letters of the mutuelle's name that are kept before a sentence gives way
STOP = "*4*4#"  # behind the dialled code: More, SMS reminders; it stops at the question
ROOM = gsm7.SINGLE["gsm7"]


def compose(words: Mapping[str, str], facts: Mapping[str, Any], *, currency: str, mutuelle: str) -> str:
    """The text. When it is long the way to stop gives way, then what is left; the name is cut before
    either."""
    told = {
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
        rest = gsm7.fold(" ".join(words[part].format_map(told) for part in parts))
        room = ROOM - gsm7.septets(f": {rest}")
        if room >= min(NAME_MIN, gsm7.septets(name)) or len(parts) == 1:
            return f"{cut(name, room)}: {rest}"
        parts.pop()


def cut(name: str, room: int) -> str:
    """The beginning of a mutuelle's name that fits in `room` septets."""
    while gsm7.septets(name) > room:
        name = name[:-1]
    return name.rstrip()
