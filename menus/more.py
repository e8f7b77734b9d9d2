"""More: language, the care that is covered, help, whether reminders come by SMS, and appeals."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from menus import appeal, pay, values
from menus.screens import Asked, Confirm, Dialogue, End, Goto, Menu, Option, Pick, Value, View
from mutuelle.households import households

SPOKEN = Goto(("home", "more.keep"), lambda view: "more.keep" if view.facts.household else "home")


def enrolled(view: View) -> bool:
    return view.facts.household is not None


def stranger(view: View) -> bool:
    return view.facts.household is None


def _household(asked: Asked) -> UUID:
    if asked.household_id is None:
        raise LookupError("only a household keeps its wishes")
    return UUID(asked.household_id)


def keep_language(session: Session, asked: Asked) -> dict[str, Any]:
    """The language of this session becomes the household's."""
    households.set_language(session, UUID(asked.tenant_id), _household(asked), asked.language)
    return {}


def change_reminders(session: Session, asked: Asked) -> dict[str, Any]:
    """Reminders on where they were off when the session began, and off where they were on."""
    home = asked.facts.household
    households.set_reminders(session, UUID(asked.tenant_id), _household(asked), not (home and home.sms))
    return {}


def _reminded(on: str, off: str) -> Pick:
    return Pick((on, off), lambda view: on if view.facts.household and view.facts.household.sms else off)


def _benefits(view: View) -> str:
    return "\n".join(values.label(benefit.label, view.language) for benefit in values.rules(view).benefits)


def _longest_benefits(language: str) -> str:
    lists = ("\n".join(values.label(b.label, language) for b in version.benefits) for version in values.versions())
    return max(lists, key=len)


MORE = Dialogue(
    screens=(
        Menu(
            "more",
            prompt="more",
            options=(
                Option("more.language", "more.language"),
                Option("more.benefits", "more.benefits"),
                Option("more.help", "more.help"),
                Option("more.reminders", "more.reminders", show=enrolled),
                Option("more.appeal", appeal.ENTRY, show=enrolled),
            ),
        ),
        Menu(
            "more.language",
            prompt="more.choose",
            options=(
                Option("language.fr", SPOKEN, store=lambda view: {"language": "fr"}),
                Option("language.en", SPOKEN, store=lambda view: {"language": "en"}),
            ),
        ),
        Confirm("more.keep", prompt="more.keep", do=keep_language, yes="more.kept"),
        End("more.kept", prompt="more.kept"),
        Menu(
            "more.benefits",
            prompt="more.covered",
            options=(
                Option("home.pay", pay.ENTRY, show=enrolled),
                Option("home.join", "join.consent", show=stranger),
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
