"""Lists: a table as offices export it, read whole; a row that cannot be read is told by its number and the
others are taken.

UTF-8 (with or without a mark), UTF-16 with its mark, or the Windows and Latin letters of older programs;
columns apart by semicolons, commas or tabs; the first row names them, in any order. A row is one line: a
quote that is never closed spoils its own row and no other. Pure: no session, no clock.
"""

import codecs
import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mutuelle.errors import Malformed

SEPARATORS = ";,\t"
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
OLDEST = 120  # years


@dataclass(frozen=True)
class ListRow:
    """A row that could be read: its number in the file, the header's being 1, and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class RowProblem:
    """A row that was not taken: what is wrong with it and what to do, in words that name nobody."""

    line: int
    wrong: str
    do: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.wrong}; {self.do}"


class RowError(Exception):
    """One row cannot be taken."""

    def __init__(self, wrong: str, do: str) -> None:
        super().__init__(wrong)
        self.wrong, self.do = wrong, do

    def at(self, line: int) -> RowProblem:
        return RowProblem(line, self.wrong, self.do)


@dataclass(frozen=True)
class ParsedList:
    """The rows of a file, and those that are none."""

    lines: tuple[ListRow, ...]
    problems: tuple[RowProblem, ...]


def read(body: bytes, columns: Mapping[str, Sequence[str]]) -> ParsedList:
    """The rows of a file whose header names all `columns` (each by its name here or one of its others).

    Malformed when the header does not, in words for whoever made the file.
    """
    rows = [
        (number, text)
        for number, text in enumerate(re.split(r"\r\n|\r|\n", _decoded(body)), 1)
        if text.strip(" \t;,")
    ]
    if not rows:
        raise Malformed("the file is empty: its first row must name the columns")
    names, separator = _header(rows[0][1], columns)
    lines: list[ListRow] = []
    problems: list[RowProblem] = []
    for number, text in rows[1:]:
        try:
            lines.append(ListRow(number, _cells(text, separator, names, columns)))
        except RowError as wrong:
            problems.append(wrong.at(number))
    return ParsedList(tuple(lines), tuple(problems))


def _decoded(body: bytes) -> str:
    """Every file has letters: what is not UTF-8 is an older program's, whose every byte is one."""
    for mark, encoding in MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1")


def _header(text: str, columns: Mapping[str, Sequence[str]]) -> tuple[list[str], str]:
    """The columns of the file by our names, and what separates them: whatever makes most of them known."""
    known = {normalize(spoken): name for name, others in columns.items() for spoken in (name, *others)}
    choices = []
    for separator in SEPARATORS:
        cells = [normalize(cell.strip().strip('"')) for cell in text.split(separator)]
        choices.append(([known.get(cell, "") for cell in cells], separator))
    names, separator = max(choices, key=lambda choice: len(set(choice[0]) & set(columns)))
    missing = [name for name in columns if name not in names]
    if missing:
        raise Malformed(
            f"the first row must name the columns {', '.join(columns)}: {', '.join(missing)} is not there"
        )
    if len(names) - names.count("") > len(set(names) - {""}):
        raise Malformed("the first row names a column twice")
    return names, separator


def _cells(
    text: str, separator: str, names: Sequence[str], columns: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    try:
        cells = next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error:
        raise RowError(
            "its quotes cannot be understood", "close every quote on the same line, or leave them out"
        ) from None
    while len(cells) > len(names) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(names):
        raise RowError(
            f"it has {len(cells)} columns, the first row {len(names)}", "put one cell under each column"
        )
    told = {
        name: " ".join(unicodedata.normalize("NFC", cell).split())
        for name, cell in zip(names, cells, strict=True)
    }
    if not all(cell.isprintable() for cell in told.values()):
        raise RowError("it has a letter that cannot be read", "save the file as UTF-8")
    return {name: told[name] for name in columns}


def year(cell: str, today: date) -> int:
    """A year of birth in four digits."""
    if not re.fullmatch(r"[0-9]{4}", cell) or not today.year - OLDEST <= int(cell) <= today.year:
        raise RowError(
            "birth_year is not a year somebody living was born in", "write four digits, such as 1985"
        )
    return int(cell)


def day(cell: str, column: str) -> date:
    """A day as 2027-12-31 or 31/12/2027."""
    found = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})", cell, re.ASCII)
    if found:
        parts = [int(part) for part in found.groups() if part]
        try:
            return date(*parts) if found[1] else date(*reversed(parts))
        except ValueError:
            pass
    raise RowError(f"{column} is not a day", "write it as 2027-12-31 or 31/12/2027")


def person_name(cell: str) -> str:
    """A person's name: some letters, no digits."""
    if (
        not 2 <= len(cell) <= 80
        or any(letter.isdigit() for letter in cell)
        or sum(map(str.isalpha, cell)) < 2
    ):
        raise RowError("the name is not one", "write first and last name in letters, at most 80")
    return cell


def normalize(text: str) -> str:
    """Small letters without accents, words apart by one space, so that spellings of one thing are equal.

    >>> plain(" Numéro_de  MEMBRE ")
    'numero de membre'
    """
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return " ".join(re.sub(r"[\W_]+", " ", bare).split())
