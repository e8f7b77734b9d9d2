"""Locks a household for a change, if it still has as many members as the manager's page showed."""

from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle.errors import Missing, Refused
from mutuelle.households import households, locks
from mutuelle.households.households import Member


def lock(session: Session, tenant_id: UUID, household_id: UUID, expected_count: int) -> None:
    """Locks the household. Refused("member.changed") if it does not have `expected_count` members."""
    locks.lock(session, (tenant_id, household_id))
    if len(households.members_of(session, tenant_id, household_id)) != expected_count:
        raise Refused("member.changed")


def member(session: Session, tenant_id: UUID, household_id: UUID, member_id: UUID) -> Member:
    """Returns a member of today. Missing: the household has no such member."""
    members = households.members_of(session, tenant_id, household_id)
    row = next((row for row in members if row.id == member_id), None)
    if row is None:
        raise Missing("no such member in this household")
    return row
