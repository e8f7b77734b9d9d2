"""Stores tables of JSON rows in memory and in one append-only file that survives restarts."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

Row = dict[str, Any]
Change = tuple[str, str, Row]
Watcher = Callable[[str, Row], None]


class DamagedJournal(Exception):
    """A line in the middle of the journal is not readable; it must be repaired by hand."""


class Journal:
    """`put` appends one line `[[table, key, row], …]` and flushes it; `open` replays every line.

    Several changes in one `put` happen together or not at all. Rows are replaced, never edited in place.
    The caller holds the world's lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tables: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        self._watchers: defaultdict[str, list[Watcher]] = defaultdict(list)
        self._file: TextIO | None = None

    def watch(self, table: str, watcher: Watcher) -> None:
        """Calls `watcher(key, row)` for every row put or replayed; register before `open`."""
        self._watchers[table].append(watcher)

    def open(self) -> int:
        """Replays the file and opens it for appending. Returns the number of lines replayed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._whole_lines()
        for number, line in enumerate(lines, 1):
            try:
                changes = json.loads(line)
            except ValueError as error:
                raise DamagedJournal(f"{self._path}, line {number}: {error}") from error
            self._apply(changes)
        self._file = self._path.open("a", encoding="utf-8")
        return len(lines)

    def _whole_lines(self) -> list[bytes]:
        """Returns the complete lines. Cuts off half a last line: a killed writer never acknowledged it."""
        if not self._path.exists():
            return []
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._path.write_bytes(whole)
        return whole.splitlines()

    def put(self, *changes: Change) -> None:
        if self._file is None:
            raise RuntimeError("the journal is not open")
        self._file.write(json.dumps(changes, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._file.flush()
        self._apply(changes)

    def _apply(self, changes: Any) -> None:
        for table, key, row in changes:
            self._tables[table][key] = row
            for watcher in self._watchers[table]:
                watcher(key, row)

    def get(self, table: str, key: str) -> Row | None:
        return self._tables[table].get(key)

    def rows(self, table: str) -> list[Row]:
        """Returns all rows, in the order in which their keys were first put."""
        return list(self._tables[table].values())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
