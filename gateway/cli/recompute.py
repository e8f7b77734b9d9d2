"""Recompute at the command line: every household's rights from its bills and money, page by page, in several
processes.

Only what differs is written. A page is a transaction, so whatever is cut off has done whole pages, and goes
on after the last.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from uuid import UUID

import click
from sqlalchemy import select

from config import memory
from gateway.cli.common import boot, household
from mutuelle import db
from mutuelle.cover import recompute
from mutuelle.households import households
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant

FIRST = UUID(int=0)
Page = tuple[UUID, list[UUID]]  # (tenant, households)


@dataclass
class RecomputeProgress:
    """How far it has come; `last` is the last household of the pages done in their order."""

    households: int = 0
    rewritten: int = 0
    last: tuple[UUID, UUID] | None = None


def run(code: str | None, after: str | None, processes: int) -> dict[str, object]:
    """Recompute the rights of one mutuelle, or of all, perhaps from behind a household on; the figures."""
    done = RecomputeProgress()
    try:
        _in_order(_pages(code, after), processes, lambda page, wrong: _tick(done, page, wrong))
    except BaseException:
        if done.last:
            click.echo(f"\nnot finished; go on with --after {_number(done.last)}", err=True)
        raise
    _show(done, "\n")
    return {"households": done.households, "rewritten": done.rewritten}


def _pages(code: str | None, after: str | None) -> Iterator[Page]:
    """Every page, mutuelle by mutuelle in the order of their codes."""
    with db.transaction(db.Role.AUDITOR) as session:
        begun = household(session, after) if after else None
        first = tenants.get(session, begun.tenant_id).code if begun else ""
        query = select(Tenant.id, Tenant.code).where(Tenant.kind == "mutuelle").order_by(Tenant.code)
        places = [row for row in session.execute(query) if row.code >= first and code in (None, row.code)]
    if code and not places:
        raise click.ClickException(f"there is no mutuelle {code}")
    for place in places:
        reached = begun.id if begun and begun.tenant_id == place.id else FIRST
        while True:
            with db.transaction(db.Role.WORKER, place.id) as session:
                ids = recompute.next_households(session, place.id, reached)
            if not ids:
                break
            yield place.id, ids
            reached = ids[-1]


def _in_order(pages: Iterator[Page], processes: int, ended: Callable[[Page, int], None]) -> None:
    """Do the pages, a few ahead, and hear of their ends in their order."""
    if processes == 1:
        for page in pages:
            ended(page, page_of(page))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_boot) as pool:
        ahead: deque[tuple[Page, Future[int]]] = deque()
        for page in pages:
            ahead.append((page, pool.submit(page_of, page)))
            if len(ahead) > 2 * processes:
                first, future = ahead.popleft()
                ended(first, future.result())
        for first, future in ahead:
            ended(first, future.result())


def _boot() -> None:
    boot()
    memory.settle()


def page_of(page: Page) -> int:
    """Rewrite what differs on one page; how many households."""
    with db.transaction(db.Role.WORKER, page[0]) as session:
        return recompute.rewrite(session, *page)


def _tick(done: RecomputeProgress, page: Page, wrong: int) -> None:
    done.households += len(page[1])
    done.rewritten += wrong
    done.last = (page[0], page[1][-1])
    _show(done, "")


def _show(done: RecomputeProgress, end: str) -> None:
    """Progress on a terminal; nothing in a pipe."""
    if sys.stderr.isatty():
        click.echo(f"\r{done.households} households, {done.rewritten} rewritten{end}", err=True, nl=False)


def _number(last: tuple[UUID, UUID]) -> str:
    with db.transaction(db.Role.AUDITOR) as session:
        return households.get(session, *last).number
