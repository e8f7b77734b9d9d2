"""Tests of office lists in any encoding and with any separator: valid rows are read, others have a number."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutuelle.enrolment import office_list_csv
from mutuelle.enrolment.office_list_csv import RowError
from mutuelle.errors import Malformed

COLUMNS = {"number": ("numéro",), "name": ("nom",), "until": ()}
NAMES = (
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzéèçôïÀÉ '-"), min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
)
ROWS = st.lists(
    st.tuples(st.integers(1, 10**9).map(str), NAMES, st.sampled_from(["", "2027-12-31"])),
    min_size=1,
    max_size=8,
)
LETTERS = st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
APART = st.sampled_from([";", ",", "\t"])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def join_cells(cells: tuple[str, ...], apart: str, quoted: bool) -> str:
    return apart.join(f'"{cell}"' if quoted or cell[:1] == '"' else cell for cell in cells)


@given(
    rows=ROWS,
    letters=LETTERS,
    apart=APART,
    end=ENDS,
    quoted=st.booleans(),
    order=st.permutations(["number", "name", "until"]),
)
def test_every_row_is_read_for_all_letters_separators_and_column_orders(
    rows: list[tuple[str, ...]], letters: str, apart: str, end: str, quoted: bool, order: list[str]
) -> None:
    named = [dict(zip(("number", "name", "until"), row, strict=True)) for row in rows]
    text = end.join(
        [apart.join(order), *(join_cells(tuple(row[name] for name in order), apart, quoted) for row in named)]
    )
    parsed = office_list_csv.read((text + end).encode(letters), COLUMNS)
    assert parsed.problems == ()
    assert [line.number for line in parsed.lines] == list(range(2, len(rows) + 2))
    assert [dict(line.cells) for line in parsed.lines] == [
        {key: " ".join(cell.split()) for key, cell in row.items()} for row in named
    ]


BROKEN = st.sampled_from(['1;"open', "1;two;three;four", "only", '1;"a"b;', "1;a\x07b;2027-01-01"])


@given(rows=st.lists(st.one_of(st.just("7;Awa;"), BROKEN), max_size=10))
def test_a_malformed_row_is_reported_by_line_number_and_the_others_are_read(rows: list[str]) -> None:
    parsed = office_list_csv.read("\n".join(["number;name;until", *rows]).encode(), COLUMNS)
    assert [line.number for line in parsed.lines] == [at for at, row in enumerate(rows, 2) if row == "7;Awa;"]
    assert [problem.line for problem in parsed.problems] == [
        at for at, row in enumerate(rows, 2) if row != "7;Awa;"
    ]
    assert all(problem.wrong and problem.do for problem in parsed.problems)


@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(Malformed):  # the mark of another encoding, or no header
        assert office_list_csv.read(b"number;name;until\n" + body, COLUMNS)
        assert office_list_csv.read(body, COLUMNS)


def test_the_header_is_read_in_any_case_and_a_missing_one_is_reported() -> None:
    parsed = office_list_csv.read("Nom;UNTIL;Numéro;autre\nAwa Diop;;7;x\n".encode("latin-1"), COLUMNS)
    assert dict(parsed.lines[0].cells) == {"number": "7", "name": "Awa Diop", "until": ""}
    for body, missing in (
        (b"number;name\n1;a", "until is not there"),
        (b"", "empty"),
        (b"number;name;nom;until\n", "twice"),
    ):
        with pytest.raises(Malformed, match=missing):
            office_list_csv.read(body, COLUMNS)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("2027-12-31", date(2027, 12, 31)), ("31/12/2027", date(2027, 12, 31)), ("1/2/2027", date(2027, 2, 1)),
     ("2027-02-30", None), ("12/31/2027", None), ("tomorrow", None), ("٣١/12/2027", None)],
)  # fmt: skip
def test_a_day_is_written_in_two_ways(cell: str, expected: date | None) -> None:
    if expected is None:
        with pytest.raises(RowError, match="is not a day"):
            office_list_csv.day(cell, "valid_until")
    else:
        assert office_list_csv.day(cell, "valid_until") == expected


@pytest.mark.parametrize("cell", ["85", "1900", "2027", "", "198O", "١٩٨٥"])
def test_a_birth_year_must_be_possible_for_a_living_person(cell: str) -> None:
    with pytest.raises(RowError, match="birth_year"):
        office_list_csv.year(cell, date(2026, 11, 22))
    assert office_list_csv.year("1985", date(2026, 11, 22)) == 1985


@pytest.mark.parametrize("cell", ["", "A", "--", "Awa 2", "x" * 81])
def test_a_name_is_letters(cell: str) -> None:
    with pytest.raises(RowError, match="name"):
        office_list_csv.person_name(cell)
    assert office_list_csv.person_name("N'Deye-Awa Diop") == "N'Deye-Awa Diop"
