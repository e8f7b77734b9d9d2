"""Works on leased rows with a few threads, each row by itself; a failing row does not hold up the others."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from time import monotonic
from typing import TypeVar

THREADS, PER_OPERATOR = 8, 4
LIMIT = 100  # rows that a job leases at once
RING_S = 0.5

Item = TypeVar("Item")
_inline = False
log = logging.getLogger("workers.batch")


def set_inline(inline: bool) -> None:
    """Makes this process work on rows one by one, in the thread that leased them; `False` ends it."""
    global _inline
    _inline = inline


def is_inline() -> bool:
    """Whether this process works on rows one by one."""
    return _inline


def for_each(
    rows: Iterable[Item],
    operator_of: Callable[[Item], str],
    work: Callable[[Item], None],
    failed: Callable[[Item, str], None],
    *,
    lease_s: float,
    in_order: bool = False,
    ring: Callable[[], object] = lambda: None,
) -> None:
    """Calls `work` for every row, with at most half of the threads for one operator.

    When `work` raises, `failed` gets the row and the name of the error's class. No row is begun in the second
    half of its lease, because another worker might lease it meanwhile. `ring` announces the work that the
    rows brought: at most twice a second, because one silent operator must not hold back the messages of the
    others, and once more at the end.
    """
    slots: dict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(PER_OPERATOR))
    rows_and_slots = [(row, slots[operator_of(row)]) for row in rows]
    until = monotonic() + lease_s / 2
    last_ring = 0.0

    def do(row: Item, slot: BoundedSemaphore) -> None:
        nonlocal last_ring
        with slot:
            if monotonic() > until:
                return
            try:
                work(row)
            except Exception as error:  # of any kind: the row is put back and the batch goes on
                log.exception("row failed: %s", type(error).__name__)
                failed(row, type(error).__name__)
        if not _inline and monotonic() > last_ring + RING_S:
            last_ring = monotonic()
            ring()

    if _inline or in_order or len(rows_and_slots) == 1:
        for row, slot in rows_and_slots:
            do(row, slot)
    else:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="ask") as threads:
            for future in [threads.submit(do, row, slot) for row, slot in rows_and_slots]:
                future.result()
    if rows_and_slots:
        ring()
