"""A mutuelle on one local day, which is the unit of the daily runs of bills and of reminders."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


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
