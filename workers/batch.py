"""A batch: what was claimed is asked by a few threads, each row for itself; one that fails does not hold the
others."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from time import monotonic
from typing import TypeVar

THREADS, PER_OPERATOR = 8, 4
LIMIT = 100  # rows a job claims at once
RING_S = 0.5

One = TypeVar("One")
_inline = False
log = logging.getLogger("workers")


def serially(wanted: bool = True) -> None:
    """From now on, in this process, rows are asked one after the other by the thread that claimed them; or
    not any more."""
    global _inline
    _inline = wanted


def each(
    rows: Iterable[One],
    operator_of: Callable[[One], str],
    work: Callable[[One], None],
    failed: Callable[[One, str], None],
    *,
    lease_s: float,
    in_order: bool = False,
    ring: Callable[[], object] = lambda: None,
) -> None:
    """Do `work` for every row, at most half of the threads for one operator; `failed` hears the kind of
    error.

    No row is begun in the second half of its lease, lest somebody else take it meanwhile; it is claimed again
    after that. `ring` wakes whoever goes on with what the rows brought: twice a second at most, because one
    silent operator must not hold back the others' messages, and when all are done.
    """
    turns: dict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(PER_OPERATOR))
    listed = [(row, turns[operator_of(row)]) for row in rows]
    until = monotonic() + lease_s / 2
    rung = 0.0

    def one(row: One, turn: BoundedSemaphore) -> None:
        nonlocal rung
        with turn:
            if monotonic() > until:
                return
            try:
                work(row)
            except Exception as error:  # whatever it was, the row is put back and the batch goes on
                log.exception("row failed: %s", type(error).__name__)
                failed(row, type(error).__name__)
        if not _inline and monotonic() > rung + RING_S:
            rung = monotonic()
            ring()

    if _inline or in_order or len(listed) == 1:
        for row, turn in listed:
            one(row, turn)
    else:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="ask") as threads:
            for done in [threads.submit(one, *row) for row in listed]:
                done.result()
    if listed:
        ring()


def backoff_s(attempts: int, first_s: float = 5, most_s: float = 300) -> float:
    """Seconds until the next try: 5, 10, 20, ... at most 300."""
    return float(min(most_s, first_s * 2 ** max(0, min(attempts, 20) - 1)))
