"""Reads office lists: CSV files as offices export them; a row that cannot be read does not stop the others.

A file is UTF-8 (with or without a byte order mark), UTF-16 with its mark, or in the Windows and Latin
encodings of older programs. Semicolons, commas or tabs separate the columns, and the first row names them, in
any order. A row is one line: a quote that is never closed spoils its own row and no other. Pure.
"""

import codecs
import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mutuelle.errors import Malformed
from mutuelle.households.names import normalize as normalize

SEPARATORS = ";,\t"
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
OLDEST = 120  # years
NO_COLUMNS: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True)
class ListRow:
    """A row that could be read: its number in the file, the header's being 1, and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class RowProblem:
    """A row that cannot be used: what is wrong with it and what to do, in words without personal data."""

    line: int
    wrong: str
    do: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.wrong}; {self.do}"


class RowError(Exception):
    """Raised when one row cannot be used."""

    def __init__(self, wrong: str, do: str) -> None:
        super().__init__(wrong)
        self.wrong, self.do = wrong, do

    def at(self, line: int) -> RowProblem:
        return RowProblem(line, self.wrong, self.do)


@dataclass(frozen=True)
class ParsedList:
    """The rows of a file, and the problems of the lines that could not be read."""

    lines: tuple[ListRow, ...]
    problems: tuple[RowProblem, ...]


def read(
    body: bytes, columns: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]] = NO_COLUMNS
) -> ParsedList:
    """Reads a file whose header names all `columns`, each by its key or by one of its other names.

    It may name the `optional` ones, too; without them their cells are empty. Raises Malformed when one is
    missing, in words for the person who made the file.
    """
    rows = [
        (number, text)
        for number, text in enumerate(re.split(r"\r\n|\r|\n", _decode(body)), 1)
        if text.strip(" \t;,")
    ]
    if not rows:
        raise Malformed("the file is empty: its first row must name the columns")
    names, separator = _header(rows[0][1], columns, optional)
    lines: list[ListRow] = []
    problems: list[RowProblem] = []
    for number, text in rows[1:]:
        try:
            lines.append(ListRow(number, _cells(text, separator, names, [*columns, *optional])))
        except RowError as error:
            problems.append(error.at(number))
    return ParsedList(tuple(lines), tuple(problems))


def _decode(body: bytes) -> str:
    """Decodes a file; one that is not Unicode comes from an older program and has one byte per letter."""
    for mark, encoding in MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1")


def _header(
    text: str, columns: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]
) -> tuple[list[str], str]:
    """Returns the columns by our names, and the separator under which most columns have known names."""
    labels = {**columns, **optional}
    name_of = {normalize(label): name for name, others in labels.items() for label in (name, *others)}
    choices = []
    for separator in SEPARATORS:
        cells = [normalize(cell.strip().strip('"')) for cell in text.split(separator)]
        choices.append(([name_of.get(cell, "") for cell in cells], separator))
    names, separator = max(choices, key=lambda choice: len(set(choice[0]) & set(labels)))
    missing = [name for name in columns if name not in names]
    if missing:
        raise Malformed(
            f"the first row must name the columns {', '.join(columns)}: {', '.join(missing)} is not there"
        )
    if len(names) - names.count("") > len(set(names) - {""}):
        raise Malformed("the first row names a column twice")
    return names, separator


def _cells(text: str, separator: str, names: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    try:
        cells = next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error:
        advice = "close every quote on the same line, or leave them out"
        raise RowError("its quotes cannot be understood", advice) from None
    while len(cells) > len(names) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(names):
        raise RowError(
            f"it has {len(cells)} columns, the first row {len(names)}", "put one cell under each column"
        )
    values = {
        name: " ".join(unicodedata.normalize("NFC", cell).split())
        for name, cell in zip(names, cells, strict=True)
    }
    if not all(cell.isprintable() for cell in values.values()):
        raise RowError("it has a letter that cannot be read", "save the file as UTF-8")
    return {name: values.get(name, "") for name in columns}


def year(cell: str, today: date) -> int:
    """Reads a year of birth in four digits."""
    if not re.fullmatch(r"[0-9]{4}", cell) or not today.year - OLDEST <= int(cell) <= today.year:
        raise RowError(
            "birth_year is not a year somebody living was born in", "write four digits, such as 1985"
        )
    return int(cell)


def day(cell: str, column: str) -> date:
    """Reads a day written as 2027-12-31 or 31/12/2027."""
    match = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})", cell, re.ASCII)
    if match:
        parts = [int(part) for part in match.groups() if part]
        try:
            return date(*parts) if match[1] else date(*reversed(parts))
        except ValueError:
            pass
    raise RowError(f"{column} is not a day", "write it as 2027-12-31 or 31/12/2027")


def person_name(cell: str) -> str:
    """Reads a person's name: two letters or more, no digits."""
    if (
        not 2 <= len(cell) <= 80
        or any(letter.isdigit() for letter in cell)
        or sum(map(str.isalpha, cell)) < 2
    ):
        raise RowError("the name is not one", "write first and last name in letters, at most 80")
    return cell
