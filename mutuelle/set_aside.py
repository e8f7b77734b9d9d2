"""Sets aside what our own code fails on: a household or a mutuelle gets a case for staff, the others go on.

A batch is tried whole first. When it fails, its rows are tried one by one, each in a transaction of its own,
and the one that fails gets the case. The next run tries it again; the case stays open, is never doubled, and
is closed by the work that opened it once that succeeds.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from mutuelle import audit, clock, db
from mutuelle.audit import Flag, FlagKind, Subject
from mutuelle.errors import Refused

MOST_HOUSEHOLDS = 50  # with an open case for the same work; beyond that one case names the mutuelle
_FAILED = "households set aside in this transaction"  # key in `Session.info`
log = logging.getLogger("mutuelle.set_aside")


class Work(StrEnum):
    """The work that was not done; the reason of a case begins with it."""

    BILLS = "bills"
    CLAIM = "subsidy claim"
    DUPLICATES = "likely duplicates"
    LISTS = "registry lists"
    MONEY = "money"
    PROMISES = "promises"
    PROOF_ENDS = "proofs that end"
    PROOF_NOTICES = "notices of proofs that end"
    REMINDERS = "reminders"
    RIGHTS = "rights"
    RULES = "new rules"
    SMS = "SMS"
    ZONE = "time zone"


class OfHousehold(Protocol):
    """A row about one household."""

    @property
    def household_id(self) -> UUID: ...


Item = TypeVar("Item", bound=OfHousehold)


def household(session: Session, tenant_id: UUID, household_id: UUID, work: Work, error: Exception) -> None:
    """Opens the case of a household on which `work` failed with `error`. Raises `error` if it lies elsewhere.

    Beyond `MOST_HOUSEHOLDS` open cases, opens one for the whole mutuelle, whose rules or keys are then wrong.
    """
    raise_if_elsewhere(error)
    log.error("%s: a household is set aside: %s", work, type(error).__name__, exc_info=error)
    session.info.setdefault(_FAILED, set()).add((work, household_id))
    subject = audit.about(Subject.HOUSEHOLD, household_id)
    subjects = session.scalars(select(Flag.subject).where(*_open(tenant_id, work))).all()
    if subject not in subjects and len(subjects) >= MOST_HOUSEHOLDS:
        subject = _many(tenant_id)
    audit.open_case(session, tenant_id, FlagKind.SET_ASIDE, subject, _reason(work, error))


@contextmanager
def one_household(session: Session, tenant_id: UUID, household_id: UUID, work: Work) -> Iterator[None]:
    """Runs the block in a savepoint. A failure undoes it for this household alone and opens its case."""
    try:
        with session.begin_nested():
            yield
    except Exception as error:  # of any kind: the other households go on
        household(session, tenant_id, household_id, work, error)


@contextmanager
def mutuelle(tenant_id: UUID, work: Work) -> Iterator[None]:
    """Runs the block. When it fails, opens the case of the mutuelle instead of raising; else closes it.

    The block opens transactions of its own. Raises what lies elsewhere: a lost connection, an ending process.
    """
    subject = audit.about(Subject.MUTUELLE, tenant_id)
    try:
        yield
    except Exception as error:  # of any kind: the other mutuelles go on
        raise_if_elsewhere(error)
        log.error("%s: a mutuelle is set aside: %s", work, type(error).__name__, exc_info=error)
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            audit.open_case(session, tenant_id, FlagKind.SET_ASIDE, subject, _reason(work, error))
    else:
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            _close(session, tenant_id, work, [subject])


def in_pages(
    tenant_id: UUID,
    work: Work,
    rows: Sequence[Item],
    act: Callable[[Session, Sequence[Item]], int],
    size: int,
) -> int:
    """Calls `act` with pages of up to `size` rows, a transaction each. Returns the sum of its results.

    The rows of a page that fails are tried one by one.
    """
    total = 0
    for start in range(0, len(rows), size):
        page = rows[start : start + size]
        try:
            total += _act(tenant_id, work, page, act)
        except Exception as error:  # of any kind: found row by row
            raise_if_elsewhere(error)
            total += sum(_act_on_one(tenant_id, work, row, act) for row in page)
    return total


def _act(
    tenant_id: UUID, work: Work, rows: Sequence[Item], act: Callable[[Session, Sequence[Item]], int]
) -> int:
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        count = act(session, rows)
        close_recovered(session, tenant_id, work, {row.household_id for row in rows}.__contains__)
    return count


def _act_on_one(tenant_id: UUID, work: Work, row: Item, act: Callable[[Session, Sequence[Item]], int]) -> int:
    try:
        return _act(tenant_id, work, [row], act)
    except Exception as error:  # of any kind: the other rows go on
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            household(session, tenant_id, row.household_id, work, error)
        return 0


def close_recovered(session: Session, tenant_id: UUID, work: Work, was_done: Callable[[UUID], bool]) -> None:
    """Closes the open cases of those households for which `work` was done now, and did not fail again.

    `was_done` says of a household whether this transaction has worked on it.
    """
    failed = session.info.get(_FAILED, set())
    recovered = []
    subjects = session.scalars(select(Flag.subject).where(*_open(tenant_id, work))).all()
    for subject in subjects:
        kind, _, identifier = subject.partition(":")
        if (
            kind == Subject.HOUSEHOLD
            and was_done(UUID(identifier))
            and (work, UUID(identifier)) not in failed
        ):
            recovered.append(subject)
    if _many(tenant_id) in subjects and len(subjects) - len(recovered) <= MOST_HOUSEHOLDS // 2:
        recovered.append(_many(tenant_id))
    _close(session, tenant_id, work, recovered)


def raise_if_elsewhere(error: Exception) -> None:
    """Raises `error` when it says nothing of the row that was worked on: the database went away."""
    if db.is_lost(error):
        raise error


def _many(tenant_id: UUID) -> str:
    """The subject of the one case of all households beyond the most that get their own."""
    return f"{audit.about(Subject.MUTUELLE, tenant_id)}:households"


def _reason(work: Work, error: Exception) -> str:
    """The work and the class of the error; never its text, which may hold what was read."""
    detail = error.key if isinstance(error, Refused) else type(error).__name__
    return f"{work}: {detail}"


def _open(tenant_id: UUID, work: Work) -> tuple[ColumnElement[bool], ...]:
    return (
        Flag.tenant_id == tenant_id,
        Flag.kind == FlagKind.SET_ASIDE,
        Flag.closed_at.is_(None),
        Flag.reason.startswith(f"{work}: "),
    )


def _close(session: Session, tenant_id: UUID, work: Work, subjects: Sequence[str]) -> None:
    if subjects:
        query = update(Flag).where(*_open(tenant_id, work), Flag.subject.in_(subjects))
        session.execute(query.values(closed_at=clock.now()))
