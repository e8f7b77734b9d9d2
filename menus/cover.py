"""My cover: the state, its reason and its dates, then what is left to pay and what that would open."""

from datetime import date, timedelta

from menus import pay, spoken
from menus.pay import home_of
from menus.screens import Dialogue, End, Goto, Menu, Option, Pick, View

STATES = ("open", "waiting", "part-paid", "lapsed", "suspended", "never")


def entry(view: View) -> str:
    home = view.facts.household
    if home is None:
        return "cover.none"
    return "cover.due" if home.owed > 0 or home.pending else "cover.clear"


ENTRY = Goto(("cover.none", "cover.due", "cover.clear"), entry)


def state(view: View) -> str:
    home = home_of(view)
    told = home.state if home.state in STATES else "never"
    return "cover.open-ended" if told == "open" and not home.until else f"cover.{told}"


def covered_from(view: View) -> date | None:
    """The day after the waiting time."""
    until = home_of(view).until
    return date.fromisoformat(until) + timedelta(1) if until else None


def left(view: View) -> str:
    """What is left, and what paying it brings."""
    home = home_of(view)
    if home.pending:
        return "cover.pending"
    if home.left_to_open and home.opens_from:
        return "cover.left" if home.left_to_open >= home.owed else "cover.left-part"
    return "cover.owed"


STATE = Pick(("cover.open-ended", *(f"cover.{name}" for name in STATES)), state)

COVER = Dialogue(
    screens=(
        Menu("cover.none", prompt="cover.none", options=(Option("home.join", "join.consent"),)),
        Menu(
            "cover.due",
            prompt=(STATE, Pick(("cover.pending", "cover.left", "cover.left-part", "cover.owed"), left)),
            options=(Option("home.pay", pay.ENTRY),),
        ),
        End("cover.clear", prompt=(STATE, "cover.clear")),
    ),
    values={
        "since": spoken.dated(lambda view: home_of(view).since),
        "covered_from": spoken.dated(covered_from),
        "until": spoken.dated(lambda view: home_of(view).until),
    },
)
