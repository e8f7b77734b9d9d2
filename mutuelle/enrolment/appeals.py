"""Appeals: tickets with a number and a deadline, opened by a household and answered once by a manager.

A household has one open ticket at a time. It gets the answer by SMS in its language, in words from the
catalogue: text that a manager types could name a person or an illness.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts
from mutuelle.audit import Subject
from mutuelle.db import Row
from mutuelle.errors import Missing, Refused
from mutuelle.households import household_sms, households, member_numbers
from mutuelle.households.households import Household
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.schemes import schemes

LENGTH = 8  # digits of a ticket's number, the last a check digit


class TicketKind(StrEnum):
    """What the household says is wrong."""

    CATEGORY = "category"
    HOUSEHOLD = "household"
    PAYMENT = "payment"


class TicketState(StrEnum):
    """`OPEN` until a manager answers."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


class TicketAnswer(StrEnum):
    """How a manager answers; `EXPLAINED` needs an explanation."""

    ACCEPTED = "accepted"
    EXPLAINED = "explained"
    CLOSED = "closed"


class Explanation(StrEnum):
    """Why nothing was changed, or what the household should do."""

    PROOF_MISSING = "proof-missing"
    NOT_LISTED = "not-listed"
    AS_REGISTERED = "as-registered"
    PAYMENT_COUNTED = "payment-counted"
    PAYMENT_UNKNOWN = "payment-unknown"
    COME = "come"


STATE_AFTER = {
    TicketAnswer.ACCEPTED: TicketState.ANSWERED,
    TicketAnswer.EXPLAINED: TicketState.ANSWERED,
    TicketAnswer.CLOSED: TicketState.CLOSED,
}


class Ticket(Row):
    """One appeal. `text_id` names the text the household agreed to, `deadline` is a local date."""

    __tablename__ = "tickets"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    household_id: Mapped[UUID]
    kind: Mapped[str]
    channel: Mapped[str]
    text_id: Mapped[str]
    opened_at: Mapped[datetime]
    deadline: Mapped[date]
    state: Mapped[str]
    answer: Mapped[str | None]
    explanation: Mapped[str | None]
    answered_by: Mapped[UUID | None]
    answered_at: Mapped[datetime | None]


@dataclass(frozen=True)
class OpenedTicket:
    """The number and deadline that the household is shown when it opens a ticket."""

    number: str
    deadline: date


def lodge(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    kind: str,
    *,
    phone: str,
    language: str,
    channel: str,
    text_id: str,
) -> OpenedTicket:
    """Opens a ticket and queues an SMS with its number and deadline.

    Refused("appeal.open") while the household has an open ticket.
    """
    if open_ticket(session, tenant_id, household_id) is not None:
        raise Refused("appeal.open")
    tenant = tenants.get(session, tenant_id)
    today = tenant.today()
    deadline = today + timedelta(schemes.get(tenant.scheme).on(today).appeals.days)
    # UNIQUE keys decide whether the number is free and no other ticket is open; if not, the turn runs again.
    number, ticket_id = member_numbers.new(clock.digits, LENGTH), clock.new_id()
    row = {
        "tenant_id": tenant_id,
        "id": ticket_id,
        "number": number,
        "household_id": household_id,
        "kind": kind,
        "channel": channel,
        "text_id": text_id,
        "opened_at": clock.now(),
        "deadline": deadline,
        "state": TicketState.OPEN,
    }
    inserts.add(session, Ticket, row)
    facts = {"ticket": str(ticket_id), "kind": kind}
    audit.record(
        session, tenant_id, channel, "appeal-opened", audit.about(Subject.HOUSEHOLD, household_id), **facts
    )
    messages.queue(
        session,
        tenant_id,
        phone=phone,
        household_id=household_id,
        language=language,
        kind=MessageKind.APPEAL,
        facts={"ticket": number, "deadline": deadline.isoformat()},
    )
    return OpenedTicket(number, deadline)


def lodge_at_counter(session: Session, manager: Manager, household_id: UUID, kind: str) -> OpenedTicket:
    """Opens a ticket for a household that came to the office.

    Refused: as `lodge`, "appeal.no-phone" when the answer could not be sent, "appeal.kind".
    """
    if kind not in list(TicketKind):
        raise Refused("appeal.kind")
    phone = households.phone_of(session, manager.tenant_id, household_id)
    if phone is None:
        raise Refused("appeal.no-phone")
    household = households.get(session, manager.tenant_id, household_id)
    return lodge(
        session,
        manager.tenant_id,
        household.id,
        kind,
        phone=phone,
        language=household.language,
        channel=manager.actor,
        text_id="counter",
    )


def open_ticket(session: Session, tenant_id: UUID, household_id: UUID) -> Ticket | None:
    """The household's open ticket."""
    of_household = (Ticket.tenant_id == tenant_id, Ticket.household_id == household_id)
    return session.scalar(select(Ticket).where(*of_household, Ticket.state == TicketState.OPEN))


def of_tenant(
    session: Session, tenant_id: UUID, *, skip: int = 0, limit: int = 30
) -> list[tuple[Ticket, Household]]:
    """Returns the open tickets by deadline, the earliest first, then the ended ones, newest first."""
    joined = (Household.tenant_id == Ticket.tenant_id) & (Household.id == Ticket.household_id)
    order = (Ticket.state != TicketState.OPEN, Ticket.answered_at.desc(), Ticket.deadline, Ticket.opened_at)
    query = select(Ticket, Household).join(Household, joined).where(Ticket.tenant_id == tenant_id)
    return [
        (row.Ticket, row.Household)
        for row in session.execute(query.order_by(*order).offset(skip).limit(limit))
    ]


def answer(
    session: Session, manager: Manager, ticket_id: UUID, how: str, explanation: str | None = None
) -> None:
    """Answers a ticket once and queues the SMS with the answer.

    Refused: "appeal.answered" when it was answered before, "appeal.how" when `how` is not a TicketAnswer or
    lacks its explanation. Missing: this mutuelle has no such ticket.
    """
    query = select(Ticket).where(Ticket.tenant_id == manager.tenant_id, Ticket.id == ticket_id)
    ticket = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if ticket is None:
        raise Missing("no such ticket here")
    if ticket.state != TicketState.OPEN:
        raise Refused("appeal.answered")
    because = explanation if how == TicketAnswer.EXPLAINED else None
    if how not in list(TicketAnswer) or (how == TicketAnswer.EXPLAINED and because not in list(Explanation)):
        raise Refused("appeal.how")
    ticket.state, ticket.answer, ticket.explanation = STATE_AFTER[TicketAnswer(how)], how, because
    ticket.answered_by, ticket.answered_at = manager.id, clock.now()
    session.flush()
    facts = {"ticket": str(ticket.id), "answer": how, "explanation": because}
    subject = audit.about(Subject.HOUSEHOLD, ticket.household_id)
    audit.record(session, ticket.tenant_id, manager.actor, "appeal-answered", subject, **facts)
    household = (ticket.tenant_id, ticket.household_id)
    household_sms.queue(
        session, household, MessageKind(f"appeal-{how}"), {"ticket": ticket.number, "because": because}
    )
