"""Stores promises: a household says on which day it will pay, such as after the harvest. It is no loan.

A promise changes neither debts nor rights. It only makes reminders wait for its day (`reminders.py`). On the
day after, the reminder run concludes it: `kept` when the promised amount has been paid since, or nothing is
owed any more, else `lapsed`. Then the scheme's own calendar applies again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts, pipeline, set_aside
from mutuelle.audit import Subject
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import BillKind
from mutuelle.schemes.service_rules import Season
from mutuelle.schemes.version_rules import Version, months_after
from mutuelle.set_aside import Work

NOTICE_MIN = timedelta(14)  # a household that pays sooner needs no promise
MONTHS_MAX = 3  # ends of months to choose from
SEASONS_MAX = 2  # coming seasons to choose from


class PromiseState(StrEnum):
    """The life-cycle of a promise."""

    OPEN = "open"
    KEPT = "kept"
    LAPSED = "lapsed"


class Promise(Row):
    """One promise. `amount` is what was left to pay on the day `given`, in whole units.

    `day` is the local date on which the household will pay.
    """

    __tablename__ = "promises"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    household_id: Mapped[UUID]
    effect_key: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    given: Mapped[date]
    day: Mapped[date]
    state: Mapped[str]
    created_at: Mapped[datetime]
    concluded: Mapped[date | None]


@dataclass(frozen=True)
class Harvest:
    """A coming season of the rule book, and the day to promise: its first day, or its last."""

    season: Season
    day: date


def useful_until(books: HouseholdBooks, today: date) -> date | None:
    """Returns the last day on which a payment can still open rights.

    That is the end of the fixed year that is owed for. None where dues have no such end, or only past periods
    are owed.
    """
    unpaid = [bill for bill, rest in books.left(today) if rest > 0 and bill.kind == BillKind.DUES]
    ends = [bill.period_until for bill in unpaid if bill.period_until is not None]
    return max(ends) if ends and len(ends) == len(unpaid) and max(ends) >= today else None


def months(today: date, until: date | None = None) -> list[date]:
    """Returns the next ends of months that are far enough away, none after `until`."""
    ends = (months_after(today.replace(day=1), ahead) - timedelta(1) for ahead in range(1, MONTHS_MAX + 2))
    return [end for end in ends if end - today >= NOTICE_MIN and end <= (until or end)][:MONTHS_MAX]


def harvests(rules: Version, today: date, until: date | None = None) -> list[Harvest]:
    """Returns the scheme's coming seasons, the nearest first, none after `until`."""
    coming = [Harvest(season, next(day for day in _days(season, today))) for season in rules.seasons]
    in_time = [harvest for harvest in coming if until is None or harvest.day <= until]
    return sorted(in_time, key=lambda harvest: harvest.day)[:SEASONS_MAX]


def _days(season: Season, today: date) -> Iterator[date]:
    """Yields first and last days of the season that are far enough away, in the order of time."""
    days = [
        date.fromisoformat(f"{year}-{day}")
        for year in range(today.year, today.year + 3)
        for day in (season.starts, season.ends)
    ]
    yield from sorted(day for day in days if day - today >= NOTICE_MIN)


def make(session: Session, tenant_id: UUID, household_id: UUID, *, day: date, effect_key: str) -> Promise:
    """Writes the household's promise to pay what it owes on the local date `day`.

    Refused: "promise.open" while another promise is open, "pay.nothing-owed", "promise.day" when this day is
    not offered.
    """
    values = {"tenant": tenant_id, "home": household_id}
    books_query = cover_books.statement(tenant_id, household_id)
    rows, books_rows = pipeline.query(session, (_PROMISE_FACTS, values), books_query)
    facts, books = pipeline.single_row(rows), cover_books.read(pipeline.single_row(books_rows))
    today = clock.today(facts.zone)
    owed, until = cover_books.position_of(books, today).owed, useful_until(books, today)
    if facts.promised is not None:
        raise Refused("promise.open", day=facts.promised)
    if owed <= 0:
        raise Refused("pay.nothing-owed")
    rules = schemes.get(facts.scheme).on(today)
    if day not in (*months(today, until), *(harvest.day for harvest in harvests(rules, today, until))):
        raise Refused("promise.day", day=day)
    row = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "household_id": household_id,
        "effect_key": effect_key,
        "amount": owed,
        "currency": facts.currency,
        "given": today,
        "day": day,
        "state": PromiseState.OPEN.value,
        "created_at": clock.now(),
    }
    inserts.add(session, Promise, row)
    audit.record(
        session,
        tenant_id,
        "member",
        "promise",
        audit.about(Subject.HOUSEHOLD, household_id),
        amount=owed,
        day=day.isoformat(),
    )
    return Promise(**row)


_PROMISE_FACTS = """
SELECT t.scheme, t.zone, t.currency,
    (SELECT p.day FROM promises p
        WHERE p.tenant_id = t.id AND p.household_id = %(home)s AND p.state = 'open') AS promised
FROM tenants t WHERE t.id = %(tenant)s
"""


# What the household has paid since its promise, whether it is on a bill or waits for the next one.
_PAID_SINCE = text("""
SELECT sum(amount) FROM allocations
WHERE household_tenant_id = :tenant AND household_id = :home AND kind IN ('bill', 'credit') AND at > :at
""")


def open_of(session: Session, tenant_id: UUID, household_id: UUID) -> date | None:
    """Returns the day on which the household has promised to pay, until the promise is concluded."""
    of_household = (Promise.tenant_id == tenant_id, Promise.household_id == household_id)
    return session.scalar(select(Promise.day).where(*of_household, Promise.state == PromiseState.OPEN))


def conclude(session: Session, tenant_id: UUID, today: date) -> int:
    """Concludes every promise whose day is over. Returns how many. Safe to run again.

    A household whose promise cannot be judged is set aside, and its promise stays open.
    """
    over = (Promise.tenant_id == tenant_id, Promise.state == PromiseState.OPEN, Promise.day < today)
    rows = session.scalars(select(Promise).where(*over).order_by(Promise.day, Promise.id)).all()
    concluded = 0
    for promise in rows:
        with set_aside.one_household(session, tenant_id, promise.household_id, Work.PROMISES):
            _conclude(session, promise, today)
            concluded += 1
    judged = {promise.household_id for promise in rows}
    set_aside.close_recovered(session, tenant_id, Work.PROMISES, judged.__contains__)
    return concluded


def _conclude(session: Session, promise: Promise, today: date) -> None:
    values = {"tenant": promise.tenant_id, "home": promise.household_id, "at": promise.created_at}
    is_kept = (session.scalar(_PAID_SINCE, values) or 0) >= promise.amount
    if not is_kept:
        is_kept = cover_books.position(session, promise.tenant_id, promise.household_id, today).owed <= 0
    state = PromiseState.KEPT if is_kept else PromiseState.LAPSED
    is_open = (
        Promise.tenant_id == promise.tenant_id,
        Promise.id == promise.id,
        Promise.state == PromiseState.OPEN,
    )
    session.execute(update(Promise).where(*is_open).values(state=state, concluded=today))
