"""Appeal: a household chooses what is wrong and reads the number and deadline of its ticket."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from menus import texts, values
from menus.pay import household_of
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

ENTRY = Goto(("appeal", "appeal.open"), lambda view: "appeal.open" if household_of(view).appeal else "appeal")


def lodge(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Opens the ticket. Returns its number and deadline."""
    about = request.answers["about"]
    ticket = appeals.lodge(
        session,
        *request.household_key,
        about,
        phone=request.phone,
        language=request.language,
        channel="ussd",
        text_id=f"appeal.{about}",
    )
    return {"ticket": ticket.number, "deadline": ticket.deadline.isoformat()}


def _about(kind: str) -> MenuOption:
    return MenuOption(f"appeal.{kind}", "appeal.confirm", store=lambda view: {"about": kind})


def _about_text(view: ScreenView) -> str:
    return view.catalogue[f"appeal.{view.answers['about']}"]


def _longest_about(language: str) -> str:
    return max((texts.CATALOGUES[language][f"appeal.{kind}"] for kind in appeals.TicketKind), key=len)


def _ticket(view: ScreenView) -> str:
    appeal = household_of(view).appeal
    return str(view.outcome.get("ticket") or (appeal.number if appeal else ""))


def _deadline(view: ScreenView) -> str | date:
    """Returns the deadline of the ticket just opened, else of the open one, else of one opened today."""
    appeal = household_of(view).appeal
    deadline = view.outcome.get("deadline") or (appeal.deadline if appeal else "")
    return str(deadline) or date.fromisoformat(view.facts.on) + timedelta(values.rules(view).appeals.days)


APPEAL = Dialogue(
    screens=(
        Menu("appeal", prompt="appeal", options=tuple(_about(kind) for kind in appeals.TicketKind)),
        Confirm("appeal.confirm", prompt="appeal.confirm", do=lodge, yes="appeal.sent"),
        End("appeal.sent", prompt="appeal.sent"),
        End("appeal.open", prompt="appeal.open"),
    ),
    values={
        "about": Value(_about_text, _longest_about),
        "ticket": value(_ticket, TICKET_MAX),
        "answer_by": values.date_value(_deadline),
    },
)
