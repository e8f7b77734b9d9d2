"""A mutuelle on one local day, which is the unit of the daily runs of bills and of reminders."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from mutuelle import clock


@dataclass(frozen=True)
class MutuelleDay:
    """A mutuelle, its time zone, and the local date there."""

    tenant_id: UUID
    zone: str
    today: date

    @property
    def parameters(self) -> dict[str, UUID | date | None]:
        """The parameters that name this day in the statements on the tables of runs."""
        return {"tenant": self.tenant_id, "day": self.today}


_MUTUELLES = text("SELECT id, zone FROM tenants WHERE kind = 'mutuelle' ORDER BY code")


def all_of_now(session: Session) -> list[MutuelleDay]:
    """Returns every mutuelle on its local day of now, by code. Needs no tenant in the transaction.

    Without those whose time zone is unknown (`without_zone`): PostgreSQL would refuse the query for all.
    """
    return [
        MutuelleDay(row.id, row.zone, today)
        for row in session.execute(_MUTUELLES)
        if (today := _today(row)) is not None
    ]


def known_zones(session: Session) -> list[str]:
    """Returns the time zones of the mutuelles that are known, for statements over several mutuelles."""
    return sorted({day.zone for day in all_of_now(session)})


def without_zone(session: Session) -> list[UUID]:
    """Returns the mutuelles whose time zone is unknown: no day begins there, and no daily work is done."""
    return [row.id for row in session.execute(_MUTUELLES) if _today(row) is None]


def _today(row: Row[tuple[UUID, str]]) -> date | None:
    try:
        return clock.today(row.zone)
    except (KeyError, ValueError, OSError):  # what `ZoneInfo` raises for a name that is none
        return None
