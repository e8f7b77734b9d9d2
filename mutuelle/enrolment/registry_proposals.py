"""Proposals: lines of a social registry that may be a household's, for a person to say yes or no, once."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock
from mutuelle.db import Row
from mutuelle.enrolment import registry
from mutuelle.enrolment.registry import RegistryEntry
from mutuelle.errors import Missing, Refused
from mutuelle.households.households import Household
from mutuelle.organisation.logins import Manager


class Proposal(Row):
    """A line and a household, the reasons, and what a person said."""

    __tablename__ = "registry_proposals"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID]
    household_id: Mapped[UUID]
    category: Mapped[str]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str]
    made_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


@dataclass(frozen=True)
class OpenProposal:
    """One proposal as a page tells it: the household's number, and what the line says of its head."""

    id: UUID
    household_id: UUID
    number: str
    category: str
    head_name: str
    birth_year: int | None
    valid_until: date | None
    reasons: tuple[str, ...]


def open_proposals(
    session: Session, tenant_id: UUID, *, skip: int = 0, limit: int = 10
) -> list[OpenProposal]:
    """Those nobody decided yet, oldest first."""
    entry = (RegistryEntry.tenant_id == Proposal.tenant_id) & (RegistryEntry.id == Proposal.entry_id)
    home = (Household.tenant_id == Proposal.tenant_id) & (Household.id == Proposal.household_id)
    mine = (Proposal.tenant_id == tenant_id, Proposal.state == "open")
    query = (
        select(Proposal, RegistryEntry, Household.number)
        .join(RegistryEntry, entry)
        .join(Household, home)
        .where(*mine)
    )
    rows = session.execute(query.order_by(Proposal.made_at, Proposal.id).offset(skip).limit(limit))
    return [
        OpenProposal(
            one.id,
            one.household_id,
            number,
            one.category,
            line.head_name,
            line.birth_year,
            line.valid_until,
            tuple(one.reasons),
        )
        for one, line, number in rows
    ]


def accept(session: Session, person: Manager, proposal_id: UUID) -> None:
    """The line is this household's: its category is checked, and the line is nobody else's.

    Refused: "proposal.decided", "proposal.changed" when the registry says something else by now, and what
    `categories.check` refuses.
    """
    one = _open(session, person, proposal_id)
    if session.get_one(RegistryEntry, (one.tenant_id, one.entry_id)).category != one.category:
        raise Refused("proposal.changed")
    registry.prove(session, one.tenant_id, one.entry_id, one.household_id, person.actor)
    _decide(session, person, one, "accepted")
    others = (
        Proposal.tenant_id == one.tenant_id,
        Proposal.entry_id == one.entry_id,
        Proposal.state == "open",
    )
    said = {"state": "declined", "decided_by": person.id, "decided_at": clock.now()}
    session.execute(update(Proposal).where(*others).values(said))


def decline(session: Session, person: Manager, proposal_id: UUID) -> None:
    """It is not this household's, and is not proposed for it again. Refused("proposal.decided")."""
    _decide(session, person, _open(session, person, proposal_id), "declined")


def _open(session: Session, person: Manager, proposal_id: UUID) -> Proposal:
    """The proposal, locked in one order with the others of its line, which end with it. Missing when this
    mutuelle has none of that id."""
    line = select(Proposal.entry_id).where(Proposal.tenant_id == person.tenant_id, Proposal.id == proposal_id)
    mine = (Proposal.tenant_id == person.tenant_id, Proposal.entry_id == line.scalar_subquery())
    wanted = select(Proposal).where(*mine).order_by(Proposal.id).with_for_update()
    rows = session.scalars(wanted.execution_options(populate_existing=True)).all()
    one = next((row for row in rows if row.id == proposal_id), None)
    if one is None:
        raise Missing("no such proposal here")
    if one.state != "open":
        raise Refused("proposal.decided")
    return one


def _decide(session: Session, person: Manager, one: Proposal, state: str) -> None:
    one.state, one.decided_by, one.decided_at = state, person.id, clock.now()
    session.flush()
    facts = {"proposal": str(one.id), "category": one.category}
    audit.record(
        session, one.tenant_id, person.actor, f"proposal-{state}", f"household:{one.household_id}", **facts
    )
