"""Writes the CSV file of a subsidy claim, whose SHA-256 is the claim's hash. Pure.

`sha256sum` of the file is the hash of the claim, so that it can be checked with the file alone. Format: UTF-8
without a byte order mark; each line ends with one line feed; the first line names the columns; cells are
separated by commas; a cell with a comma, a double quote or a line feed stands between double quotes, and a
double quote in it is doubled. Lines are in the order of their positions, days are written 2026-11-22, amounts
in smallest units of the currency without separators, negative where the line takes back. `corrects` is empty,
or the claim and the line that this line takes back or asks for again. A cell of text that begins with
= + - @ or ' has an apostrophe before it, so that no spreadsheet reads it as a formula.
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
    """A line with its position in the claim; `corrects` names the line it corrects as `NUMBER position`."""

    position: int
    line: DraftLine
    corrects: str = ""


def csv(number: str, currency: str, lines: Iterable[CsvLine]) -> bytes:
    """Returns the file of the claim `number`; always the same bytes for the same lines."""
    rows = [",".join(COLUMNS)]
    rows += [",".join(map(_cell, cells(number, currency, line))) for line in lines]
    return ("\n".join(rows) + "\n").encode()


def lines_hash(number: str, currency: str, lines: Iterable[CsvLine]) -> bytes:
    """Returns the SHA-256 of the file of the claim `number`."""
    return hashlib.sha256(csv(number, currency, lines)).digest()


def cells(number: str, currency: str, csv_line: CsvLine) -> tuple[str | int, ...]:
    """Returns the cell of each column of a line; amounts, years and positions are numbers."""
    line = csv_line.line
    return (
        number,
        csv_line.position,
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
        csv_line.corrects,
    )


def _cell(value: str | int) -> str:
    """
    >>> _cell("=1+1"), _cell('Awa "Ma", Ba'), _cell(-3500)
    ("'=1+1", '"Awa ""Ma"", Ba"', '-3500')
    """
    if isinstance(value, int):
        return str(value)
    text = "'" + value if value.startswith(("=", "+", "-", "@", "'")) else value
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text
