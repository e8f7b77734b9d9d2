"""Appeals: a household says that its category, its household or a payment is wrong; a ticket with a number
and a deadline.

A household has one open ticket at a time. Whoever answers says how, once, and the household is told by SMS in
its language, in words we keep: what is typed by a person could name an illness or somebody.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts
from mutuelle.db import Row
from mutuelle.errors import Missing, Refused
from mutuelle.households import households, member_numbers
from mutuelle.households.households import Household
from mutuelle.messaging import messages
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.schemes import schemes

KINDS = ("category", "household", "payment")
LENGTH = 8  # digits of a ticket's number, the last a check digit
ANSWERS = {"accepted": "answered", "explained": "answered", "closed": "closed"}  # and the state each leads to
EXPLANATIONS = ("proof-missing", "not-listed", "as-registered", "payment-counted", "payment-unknown", "come")


class Ticket(Row):
    """One appeal. `text_id` names the words the household agreed to, `deadline` is a local date."""

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
    """What the household is told of a ticket it opened."""

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
    """Open a ticket; the household gets an SMS with its number and deadline. Refused("appeal.open") while it
    has one."""
    if open_ticket(session, tenant_id, household_id) is not None:
        raise Refused("appeal.open")
    tenant = tenants.get(session, tenant_id)
    today = clock.today(tenant.zone)
    deadline = today + timedelta(schemes.get(tenant.scheme).on(today).appeals.days)
    # The UNIQUE key decides whether the number is free, and whether a ticket is open; when not, the turn is
    # taken again.
    number, ticket_id = member_numbers.new(clock.digits, LENGTH), clock.new_id()
    row = {
        "tenant_id": tenant_id,
        "id": ticket_id,
        "number": number,
        "household_id": household_id,
        "kind": kind,
    }
    row |= {
        "channel": channel,
        "text_id": text_id,
        "opened_at": clock.now(),
        "deadline": deadline,
        "state": "open",
    }
    inserts.add(session, Ticket, row)
    audit.record(
        session,
        tenant_id,
        channel,
        "appeal-opened",
        f"household:{household_id}",
        ticket=str(ticket_id),
        kind=kind,
    )
    messages.queue(
        session,
        tenant_id,
        phone=phone,
        household_id=household_id,
        language=language,
        kind="appeal",
        facts={"ticket": number, "deadline": deadline.isoformat()},
    )
    return OpenedTicket(number, deadline)


def lodge_at_counter(session: Session, person: Manager, household_id: UUID, kind: str) -> OpenedTicket:
    """A manager notes what a household came to say. Refused: as `lodge`, "appeal.no-phone" when no answer
    could reach it, "appeal.kind"."""
    if kind not in KINDS:
        raise Refused("appeal.kind")
    phone = households.phone_of(session, person.tenant_id, household_id)
    if phone is None:
        raise Refused("appeal.no-phone")
    home = households.get(session, person.tenant_id, household_id)
    return lodge(
        session,
        person.tenant_id,
        home.id,
        kind,
        phone=phone,
        language=home.language,
        channel=person.actor,
        text_id="counter",
    )


def open_ticket(session: Session, tenant_id: UUID, household_id: UUID) -> Ticket | None:
    """The household's open ticket."""
    mine = (Ticket.tenant_id == tenant_id, Ticket.household_id == household_id, Ticket.state == "open")
    return session.scalar(select(Ticket).where(*mine))


def of_tenant(
    session: Session, tenant_id: UUID, *, skip: int = 0, limit: int = 30
) -> list[tuple[Ticket, Household]]:
    """Those that wait, the one whose deadline is nearest or longest over first; then those that ended, newest
    first."""
    joined = (Household.tenant_id == Ticket.tenant_id) & (Household.id == Ticket.household_id)
    order = (Ticket.state != "open", Ticket.answered_at.desc(), Ticket.deadline, Ticket.opened_at)
    query = select(Ticket, Household).join(Household, joined).where(Ticket.tenant_id == tenant_id)
    return [
        (row.Ticket, row.Household)
        for row in session.execute(query.order_by(*order).offset(skip).limit(limit))
    ]


def answer(
    session: Session, person: Manager, ticket_id: UUID, how: str, explanation: str | None = None
) -> None:
    """Somebody answers, once; the household is told.

    Refused: "appeal.answered" when somebody has, "appeal.how" when it is no answer or lacks its explanation.
    Missing: this mutuelle has no such ticket.
    """
    mine = (Ticket.tenant_id == person.tenant_id, Ticket.id == ticket_id)
    row = session.scalar(
        select(Ticket).where(*mine).with_for_update().execution_options(populate_existing=True)
    )
    if row is None:
        raise Missing("no such ticket here")
    if row.state != "open":
        raise Refused("appeal.answered")
    because = explanation if how == "explained" else None
    if how not in ANSWERS or (how == "explained" and because not in EXPLANATIONS):
        raise Refused("appeal.how")
    row.state, row.answer, row.explanation = ANSWERS[how], how, because
    row.answered_by, row.answered_at = person.id, clock.now()
    session.flush()
    facts = {"ticket": str(row.id), "answer": how, "explanation": because}
    audit.record(
        session, row.tenant_id, person.actor, "appeal-answered", f"household:{row.household_id}", **facts
    )
    phone = households.phone_of(session, row.tenant_id, row.household_id)
    if phone is not None:
        home = households.get(session, row.tenant_id, row.household_id)
        messages.queue(session, row.tenant_id, phone=phone, household_id=home.id, language=home.language,
                       kind=f"appeal-{how}", facts={"ticket": row.number, "because": because})  # fmt: skip
