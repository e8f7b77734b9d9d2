"""My cover: the state, its reason and its dates, then the balance and what paying it would open.

A payment under way is shown first, and the state after it.
"""

from menus import pay, values
from menus.pay import household_of
from menus.screens import Dialogue, End, Goto, Menu, MenuOption, ScreenView, TextChoice
from mutuelle.cover.household_rights import RightsReason, RightsState

STATES = tuple(RightsState)


def entry(view: ScreenView) -> str:
    household = view.facts.household
    if household is None:
        return "cover.none"
    if household.pending:
        return "cover.pending"
    return "cover.due" if household.owed > 0 else "cover.clear"


ENTRY = Goto(("cover.none", "cover.pending", "cover.due", "cover.clear"), entry)


def state_text(view: ScreenView) -> str:
    household = household_of(view)
    state = household.state if household.state in STATES else "never"
    if state == RightsState.OPEN and not household.until:
        return "cover.open-ended"
    if state == RightsState.WAITING and household.reason == RightsReason.PERIOD_TO_COME:
        return "cover.to-come"
    return "cover.not-yet" if state == RightsState.NEVER and household.pending else f"cover.{state}"


def left_text(view: ScreenView) -> str:
    """Returns the text about the balance and what paying it opens."""
    household = household_of(view)
    if household.left_to_open and household.opens_from:
        return "cover.left" if household.left_to_open >= household.owed else "cover.left-part"
    return "cover.owed"


STATE = TextChoice(
    ("cover.open-ended", "cover.to-come", "cover.not-yet", *(f"cover.{name}" for name in STATES)), state_text
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
            prompt=(STATE, TextChoice(("cover.left", "cover.left-part", "cover.owed"), left_text)),
            options=(MenuOption("home.pay", pay.ENTRY),),
        ),
        End("cover.clear", prompt=(STATE, "cover.clear")),
    ),
    values={
        "since": values.date_value(lambda view: household_of(view).since),
        "covered_from": values.date_value(lambda view: household_of(view).covered_from),
        "covered_until": values.date_value(lambda view: household_of(view).covered_until),
        "until": values.date_value(lambda view: household_of(view).until),
    },
)
