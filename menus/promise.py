"""Pay later: the household chooses the end of a month or a coming season, and hears that it is no loan and
opens nothing."""

from datetime import date
from typing import Any
from uuid import UUID

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

# A household that gave its word is told of it, and gives no second one.
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


def there_is(view: ScreenView) -> bool:
    """Whether a household has given its word, or there is a day it may name."""
    home = view.facts.household
    return bool((home and home.promised) or _months(view) or _harvests(view))


def keep(session: Session, asked: EffectRequest) -> dict[str, Any]:
    """Write the word down under this Confirm's own key."""
    if asked.household_id is None:
        raise LookupError("nobody promises before joining")
    day = date.fromisoformat(asked.answers["promised"])
    given = promises.make(
        session, UUID(asked.tenant_id), UUID(asked.household_id), day=day, effect_key=asked.effect_key
    )
    return {"amount": given.amount}


def _month(index: int) -> MenuOption:
    def there(view: ScreenView) -> bool:
        return index < len(_months(view))

    def day(view: ScreenView) -> str:
        return _months(view)[index].isoformat()

    label = value(lambda view: values.day(day(view)), values.DAY_MAX)
    return MenuOption(label, "promise.sure", show=there, store=lambda view: {"promised": day(view)})


def _harvest(index: int) -> MenuOption:
    def said(view: ScreenView) -> str:
        one = _harvests(view)[index]
        return f"{values.label(one.season.label, view.language)}: {values.day(one.day)}"

    def store(view: ScreenView) -> dict[str, Any]:
        return {"promised": _harvests(view)[index].day.isoformat()}

    return MenuOption(
        Value(said, _longest), "promise.sure", show=lambda view: index < len(_harvests(view)), store=store
    )


def _longest(language: str) -> str:
    longest = values.longest(lambda version: (season.label for season in version.seasons))
    return f"{longest(language)}: {values.DAY_MAX}"


def _promised(view: ScreenView) -> str:
    """The day chosen now, or the one that was promised before."""
    home = view.facts.household
    return str(view.answers.get("promised") or (home.promised if home else None) or "")


def _reminded(view: ScreenView) -> str:
    """An SMS comes where dues are owed, not for a joining fee alone, and where none was declined."""
    home = view.facts.household
    return "promise.reminded" if home and home.sms and home.owed_dues else ""


PROMISE = Dialogue(
    screens=(
        Menu(
            "promise.when",
            prompt="promise.when",
            options=(
                *(_month(index) for index in range(promises.MONTHS)),
                *(_harvest(index) for index in range(promises.SEASONS)),
            ),
        ),
        Confirm("promise.sure", prompt="promise.sure", do=keep, yes="promise.kept"),
        End("promise.kept", prompt=("promise.kept", TextChoice(("promise.reminded", ""), _reminded))),
        End("promise.given", prompt="promise.given"),
    ),
    values={"promised": values.dated(_promised)},
)
