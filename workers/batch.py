"""Works on leased rows with a few threads, each row by itself; a failing row does not hold up the others."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

THREADS = 4
CONNECTIONS = 10  # to the database, of one worker process; threads that only wait hold none
LIMIT = 100  # rows that a job leases at once

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
    work: Callable[[Item], None],
    failed: Callable[[Item, str], None],
    *,
    lease_s: float,
    in_order: bool = False,
) -> None:
    """Calls `work` for every row. When it raises, `failed` gets the row and the name of the error's class.

    No row is begun in the second half of its lease, because another worker might lease it meanwhile.
    """
    rows = list(rows)
    until = monotonic() + lease_s / 2

    def do(row: Item) -> None:
        if monotonic() > until:
            return
        try:
            work(row)
        except Exception as error:  # of any kind: the row is put back and the batch goes on
            log.exception("row failed: %s", type(error).__name__)
            put_back(failed, row, error)

    if _inline or in_order or len(rows) == 1:
        for row in rows:
            do(row)
    else:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="send") as threads:
            for future in [threads.submit(do, row) for row in rows]:
                future.result()


def put_back(failed: Callable[[Item, str], object], row: Item, error: Exception) -> None:
    """Calls `failed` with a row and the class of its error. If that fails, its lease runs out."""
    try:
        failed(row, type(error).__name__)
    except Exception as second:  # of any kind: the batch goes on
        log.exception("row could not be put back: %s", type(second).__name__)
