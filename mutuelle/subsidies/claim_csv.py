"""The text of a subsidy claim's lines, from which its hash is made: the bytes of the CSV file that is handed
out. Pure.

`sha256sum` of that file is the hash of the claim; anybody may check it with the file alone. The rules of the
file: UTF-8 without a mark, lines end with one line feed, the first one holds the names of the columns, cells
are separated by commas; a cell that holds a comma, a double quote or a line feed stands between double
quotes, a double quote in it is written twice. Lines stand in the order of their numbers, days as 2026-11-22,
amounts in smallest units of the currency without separators, a minus before what is taken back. `corrects` is
empty, or the claim and the line that this one takes back or asks for again. A cell of words that begins with
= + - @ or ' has an apostrophe before it, so that no spreadsheet takes it for a formula.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from mutuelle.subsidies.claim_lines import DraftLine

COLUMNS = (
    "claim",
    "line",
    "household",
    "member",
    "born",
    "category",
    "scheme",
    "version",
    "rule",
    "evidence",
    "from",
    "until",
    "billed",
    "amount",
    "currency",
    "corrects",
)


@dataclass(frozen=True)
class CsvLine:
    """A line as it stands in its claim; `corrects` is the other one as `NUMBER line`."""

    position: int
    line: DraftLine
    corrects: str = ""


def csv(number: str, currency: str, lines: Iterable[CsvLine]) -> bytes:
    """The file of the claim `number`, to the byte."""
    rows = [",".join(COLUMNS), *(",".join(map(_cell, cells(number, currency, one))) for one in lines)]
    return ("\n".join(rows) + "\n").encode()


def cells(number: str, currency: str, one: CsvLine) -> tuple[str | int, ...]:
    """What stands in each column of a line; amounts, years and places are numbers."""
    line = one.line
    return (
        number,
        one.position,
        line.number,
        line.name,
        line.born,
        line.category,
        line.scheme,
        line.version.isoformat(),
        line.rule,
        line.evidence,
        line.days_from.isoformat(),
        line.days_until.isoformat(),
        line.on_day.isoformat(),
        line.amount,
        currency,
        one.corrects,
    )


def digest(file: bytes) -> bytes:
    """SHA-256 of the file."""
    return hashlib.sha256(file).digest()


def _cell(told: str | int) -> str:
    """
    >>> _cell("=1+1"), _cell('Awa "Ma", Ba'), _cell(-3500)
    ("'=1+1", '"Awa ""Ma"", Ba"', '-3500')
    """
    if isinstance(told, int):
        return str(told)
    said = "'" + told if told.startswith(("=", "+", "-", "@", "'")) else told
    return '"' + said.replace('"', '""') + '"' if any(mark in said for mark in ',"\n\r') else said
