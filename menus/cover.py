"""My cover: the state, its reason and its dates, then what is left to pay and what that would open.

While a payment is under way that comes first, and the state after it.
"""

from menus import pay, values
from menus.pay import home_of
from menus.screens import Dialogue, End, Goto, Menu, MenuOption, ScreenView, TextChoice

STATES = ("open", "waiting", "part-paid", "lapsed", "suspended", "never")


def entry(view: ScreenView) -> str:
    home = view.facts.household
    if home is None:
        return "cover.none"
    if home.pending:
        return "cover.pending"
    return "cover.due" if home.owed > 0 else "cover.clear"


ENTRY = Goto(("cover.none", "cover.pending", "cover.due", "cover.clear"), entry)


def state(view: ScreenView) -> str:
    home = home_of(view)
    told = home.state if home.state in STATES else "never"
    if told == "open" and not home.until:
        return "cover.open-ended"
    if told == "waiting" and home.reason == "rights.period-to-come":
        return "cover.to-come"
    return "cover.not-yet" if told == "never" and home.pending else f"cover.{told}"


def left(view: ScreenView) -> str:
    """What is left, and what paying it brings."""
    home = home_of(view)
    if home.left_to_open and home.opens_from:
        return "cover.left" if home.left_to_open >= home.owed else "cover.left-part"
    return "cover.owed"


STATE = TextChoice(
    ("cover.open-ended", "cover.to-come", "cover.not-yet", *(f"cover.{name}" for name in STATES)), state
)

COVER = Dialogue(
    screens=(
        Menu("cover.none", prompt="cover.none", options=(MenuOption("home.join", "join.consent"),)),
        Menu(
            "cover.pending",
            prompt=("pay.pending", STATE),
            options=(MenuOption("cover.follow", "pay.pending"),),
        ),
        Menu(
            "cover.due",
            prompt=(STATE, TextChoice(("cover.left", "cover.left-part", "cover.owed"), left)),
            options=(MenuOption("home.pay", pay.ENTRY),),
        ),
        End("cover.clear", prompt=(STATE, "cover.clear")),
    ),
    values={
        "since": values.dated(lambda view: home_of(view).since),
        "covered_from": values.dated(lambda view: home_of(view).covered_from),
        "covered_until": values.dated(lambda view: home_of(view).covered_until),
        "until": values.dated(lambda view: home_of(view).until),
    },
)
