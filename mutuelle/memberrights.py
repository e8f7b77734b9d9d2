"""What one person of a household may claim on a day, from the household's time line and the rule book. Pure.

A person has the household's rights, unless the bill's rules left the person out, or spare this one the waiting days.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from mutuelle import rights
from mutuelle.quotes import age
from mutuelle.rights import Interval
from mutuelle.versions import Version


def spared(version: Version, born: int, classes: Collection[str], day: date) -> bool:
    """Whether a person born in the year `born`, of these `classes` (such as `pregnant`), does not wait on `day`."""
    rule = version.waiting
    return age(born, day) < rule.waived_below or not set(rule.waived).isdisjoint(classes)


def on(
    version: Version, timeline: Sequence[Interval], born: Sequence[int], place: int, day: date, classes: Collection[str] = ()
) -> Interval:
    """The right on `day` of the person at `place` in the bill's list `born`, under the `version` of that bill.

    Who is over the scheme's limit is `never` covered. Who is spared the waiting is open while the household waits for
    cover it has paid; a fixed year that has not begun is no waiting, and nobody is spared it.
    """
    found = rights.on(timeline, day)
    if place >= version.household.people_max:
        return replace(found, state="never", reason="rights.over-limit", next_step="rights.ask-agent")
    if found.reason == "rights.waiting" and spared(version, born[place], classes, day):
        return replace(found, state="open", reason="rights.open", next_step="rights.nothing-to-do")
    return found
