"""Recomputes every household's rights from its bills and money, page by page, in several processes.

Only differences are written. A page is a transaction, so that a run that is cut off has done whole pages and
can resume after the last one.
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
from gateway.cli.common import boot, household_of
from mutuelle import db
from mutuelle.cover import recompute
from mutuelle.cover.recompute import RewriteResult
from mutuelle.households import households
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant, TenantKind

BEFORE_FIRST = UUID(int=0)
Page = tuple[UUID, list[UUID]]  # (tenant, households)


@dataclass
class RecomputeProgress:
    """How far the run has come; `last` is the last household of the last page done in order."""

    households: int = 0
    rewritten: int = 0
    set_aside: int = 0
    last: tuple[UUID, UUID] | None = None


def run(code: str | None, after: str | None, processes: int) -> dict[str, object]:
    """Recomputes the rights of one mutuelle or of all, from after a household if given. Returns counts.

    `set_aside` counts households whose rights cannot be computed, if there are any.
    """
    progress = RecomputeProgress()
    try:
        _in_order(_pages(code, after), processes, lambda page, result: _tick(progress, page, result))
    except BaseException:
        if progress.last:
            click.echo(f"\nnot finished; go on with --after {_number(progress.last)}", err=True)
        raise
    _show(progress, "\n")
    counts: dict[str, object] = {"households": progress.households, "rewritten": progress.rewritten}
    return counts | {"set_aside": progress.set_aside} if progress.set_aside else counts


def _pages(code: str | None, after: str | None) -> Iterator[Page]:
    """Yields every page, mutuelle by mutuelle in the order of their codes."""
    with db.transaction(db.Role.AUDITOR) as session:
        start = household_of(session, after) if after else None
        first_code = tenants.get(session, start.tenant_id).code if start else ""
        query = select(Tenant.id, Tenant.code).where(Tenant.kind == TenantKind.MUTUELLE).order_by(Tenant.code)
        rows = [row for row in session.execute(query) if row.code >= first_code and code in (None, row.code)]
    if code and not rows:
        raise click.ClickException(f"there is no mutuelle {code}")
    for row in rows:
        last_id = start.id if start and start.tenant_id == row.id else BEFORE_FIRST
        while True:
            with db.transaction(db.Role.WORKER, row.id) as session:
                ids = recompute.next_households(session, row.id, last_id)
            if not ids:
                break
            yield row.id, ids
            last_id = ids[-1]


def _in_order(pages: Iterator[Page], processes: int, done: Callable[[Page, RewriteResult], None]) -> None:
    """Recomputes the pages, a few ahead, and calls `done` with each page and its result, in order."""
    if processes == 1:
        for page in pages:
            done(page, rewrite_page(page))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_boot_process) as pool:
        ahead: deque[tuple[Page, Future[RewriteResult]]] = deque()
        for page in pages:
            ahead.append((page, pool.submit(rewrite_page, page)))
            if len(ahead) > 2 * processes:
                first, future = ahead.popleft()
                done(first, future.result())
        for first, future in ahead:
            done(first, future.result())


def _boot_process() -> None:
    boot()
    memory.settle()


def rewrite_page(page: Page) -> RewriteResult:
    """Rewrites the rights that differ on one page."""
    with db.transaction(db.Role.WORKER, page[0]) as session:
        return recompute.rewrite(session, *page)


def _tick(progress: RecomputeProgress, page: Page, result: RewriteResult) -> None:
    progress.households += len(page[1])
    progress.rewritten += result.rewritten
    progress.set_aside += len(result.set_aside)
    for line in result.set_aside:
        click.echo(f"{line}; its rights stay as they are, and it has a case for staff", err=True)
    progress.last = (page[0], page[1][-1])
    _show(progress, "")


def _show(progress: RecomputeProgress, end: str) -> None:
    """Prints the progress on a terminal, nothing in a pipe."""
    if sys.stderr.isatty():
        click.echo(
            f"\r{progress.households} households, {progress.rewritten} rewritten{end}", err=True, nl=False
        )


def _number(last: tuple[UUID, UUID]) -> str:
    with db.transaction(db.Role.AUDITOR) as session:
        return households.get(session, *last).number
