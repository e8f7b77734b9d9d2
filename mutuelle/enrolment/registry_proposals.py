"""Proposals: registry lines that may belong to a household; staff accept or decline each one once."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock
from mutuelle.audit import Subject
from mutuelle.db import Row
from mutuelle.enrolment import social_registry
from mutuelle.enrolment.social_registry import RegistryEntry
from mutuelle.errors import Missing, Refused
from mutuelle.households.households import Household
from mutuelle.organisation.logins import Manager


class ProposalState(StrEnum):
    """`OPEN` until staff decide."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class Proposal(Row):
    """A line and a household, the reasons of the match, and the decision of staff."""

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
    """One proposal as a page shows it: `number` is the household's, the rest is what the line says."""

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
    """Returns the proposals that wait for a decision, oldest first."""
    entry = (RegistryEntry.tenant_id == Proposal.tenant_id) & (RegistryEntry.id == Proposal.entry_id)
    household = (Household.tenant_id == Proposal.tenant_id) & (Household.id == Proposal.household_id)
    query = (
        select(Proposal, RegistryEntry, Household.number)
        .join(RegistryEntry, entry)
        .join(Household, household)
        .where(Proposal.tenant_id == tenant_id, Proposal.state == ProposalState.OPEN)
    )
    rows = session.execute(query.order_by(Proposal.made_at, Proposal.id).offset(skip).limit(limit))
    return [
        OpenProposal(
            proposal.id,
            proposal.household_id,
            number,
            proposal.category,
            line.head_name,
            line.birth_year,
            line.valid_until,
            tuple(proposal.reasons),
        )
        for proposal, line, number in rows
    ]


def accept(session: Session, manager: Manager, proposal_id: UUID) -> None:
    """Checks the household's category by this line, and declines the line's other proposals.

    Refused: "proposal.decided", "proposal.changed" if the registry's category has changed since, and what
    `categories.check` refuses.
    """
    proposal = _lock_open(session, manager, proposal_id)
    if session.get_one(RegistryEntry, (proposal.tenant_id, proposal.entry_id)).category != proposal.category:
        raise Refused("proposal.changed")
    social_registry.prove(
        session, proposal.tenant_id, proposal.entry_id, proposal.household_id, manager.actor
    )
    _decide(session, manager, proposal, ProposalState.ACCEPTED)
    others = (
        Proposal.tenant_id == proposal.tenant_id,
        Proposal.entry_id == proposal.entry_id,
        Proposal.state == ProposalState.OPEN,
    )
    values = {"state": ProposalState.DECLINED, "decided_by": manager.id, "decided_at": clock.now()}
    session.execute(update(Proposal).where(*others).values(values))


def decline(session: Session, manager: Manager, proposal_id: UUID) -> None:
    """Declines the match, which is then never proposed again. Refused("proposal.decided")."""
    _decide(session, manager, _lock_open(session, manager, proposal_id), ProposalState.DECLINED)


def _lock_open(session: Session, manager: Manager, proposal_id: UUID) -> Proposal:
    """Locks all proposals of this one's line, in one order, and returns this one.

    Missing: this mutuelle has no such proposal. Refused("proposal.decided").
    """
    line = select(Proposal.entry_id).where(
        Proposal.tenant_id == manager.tenant_id, Proposal.id == proposal_id
    )
    of_line = (Proposal.tenant_id == manager.tenant_id, Proposal.entry_id == line.scalar_subquery())
    query = select(Proposal).where(*of_line).order_by(Proposal.id).with_for_update()
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    proposal = next((row for row in rows if row.id == proposal_id), None)
    if proposal is None:
        raise Missing("no such proposal here")
    if proposal.state != ProposalState.OPEN:
        raise Refused("proposal.decided")
    return proposal


def _decide(session: Session, manager: Manager, proposal: Proposal, state: ProposalState) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, manager.id, clock.now()
    session.flush()
    facts = {"proposal": str(proposal.id), "category": proposal.category}
    subject = audit.about(Subject.HOUSEHOLD, proposal.household_id)
    audit.record(session, proposal.tenant_id, manager.actor, f"proposal-{state}", subject, **facts)
