"""Questions about rights: they follow from bills and money, and no day that was told as covered is lost."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.cover import cover_books, insured_people, recompute, told_days
from mutuelle.errors import Conflict, Refused
from mutuelle.organisation import mutuelle_day
from mutuelle.organisation.tenants import Tenant
from mutuelle.verification.question import Question

# A household whose bills never changed cannot have lost a day but by a reversal.
_CHANGED = text("""
SELECT DISTINCT b.household_id FROM adjustments j
JOIN bills b ON b.tenant_id = j.tenant_id AND b.id = j.bill_id
WHERE j.tenant_id = :tenant ORDER BY 1
""")


def _differing(session: Session) -> Iterator[str]:
    """Computes every household's time line again, a page at a time. Yields those that differ."""
    for tenant_id in session.scalars(select(Tenant.id).order_by(Tenant.id)).all():
        ids = recompute.next_households(session, tenant_id, UUID(int=0))
        while ids:
            comparisons = recompute.compare(session, tenant_id, ids)
            for household in sorted(comparisons, key=lambda household: household.id):
                if household.trouble:
                    yield f"household {household.id}: cannot be computed ({household.trouble})"
                elif household.differs:
                    yield f"household {household.id}"
            ids = recompute.next_households(session, tenant_id, ids[-1])


def _lost_days(session: Session) -> Iterator[str]:
    """Yields the first lost day of each household with an adjusted bill, and of each of its members."""
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
                continue  # rights-computed names it
            for member_id, day in lost:
                yield f"member {member_id} on {day}" if member_id else f"household {household_id} on {day}"


def _without_zone(session: Session) -> Iterator[str]:
    yield from (f"mutuelle {tenant_id}" for tenant_id in mutuelle_day.without_zone(session))


QUESTIONS: tuple[Question, ...] = (
    Question("time-zone", "I5", "The time zone of every mutuelle is known.", _without_zone),
    Question(
        "rights-computed", "I5", "The rights of a household follow from its bills and money.", _differing
    ),
    Question(
        "rights-told", "I13", "A day that was told as covered is covered, but for a reversal.", _lost_days
    ),
)
