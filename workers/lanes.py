"""Works on due rows in lanes, one for each operator, so that a silent or slow operator costs only itself.

A lane has threads of its own and leases a row only when one of them is free. The kinds of rows in a lane take
turns. While one lane is busy, the others are filled again with what has become due meanwhile.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import monotonic
from typing import Any

from workers import batch

PER_LANE = 4  # threads
MOST_THREADS = 32  # of all lanes; more lanes share them
LOOK_S = 1.0  # between two looks for due rows while some are worked on
WITHIN_S = 60.0  # after which a job leases no more: with its last requests it must end within `JOB_S`
RING_S = 0.5
log = logging.getLogger("workers.lanes")


@dataclass(frozen=True)
class RowSource:
    """The due rows of one kind in one lane.

    `lease` returns up to so many of them, leased to this worker. `work` does one; when it raises, `failed`
    gets the row and the name of the error's class.
    """

    lane: str
    kind: str
    lease: Callable[[int], Sequence[Any]]
    work: Callable[[Any], object]
    failed: Callable[[Any, str], object]
    threads: int = PER_LANE


# Returns the sources that have due rows now.
Look = Callable[[], Iterable[RowSource]]


def run(
    look: Look,
    ring: Callable[[], object] = lambda: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Works on what is due until nothing is left, or until a job has to end. Returns how many rows it leased.

    It leases no more once the process `is_stopping`.

    `ring` announces the work that the rows brought: at most twice a second, and once more at the end.
    """
    if batch.is_inline():
        return _run_inline(look)
    return _Lanes(look, ring, is_stopping).run()


def _run_inline(look: Look) -> int:
    """Works on the rows one by one, in this thread."""
    count = 0
    while sources := list(look()):
        before = count
        for source in sources:
            rows = _lease(source, batch.LIMIT)
            count += len(rows)
            for row in rows:
                _do(source, row)
        if count == before:  # others hold these rows
            break
    return count


def _lease(source: RowSource, limit: int) -> Sequence[Any]:
    """Leases rows of a source; none when that fails, so that the other lanes go on."""
    try:
        return source.lease(limit)
    except Exception as error:  # of any kind: the next look finds the source again
        log.exception("lane %s: nothing can be leased: %s", source.lane, type(error).__name__)
        return []


def _do(source: RowSource, row: Any) -> None:
    try:
        source.work(row)
    except Exception as error:  # of any kind: the row is put back and the others go on
        log.exception("row failed: %s", type(error).__name__)
        batch.put_back(source.failed, row, error)


class _Lanes:
    """One run: which sources wait in each lane, and how many threads of each lane are busy."""

    def __init__(self, look: Look, ring: Callable[[], object], is_stopping: Callable[[], bool]) -> None:
        self._look, self._ring, self._is_stopping = look, ring, is_stopping
        self._waiting: dict[str, dict[str, RowSource]] = {}
        self._busy = Counter[str]()
        self._under_way: dict[Future[None], str] = {}
        self._count = 0

    def run(self) -> int:
        until, last_look, last_ring = monotonic() + WITHIN_S, 0.0, 0.0
        with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="lane") as pool:
            while monotonic() < until and not self._is_stopping():
                idle = not self._under_way
                if idle or monotonic() >= last_look + LOOK_S:
                    last_look = monotonic()
                    for source in self._look():
                        self._waiting.setdefault(source.lane, {}).setdefault(source.kind, source)
                self._fill(pool)
                if not self._under_way:
                    break
                self._collect(LOOK_S)
                if monotonic() >= last_ring + RING_S:
                    last_ring = monotonic()
                    self._ring()
            while self._under_way:
                self._collect(None)
        if self._count:
            self._ring()
        return self._count

    def _fill(self, pool: ThreadPoolExecutor) -> None:
        """Leases as many rows as each lane has free threads, from its sources in turn."""
        for lane, sources in self._waiting.items():
            while sources:
                kind, source = next(iter(sources.items()))
                free = source.threads - self._busy[lane]
                if free <= 0:
                    break
                del sources[kind]
                rows = _lease(source, free)
                if len(rows) == free:  # there may be more: it waits behind the other kinds
                    sources[kind] = source
                for row in rows:
                    self._under_way[pool.submit(_do, source, row)] = lane
                self._busy[lane] += len(rows)
                self._count += len(rows)

    def _collect(self, timeout_s: float | None) -> None:
        """Waits until a row is done, at most `timeout_s` seconds. Raises what ended a thread."""
        done, _ = wait(self._under_way, timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            self._busy[self._under_way.pop(future)] -= 1
            future.result()
