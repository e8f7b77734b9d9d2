"""Writes the CSV file of a subsidy claim, whose SHA-256 is the claim's hash. Pure.

`sha256sum` of the file is the hash of the claim, so that it can be checked with the file alone. Format: UTF-8
without a byte order mark; each line ends with one line feed; the first line names the columns; cells are
separated by commas; a cell with a comma, a double quote or a line feed stands between double quotes, and a
double quote in it is doubled. Lines are in the order of their positions, days are written 2026-11-22, amounts
in smallest units of the currency without separators, negative where the line takes back. `corrects` is empty,
or the claim and the line that this line takes back or asks for again. A cell of text that begins with
= + - @ or ' has an apostrophe before it, so that no spreadsheet reads it as a formula.

The columns follow the format of the claim. Format 1 ends with `corrects`. Format 2 adds `days` (how many of
the days from `from` to `until` it asks for: all of them, each a day on which the member was covered; empty
where the bill's whole period is asked for), `registry_number` (empty where the evidence is none),
`member_paid` and `receipts` (what the household had paid on the bill by the end of the claim's period, and
the operators' transactions, separated by spaces), `household_size` (on the last day) and `place`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from mutuelle.subsidies.claim_lines import DraftLine

FORMAT = 2  # of the claims that are drafted now
COLUMNS_1 = (
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
COLUMNS = {
    1: COLUMNS_1,
    2: (*COLUMNS_1, "days", "registry_number", "member_paid", "receipts", "household_size", "place"),
}


@dataclass(frozen=True)
class CsvLine:
    """A line with its position in the claim; `corrects` names the line it corrects as `NUMBER position`."""

    position: int
    line: DraftLine
    corrects: str = ""


def csv(number: str, currency: str, lines: Iterable[CsvLine], file_format: int = FORMAT) -> bytes:
    """Returns the file of the claim `number`; always the same bytes for the same lines and format."""
    rows = [",".join(COLUMNS[file_format])]
    rows += [",".join(map(_cell, cells(number, currency, line, file_format))) for line in lines]
    return ("\n".join(rows) + "\n").encode()


def lines_hash(number: str, currency: str, lines: Iterable[CsvLine], file_format: int = FORMAT) -> bytes:
    """Returns the SHA-256 of the file of the claim `number`."""
    return hashlib.sha256(csv(number, currency, lines, file_format)).digest()


def cells(number: str, currency: str, csv_line: CsvLine, file_format: int = FORMAT) -> tuple[str | int, ...]:
    """Returns the cell of each column of a line; amounts, years, counts and positions are numbers."""
    line = csv_line.line
    columns: tuple[str | int | None, ...] = (
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
        line.days,
        line.registry_number,
        line.member_paid,
        line.receipts,
        line.household_size,
        line.place,
    )
    return tuple("" if cell is None else cell for cell in columns[: len(COLUMNS[file_format])])


def _cell(value: str | int) -> str:
    """
    >>> _cell("=1+1"), _cell('Awa "Ma", Ba'), _cell(-3500)
    ("'=1+1", '"Awa ""Ma"", Ba"', '-3500')
    """
    if isinstance(value, int):
        return str(value)
    text = "'" + value if value.startswith(("=", "+", "-", "@", "'")) else value
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text
