"""Appeal: a household says what is wrong under a digit and hears its ticket's number and deadline, as of one
still open."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from menus import texts, values
from menus.pay import home_of
from menus.screens import (
    Confirm,
    Dialogue,
    EffectRequest,
    End,
    Goto,
    Menu,
    MenuOption,
    ScreenView,
    Value,
    value,
)
from mutuelle.enrolment import appeals

TICKET_MAX = "12345678"

ENTRY = Goto(("appeal", "appeal.open"), lambda view: "appeal.open" if home_of(view).appeal else "appeal")


def lodge(session: Session, asked: EffectRequest) -> dict[str, Any]:
    """Open the ticket; its number and deadline come back."""
    if asked.household_id is None:
        raise LookupError("only a household appeals")
    about = asked.answers["about"]
    told = appeals.lodge(
        session,
        UUID(asked.tenant_id),
        UUID(asked.household_id),
        about,
        phone=asked.phone,
        language=asked.language,
        channel=asked.channel,
        text_id=f"appeal.{about}",
    )
    return {"ticket": told.number, "deadline": told.deadline.isoformat()}


def _about(kind: str) -> MenuOption:
    return MenuOption(f"appeal.{kind}", "appeal.confirm", store=lambda view: {"about": kind})


def _words(view: ScreenView) -> str:
    return view.catalogue[f"appeal.{view.answers['about']}"]


def _longest(language: str) -> str:
    return max((texts.CATALOGUES[language][f"appeal.{kind}"] for kind in appeals.KINDS), key=len)


def _ticket(view: ScreenView) -> str:
    mine = home_of(view).appeal
    return str(view.outcome.get("ticket") or (mine.number if mine else ""))


def _deadline(view: ScreenView) -> str | date:
    """Of the ticket just opened, else of the open one, else of one that is opened today."""
    mine = home_of(view).appeal
    known = view.outcome.get("deadline") or (mine.deadline if mine else "")
    return str(known) or date.fromisoformat(view.facts.on) + timedelta(values.rules(view).appeals.days)


APPEAL = Dialogue(
    screens=(
        Menu("appeal", prompt="appeal", options=tuple(_about(kind) for kind in appeals.KINDS)),
        Confirm("appeal.confirm", prompt="appeal.confirm", do=lodge, yes="appeal.sent"),
        End("appeal.sent", prompt="appeal.sent"),
        End("appeal.open", prompt="appeal.open"),
    ),
    values={
        "about": Value(_words, _longest),
        "ticket": value(_ticket, TICKET_MAX),
        "answer_by": values.dated(_deadline),
    },
)
