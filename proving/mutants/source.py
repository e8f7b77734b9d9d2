"""The text of a file by byte positions, and one small fault in it."""

import ast
from bisect import bisect_right
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True)
class Edit:
    """One replacement in a text; positions count bytes."""

    kind: str
    start: int
    end: int
    replacement: str


@dataclass(frozen=True)
class Fault:
    """One small fault that can be planted in the file at `path`.

    `scope` names the function, class, constant or SQL statement that holds the fault. `statement` is the
    first line of the innermost Python statement; it is None for a fault outside any function, which runs
    when the module is imported. `before` and `after` are the first line that differs, without indentation.
    """

    path: str
    line: int
    column: int
    scope: str
    statement: int | None
    edit: Edit
    before: str
    after: str

    @property
    def id(self) -> str:
        return f"{self.path}:{self.line}:{self.column}:{self.edit.kind}"

    @property
    def family(self) -> str:
        """The kind without its variant: `compare.<=` belongs to `compare`."""
        return self.edit.kind.partition(".")[0]


class SourceText:
    """A file as text with one character for each byte, because syntax trees count columns in bytes."""

    def __init__(self, path: str, content: str) -> None:
        self.path = path
        self.text = content.encode().decode("latin-1")
        self._starts = [0, *(at + 1 for at, letter in enumerate(self.text) if letter == "\n")]

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Returns where a node of this file's syntax tree begins and ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def of(self, node: ast.expr | ast.stmt) -> str:
        """Returns the text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_of(self, position: int) -> int:
        """Returns the number of the line that holds a position."""
        return bisect_right(self._starts, position)

    def edited(self, edit: Edit) -> str:
        """Returns the whole text with an edit, as it is written to a file."""
        return (self.text[: edit.start] + edit.replacement + self.text[edit.end :]).encode("latin-1").decode()

    def fault(self, edit: Edit, scope: str, statement: int | None) -> Fault:
        """Describes an edit of this text."""
        line = self.line_of(edit.start)
        first = self._starts[line - 1]
        tail = self.text[edit.end :].partition("\n\n")[0]
        before = self.text[first : edit.end] + tail
        after = self.text[first : edit.start] + edit.replacement + tail
        old, new = _first_difference(before.split("\n"), after.split("\n"))
        return Fault(self.path, line, edit.start - first, scope, statement, edit, old, new)


def _first_difference(before: list[str], after: list[str]) -> tuple[str, str]:
    pairs = zip_longest(before, after, fillvalue="")
    old, new = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
    return old.strip().encode("latin-1").decode(), new.strip().encode("latin-1").decode()
