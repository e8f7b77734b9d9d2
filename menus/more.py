"""More: language, the care that is covered, help, whether reminders come by SMS, and appeals."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from menus import appeal, pay, values
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
)
from mutuelle.households import households

SPOKEN = Goto(("home", "more.keep"), lambda view: "more.keep" if view.facts.household else "home")


def enrolled(view: ScreenView) -> bool:
    return view.facts.household is not None


def stranger(view: ScreenView) -> bool:
    return view.facts.household is None


def _household(asked: EffectRequest) -> UUID:
    if asked.household_id is None:
        raise LookupError("only a household keeps its wishes")
    return UUID(asked.household_id)


def keep_language(session: Session, asked: EffectRequest) -> dict[str, Any]:
    """The language of this session becomes the household's."""
    households.set_language(session, UUID(asked.tenant_id), _household(asked), asked.language)
    return {}


def change_reminders(session: Session, asked: EffectRequest) -> dict[str, Any]:
    """Reminders on where they were off when the session began, and off where they were on."""
    home = asked.facts.household
    households.set_reminders(session, UUID(asked.tenant_id), _household(asked), not (home and home.sms))
    return {}


def _reminded(on: str, off: str) -> TextChoice:
    return TextChoice(
        (on, off), lambda view: on if view.facts.household and view.facts.household.sms else off
    )


def _benefits(view: ScreenView) -> str:
    return "\n".join(values.label(benefit.label, view.language) for benefit in values.rules(view).benefits)


def _longest_benefits(language: str) -> str:
    lists = (
        "\n".join(values.label(b.label, language) for b in version.benefits) for version in values.versions()
    )
    return max(lists, key=len)


MORE = Dialogue(
    screens=(
        Menu(
            "more",
            prompt="more",
            options=(
                MenuOption("more.language", "more.language"),
                MenuOption("more.benefits", "more.benefits"),
                MenuOption("more.help", "more.help"),
                MenuOption("more.reminders", "more.reminders", show=enrolled),
                MenuOption("more.appeal", appeal.ENTRY, show=enrolled),
            ),
        ),
        Menu(
            "more.language",
            prompt="more.choose",
            options=(
                MenuOption("language.fr", SPOKEN, store=lambda view: {"language": "fr"}),
                MenuOption("language.en", SPOKEN, store=lambda view: {"language": "en"}),
            ),
        ),
        Confirm("more.keep", prompt="more.keep", do=keep_language, yes="more.kept"),
        End("more.kept", prompt="more.kept"),
        Menu(
            "more.benefits",
            prompt="more.covered",
            options=(
                MenuOption("home.pay", pay.ENTRY, show=enrolled),
                MenuOption("home.join", "join.consent", show=stranger),
            ),
        ),
        End("more.help", prompt="more.helped"),
        Confirm(
            "more.reminders",
            prompt=_reminded("more.stop", "more.start"),
            do=change_reminders,
            yes="more.reminded",
        ),
        End("more.reminded", prompt=_reminded("more.stopped", "more.started")),
    ),
    values={"benefits": Value(_benefits, _longest_benefits)},
)
