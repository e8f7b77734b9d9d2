"""A batch: what was claimed is asked by a few threads, each row for itself; one that fails does not hold the others."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from time import monotonic
from typing import TypeVar

THREADS, PER_OPERATOR = 8, 4
LIMIT = 100  # rows a job claims at once

One = TypeVar("One")
_inline = False
log = logging.getLogger("workers")


def serially(wanted: bool = True) -> None:
    """From now on, in this process, rows are asked one after the other by the thread that claimed them; or not any more."""
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
) -> None:
    """Do `work` for every row, at most half of the threads for one operator; `failed` hears the kind of error.

    No row is begun in the second half of its lease, lest somebody else take it meanwhile; it is claimed again after that.
    """
    turns: dict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(PER_OPERATOR))
    listed = [(row, turns[operator_of(row)]) for row in rows]
    until = monotonic() + lease_s / 2

    def one(row: One, turn: BoundedSemaphore) -> None:
        with turn:
            if monotonic() > until:
                return
            try:
                work(row)
            except Exception as error:  # whatever it was, the row is put back and the batch goes on
                log.exception("row failed: %s", type(error).__name__)
                failed(row, type(error).__name__)

    if _inline or in_order or len(listed) == 1:
        for row, turn in listed:
            one(row, turn)
        return
    with ThreadPoolExecutor(THREADS, thread_name_prefix="ask") as threads:
        for done in [threads.submit(one, *row) for row in listed]:
            done.result()


def backoff_s(attempts: int, first_s: float = 5, most_s: float = 300) -> float:
    """Seconds until the next try: 5, 10, 20, ... at most 300."""
    return float(min(most_s, first_s * 2 ** max(0, min(attempts, 20) - 1)))
