"""Promises: a household says on which day it will pay, such as after the harvest. Its word, never a loan.

A promise changes nothing that is owed, open or closed. All it does: reminders wait for its day
(`reminders.py`). On the day after, whoever runs the reminders writes down what became of it: `kept` when as
much as was promised has been paid since, or nothing is owed any more, else `lapsed`; then the scheme's own
calendar speaks again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, inserts, pipeline
from mutuelle.cover import cover_books
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.schemes import schemes
from mutuelle.schemes.service_rules import Season
from mutuelle.schemes.versions import Version, months_after

NOTICE_MIN = timedelta(14)  # what is nearer is no season: who pays so soon needs no promise
MONTHS_MAX = 3  # ends of months one may choose
SEASONS_MAX = 2  # coming seasons one may choose


class Promise(Row):
    """One word given. `amount` is what was left that day, in whole units; `day` the local date of the
    payment."""

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
    """A coming season of the rule book, and the day one may promise: its first, or its last when that is too
    near."""

    season: Season
    day: date


def useful_until(books: HouseholdBooks, today: date) -> date | None:
    """The last day on which paying can still open something: the end of the fixed year that is owed for. None
    where dues have no such end, or only what is over is owed."""
    unpaid = [one for one, rest in books.left(today) if rest > 0 and one.kind == "dues"]
    ends = [one.period_until for one in unpaid if one.period_until is not None]
    return max(ends) if ends and len(ends) == len(unpaid) and max(ends) >= today else None


def months(today: date, until: date | None = None) -> list[date]:
    """The next ends of months that are far enough away, none of them after `until`."""
    ends = (months_after(today.replace(day=1), ahead) - timedelta(1) for ahead in range(1, MONTHS_MAX + 2))
    return [end for end in ends if end - today >= NOTICE_MIN and end <= (until or end)][:MONTHS_MAX]


def harvests(rules: Version, today: date, until: date | None = None) -> list[Harvest]:
    """The scheme's coming seasons, the nearest first, none of them after `until`."""
    found = [Harvest(season, next(day for day in _days(season, today))) for season in rules.seasons]
    return sorted((one for one in found if one.day <= (until or one.day)), key=lambda one: one.day)[
        :SEASONS_MAX
    ]


def _days(season: Season, today: date) -> Iterator[date]:
    """First and last days of the season that are far enough away, in the order of time."""
    told = [
        date.fromisoformat(f"{year}-{day}")
        for year in range(today.year, today.year + 3)
        for day in (season.starts, season.ends)
    ]
    yield from sorted(day for day in told if day - today >= NOTICE_MIN)


def make(session: Session, tenant_id: UUID, household_id: UUID, *, day: date, effect_key: str) -> Promise:
    """Write the household's word that it pays what it owes on the local date `day`.

    Refused: "promise.open" while another one is, "pay.nothing-owed", "promise.day" when no such day is
    offered.
    """
    asked = {"tenant": tenant_id, "home": household_id}
    about, books = pipeline.query(
        session, (_PROMISE_FACTS, asked), cover_books.question(tenant_id, household_id)
    )
    known = pipeline.single_row(about)
    today = clock.today(known.zone)
    now = cover_books.read(pipeline.single_row(books))
    owed, until = cover_books.position_of(now, today).owed, useful_until(now, today)
    if known.promised is not None:
        raise Refused("promise.open", day=known.promised)
    if owed <= 0:
        raise Refused("pay.nothing-owed")
    rules = schemes.get(known.scheme).on(today)
    if day not in (*months(today, until), *(one.day for one in harvests(rules, today, until))):
        raise Refused("promise.day", day=day)
    row = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "household_id": household_id,
        "effect_key": effect_key,
        "amount": owed,
        "currency": known.currency,
        "given": today,
        "day": day,
        "state": "open",
        "created_at": clock.now(),
    }
    inserts.add(session, Promise, row)
    audit.record(
        session, tenant_id, "member", "promise", f"household:{household_id}", amount=owed, day=day.isoformat()
    )
    return Promise(**row)


_PROMISE_FACTS = """
SELECT t.scheme, t.zone, t.currency, (SELECT p.day FROM promises p
    WHERE p.tenant_id = t.id AND p.household_id = %(home)s AND p.state = 'open') AS promised
FROM tenants t WHERE t.id = %(tenant)s
"""


# What came to the household after it gave its word, whether it is on a bill or waits for the next one.
_PAID_SINCE = text("""
SELECT sum(amount) FROM allocations WHERE household_tenant_id = :tenant AND household_id = :home
AND kind IN ('bill', 'credit') AND at > :at
""")


def open_of(session: Session, tenant_id: UUID, household_id: UUID) -> date | None:
    """The day the household has promised to pay on, while nobody has written down what became of it."""
    mine = (Promise.tenant_id == tenant_id, Promise.household_id == household_id, Promise.state == "open")
    return session.scalar(select(Promise.day).where(*mine))


def conclude(session: Session, tenant_id: UUID, today: date) -> int:
    """Write down what became of every promise whose day is over; how many. Safe to run again."""
    over = (Promise.tenant_id == tenant_id, Promise.state == "open", Promise.day < today)
    found = session.scalars(select(Promise).where(*over).order_by(Promise.day, Promise.id)).all()
    for promise in found:
        since = session.scalar(
            _PAID_SINCE, {"tenant": tenant_id, "home": promise.household_id, "at": promise.created_at}
        )
        kept = (since or 0) >= promise.amount or cover_books.position(
            session, tenant_id, promise.household_id, today
        ).owed <= 0
        mine = (Promise.tenant_id == tenant_id, Promise.id == promise.id, Promise.state == "open")
        session.execute(
            update(Promise).where(*mine).values(state="kept" if kept else "lapsed", concluded=today)
        )
    return len(found)
