"""Pay later: the household promises to pay at the end of a month or in a coming season.

The screens say that a promise is no loan and opens no rights.
"""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from menus import values
from menus.screens import (
    Confirm,
    Dialogue,
    EffectRequest,
    End,
    Goto,
    Menu,
    MenuOption,
    ScreenView,
    TextChoice,
    Value,
    value,
)
from mutuelle.payments import promises

# A household with an open promise sees it, and makes no second one.
ENTRY = Goto(
    ("promise.given", "promise.when"),
    lambda view: (
        "promise.given" if view.facts.household and view.facts.household.promised else "promise.when"
    ),
)


def _today(view: ScreenView) -> date:
    return date.fromisoformat(view.facts.on)


def _until(view: ScreenView) -> date | None:
    until = view.facts.household and view.facts.household.promise_until
    return date.fromisoformat(until) if until else None


def _months(view: ScreenView) -> list[date]:
    return promises.months(_today(view), _until(view))


def _harvests(view: ScreenView) -> list[promises.Harvest]:
    return promises.harvests(values.rules(view), _today(view), _until(view))


def is_possible(view: ScreenView) -> bool:
    """Whether the household has an open promise, or there is a day it may choose."""
    household = view.facts.household
    return bool((household and household.promised) or _months(view) or _harvests(view))


def make_promise(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Records the promise under this Confirm's own key. Returns its amount."""
    day = date.fromisoformat(request.answers["promised"])
    promise = promises.make(session, *request.household_key, day=day, effect_key=request.effect_key)
    return {"amount": promise.amount}


def _month(index: int) -> MenuOption:
    def is_shown(view: ScreenView) -> bool:
        return index < len(_months(view))

    def day(view: ScreenView) -> str:
        return _months(view)[index].isoformat()

    label = value(lambda view: values.day(day(view)), values.DAY_MAX)
    return MenuOption(label, "promise.sure", show=is_shown, store=lambda view: {"promised": day(view)})


def _harvest(index: int) -> MenuOption:
    def is_shown(view: ScreenView) -> bool:
        return index < len(_harvests(view))

    def label(view: ScreenView) -> str:
        harvest = _harvests(view)[index]
        return f"{values.label(harvest.season.label, view.language)}: {values.day(harvest.day)}"

    def store(view: ScreenView) -> dict[str, Any]:
        return {"promised": _harvests(view)[index].day.isoformat()}

    return MenuOption(Value(label, _longest_harvest), "promise.sure", show=is_shown, store=store)


def _longest_harvest(language: str) -> str:
    longest = values.longest(lambda version: (season.label for season in version.seasons))
    return f"{longest(language)}: {values.DAY_MAX}"


def _promised_day(view: ScreenView) -> str:
    """Returns the day chosen in this session, or the one promised before."""
    household = view.facts.household
    return str(view.answers.get("promised") or (household.promised if household else None) or "")


def _reminder_text(view: ScreenView) -> str:
    """A reminder is sent where dues are owed (not for a joining fee alone) and the household accepts SMS."""
    household = view.facts.household
    return "promise.reminded" if household and household.sms and household.owed_dues else ""


PROMISE = Dialogue(
    screens=(
        Menu(
            "promise.when",
            prompt="promise.when",
            options=(
                *(_month(index) for index in range(promises.MONTHS_MAX)),
                *(_harvest(index) for index in range(promises.SEASONS_MAX)),
            ),
        ),
        Confirm("promise.sure", prompt="promise.sure", do=make_promise, yes="promise.kept"),
        End("promise.kept", prompt=("promise.kept", TextChoice(("promise.reminded", ""), _reminder_text))),
        End("promise.given", prompt="promise.given"),
    ),
    values={"promised": values.date_value(_promised_day)},
)
