"""More: language, the care that is covered, help, reminders by SMS, and appeals."""

from typing import Any

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

AFTER_LANGUAGE = Goto(("home", "more.keep"), lambda view: "more.keep" if view.facts.household else "home")


def is_enrolled(view: ScreenView) -> bool:
    return view.facts.household is not None


def is_stranger(view: ScreenView) -> bool:
    return view.facts.household is None


def keep_language(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Stores the language of this session as the household's."""
    households.set_language(session, *request.household_key, request.language)
    return {}


def change_reminders(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Turns reminders by SMS off where they were on when the session began, and on where they were off."""
    household = request.facts.household
    send = not (household and household.sms)
    households.set_reminders(session, *request.household_key, send)
    return {}


def _reminder_text(on: str, off: str) -> TextChoice:
    return TextChoice(
        (on, off), lambda view: on if view.facts.household and view.facts.household.sms else off
    )


def _benefits(view: ScreenView) -> str:
    return "\n".join(values.label(benefit.label, view.language) for benefit in values.rules(view).benefits)


def _longest_benefits(language: str) -> str:
    texts = (
        "\n".join(values.label(b.label, language) for b in version.benefits) for version in values.versions()
    )
    return max(texts, key=len)


MORE = Dialogue(
    screens=(
        Menu(
            "more",
            prompt="more",
            options=(
                MenuOption("more.language", "more.language"),
                MenuOption("more.benefits", "more.benefits"),
                MenuOption("more.help", "more.help"),
                MenuOption("more.reminders", "more.reminders", show=is_enrolled),
                MenuOption("more.appeal", appeal.ENTRY, show=is_enrolled),
            ),
        ),
        Menu(
            "more.language",
            prompt="more.choose",
            options=(
                MenuOption("language.fr", AFTER_LANGUAGE, store=lambda view: {"language": "fr"}),
                MenuOption("language.en", AFTER_LANGUAGE, store=lambda view: {"language": "en"}),
            ),
        ),
        Confirm("more.keep", prompt="more.keep", do=keep_language, yes="more.kept"),
        End("more.kept", prompt="more.kept"),
        Menu(
            "more.benefits",
            prompt="more.covered",
            options=(
                MenuOption("home.pay", pay.ENTRY, show=is_enrolled),
                MenuOption("home.join", "join.consent", show=is_stranger),
            ),
        ),
        End("more.help", prompt="more.helped"),
        Confirm(
            "more.reminders",
            prompt=_reminder_text("more.stop", "more.start"),
            do=change_reminders,
            yes="more.reminded",
        ),
        End("more.reminded", prompt=_reminder_text("more.stopped", "more.started")),
    ),
    values={"benefits": Value(_benefits, _longest_benefits)},
)
