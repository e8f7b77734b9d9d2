"""Quotes, rule books and dialogues at the command line, without settings or database."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.main import main


def quoted(*words: str) -> Any:
    ran = CliRunner().invoke(
        main, ["schemes", "quote", *words, "--on", "2026-11-22", "--json"], catch_exceptions=False
    )
    assert (ran.exit_code, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("--scheme", "SN-CMU", "--born", "1985,1990,2015"),
            {"scheme": "SN-CMU", "version": "2020-01-01", "currency": "XOF", "total": 21_000,
             "joining_fee": 1_000, "shares": {"member": 10_500, "state": 10_500},
             "opens": {"threshold": 10_500, "from": "2026-12-22", "until": "2027-12-21"}, "not_covered": []},
        ),
        (
            ("--scheme", "RW-CBHI", "--born", "1985, 1990", "--category", "level-2"),
            {"scheme": "RW-CBHI", "total": 8000, "shares": {"member": 6000, "state": 2000}, "joining_fee": 0},
        ),
        (
            ("--scheme", "ML-5050", "--born", "1985,1990,2015"),
            {"scheme": "ML-5050", "currency": "XOF", "total": 19_800, "joining_fee": 2_500,
             "shares": {"member": 9_900, "state": 9_900},
             "opens": {"threshold": 825, "from": "2027-02-20", "until": "2027-03-19"}},
        ),
    ],
)  # fmt: skip
def test_a_quote_is_the_object_the_contract_promises(
    words: tuple[str, ...], expected: dict[str, Any]
) -> None:
    """No setting is needed for it."""
    quote = quoted(*words)
    assert list(quote) == [
        "scheme",
        "version",
        "currency",
        "exponent",
        "people",
        "total",
        "joining_fee",
        "shares",
        "opens",
        "not_covered",
    ]
    assert list(quote["opens"]) == ["threshold", "from", "until"]
    assert quote.items() >= expected.items()
    assert sum(quote["shares"].values()) == quote["total"]
    assert 0 < quote["opens"]["threshold"] <= quote["shares"]["member"]


def test_a_quote_in_words() -> None:
    ran = CliRunner().invoke(
        main, ["schemes", "quote", "--scheme", "SN-CMU", "--born", "1985", "--on", "2026-11-22"]
    )
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0].split(maxsplit=1) == ["price", "7 000 FCFA"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--scheme", "XX", "--born", "1985"),
            "scheme.unknown: code XX, known BF-RAMU, BJ-ARCH, CI-CMU, CM-CSU, ML-5050, ",
        ),
        (
            ("--scheme", "SN-CMU", "--born", "1985", "--category", "rich"),
            "category.unknown: code rich, known general,",
        ),
        (("--scheme", "SN-CMU", "--born", "1985", "--option", "day"), "option.unknown: code day, known year"),
        (("--scheme", "SN-CMU", "--born", "85x"), "--born takes years such as 1985,1990,2015"),
        (("--scheme", "SN-CMU", "--born", ""), "--born takes years"),
        (("--scheme", "SN-CMU", "--born", "2085"), "born.impossible: year 2085"),
        (
            ("--scheme", "SN-CMU", "--born", "1985", "--on", "1900-01-01"),
            "scheme.not-in-force: scheme SN-CMU, on 1900-01-01",
        ),
    ],
)
def test_a_quote_that_cannot_be_made_shows_why(words: tuple[str, ...], message: str) -> None:
    ran = CliRunner().invoke(main, ["schemes", "quote", *words, "--json"])
    assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr.startswith(f"Error: {message}")


def test_the_rule_books_and_the_dialogues_are_checked() -> None:
    checked = CliRunner().invoke(main, ["schemes", "check"])
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert all(line.startswith("assumed ") for line in checked.stdout.splitlines())
    checked = CliRunner().invoke(main, ["menus", "check"])
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert checked.stdout.splitlines()[-1].endswith(" screens, 0 problems")
    drawn = CliRunner().invoke(main, ["menus", "draw"])
    assert (drawn.exit_code, drawn.stderr) == (0, "")
    assert drawn.stdout.startswith("flowchart TD\n")


def test_the_rule_books_are_listed_and_shown_in_words() -> None:
    result = CliRunner().invoke(main, ["schemes", "list"])
    assert (result.exit_code, result.stderr) == (0, "")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["BJ-ARCH"].split()[1] == "draft"
    assert lines["RW-CBHI"].endswith("2020-07-01 2026-07-01")
    shown = CliRunner().invoke(main, ["schemes", "show", "--scheme", "CI-CMU", "--on", "2026-11-22"])
    assert (shown.exit_code, shown.stderr) == (0, "")
    for message in (
        "scheme             CI-CMU (ready), rules from 2026-01-01",
        "ram                month 1 000 FCFA; state pays 100 %; billed as general until proven: ",
        "civil-servant      refused: covered elsewhere, by CMU on the payroll",
        "price for          each person, free below 5 years",
        "opens              the whole share opens the period",
        "reminders          3 days before, 3, 14 days after",
        "waits              3 months and 0 days when new, 0 days after a lapse",
        "copay              30 % of care at any (general); 0 % of care at any (ram)",
        "assumed            waiting: it binds RAM households too",
    ):
        assert message in shown.stdout


@pytest.mark.parametrize(
    "scheme", ["BF-RAMU", "BJ-ARCH", "CM-CSU", "ML-5050", "ML-RAMED", "MR-CNASS", "RW-CBHI", "SN-CMU"]
)
def test_every_rule_book_can_be_shown(scheme: str) -> None:
    shown = CliRunner().invoke(
        main, ["schemes", "show", "--scheme", scheme, "--on", "2026-11-22"], catch_exceptions=False
    )
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "benefits           primary, reproductive, preventive" in shown.stdout


def test_a_quote_of_a_draft_is_marked_as_a_draft() -> None:
    commands = [
        "schemes",
        "quote",
        "--scheme",
        "BJ-ARCH",
        "--born",
        "1985",
        "--category",
        "extreme-poor",
        "--json",
    ]
    ran = CliRunner().invoke(main, commands)
    assert (ran.exit_code, json.loads(ran.stdout)["total"]) == (0, 0)
    assert ran.stderr == "BJ-ARCH is a draft: no mutuelle can be set up with it\n"


def test_what_cannot_be_quoted_shows_why() -> None:
    for words, message in (
        (("BJ-ARCH", "general"), "Error: category.no-price: code general"),
        (("ML-RAMED", "amo"), "Error: category.elsewhere: code amo"),
    ):
        ran = CliRunner().invoke(
            main, ["schemes", "quote", "--scheme", words[0], "--born", "1985", "--category", words[1]]
        )
        assert (ran.exit_code, ran.stderr.strip()) == (1, message)
