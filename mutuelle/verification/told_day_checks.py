"""Checks (I13): a day that a household or a member was told as covered stays so."""

from collections.abc import Iterator

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.cover import cover_books, insured_people, told_days
from mutuelle.errors import Conflict, Refused
from mutuelle.organisation.tenants import Tenant

# A household whose bills never changed cannot have lost a day but by a reversal.
_CHANGED = text("""
SELECT DISTINCT b.household_id FROM adjustments j
JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id
WHERE j.tenant_id = :tenant ORDER BY 1
""")


def run(session: Session) -> Iterator[str]:
    """Checks every household with an adjusted bill and its members. Yields the first lost day of each."""
    for tenant in session.scalars(select(Tenant).order_by(Tenant.id)).all():
        for household_id in session.scalars(_CHANGED, {"tenant": tenant.id}).all():
            books, people = pipeline.query(
                session,
                cover_books.statement(tenant.id, household_id),
                insured_people.statement(tenant.id, household_id),
            )
            try:
                lost = list(
                    told_days.taken_back(
                        cover_books.read(pipeline.single_row(books)),
                        insured_people.read(people),
                        tenant.today(),
                    )
                )
            except (Refused, Conflict, KeyError):
                continue  # I5 names it
            for member_id, day in lost:
                subject = f"member {member_id}" if member_id else f"household {household_id}"
                yield f"I13 {subject}: {day} was covered by what was known that day, and is not any more"
