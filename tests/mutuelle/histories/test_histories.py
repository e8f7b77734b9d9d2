"""Random histories of a household: the product agrees with an oracle written from the documents.

`HISTORIES=500` plays so many in each country, instead of a few.
"""

import ast
import os
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from mutuelle.schemes import schemes
from mutuelle.schemes.schemes import FOLDER, Scheme
from tests.mutuelle.histories import oracle_rules
from tests.mutuelle.histories.history import DAYS, DAYS_OF_TARIFFS, Days, History
from tests.mutuelle.histories.world import Office
from tests.support.templates import Database

HISTORIES = int(os.environ.get("HISTORIES", "4"))
Played = tuple[Days, date, int, str]  # what happens, the first day, people, the category they say

# Without HISTORIES the same few are played each time: rare histories still break promises (see the guide).
# They are not shrunk, because that plays a long history again and again for minutes.
ANY = settings(
    max_examples=HISTORIES,
    print_blob=True,
    derandomize="HISTORIES" not in os.environ,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
pytestmark = pytest.mark.timeout(120 if "HISTORIES" not in os.environ else 20 * HISTORIES + 600)

ROLLING = [date(2026, 11, 22), date(2027, 1, 31), date(2027, 2, 28), date(2026, 12, 1)]
FIXED = [date(2026, 11, 22), date(2027, 5, 31), date(2027, 6, 10), date(2027, 7, 1)]


def histories(starts: list[date], categories: list[str]) -> st.SearchStrategy[Played]:
    return st.tuples(DAYS, st.sampled_from(starts), st.integers(1, 4), st.sampled_from(categories))


EXAMPLES = {
    "senegal": histories(ROLLING, ["general", "general", "indigent"]),
    "mali": histories(ROLLING, ["general", "general", "indigent"]),
    "tariffs": st.tuples(
        DAYS_OF_TARIFFS,
        st.sampled_from(ROLLING),
        st.integers(1, 4),
        st.sampled_from(["general", "general", "indigent"]),
        st.sampled_from(["at-once", "next-period"]),
        st.sampled_from([5_000, 9_000]),
    ),
    "rwanda": histories(FIXED, ["level-1", "level-2", "level-3", "level-4"]),
}
BOOKS = {
    "senegal": ("sn-cmu.toml", ["indigent", "scholarship", "general"]),
    "mali": ("ml-mutuelle.toml", ["indigent", "general"]),
    "rwanda": ("rw-cbhi.toml", ["level-1", "level-2", "level-3", "level-4", "level-5"]),
}

# A dearer tariff of Senegal, from a day in the middle of most histories on.
NEWER = """
[[versions]]
from = 2027-08-01
like = 2020-01-01
source = "made up for a test"
[versions.adjustment]
prorata = "months"
tariff = "{tariff}"
source = "made up for a test"
"""
CATEGORY = """
[[versions.categories]]
code = "{code}"
label = {{ fr = "x", en = "x" }}
price = {{ year = {price} }}
billed_as = "general"
{evidence}
source = "made up for a test"
[[versions.categories.others]]
payer = "state"
part = "{part}"
source = "made up for a test"
"""


def newer_rules(tariff: str, price: int) -> str:
    """Returns the text of a newer version of Senegal's rule book, at this price a person."""
    proof = 'evidence = "x"\nevidence_months = 12'
    return NEWER.format(tariff=tariff) + "".join(
        CATEGORY.format(code=code, price=price, evidence=evidence, part=part)
        for code, evidence, part in (
            ("general", "", "0.5"),
            ("indigent", proof, "1"),
            ("scholarship", proof, "1"),
        )
    )


# Credit that a bill of the same day asked for again counted as taken back by the operator, and left dues
# while the joining fee stayed paid.
RETURNED_CREDIT: Played = (
    [
        (102, [("pays", "all", 3)]),
        (1, [("sponsored", 30, 1_000_000)]),
        (("end", -1), [("joins", 1950), ("joins", 1990)]),
        (178, [("pays", "step", 4), ("sponsor ends",)]),
        (200, [("pays", "plenty", 3)]),
        (2, [("proven", 6, None)]),
        (194, [("joins", 2016), ("taken back", 3, "all"), ("leaves", 5)]),
        (0, [("proven", 1, 40), ("joins", 2016)]),
    ],
    date(2026, 11, 22),
    4,
    "indigent",
)


def play(office: Office, database: Database, country: str, *history: Any) -> History:
    """Plays one history in an emptied mutuelle, and asks the questions of `mutuelle verify` at its end."""
    days, start, people, category, *newer = history
    book, categories = BOOKS[country]
    database.restore()
    office.begin()
    text = "".join([(FOLDER / book).read_text(encoding="utf-8"), *newer])
    versions = oracle_rules.read(text)
    played = History(office, versions, categories, start, [1985, 1990, 2015, 2019][:people], category)
    played.play(days)
    assert office.broken() == [], played.story("verify")
    return played


def play_with_tariff(office: Office, database: Database, *history: Any) -> History:
    """The same in Senegal, whose rule book gets a newer version."""
    *first, tariff, price = history
    text = newer_rules(tariff, price)
    book = tomllib.loads((FOLDER / BOOKS["senegal"][0]).read_text(encoding="utf-8") + text)
    books = {**schemes.load(), "SN-CMU": Scheme.model_validate(book)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemes, "known", lambda: books)
        return play(office, database, "senegal", *first, text)


@ANY
@given(EXAMPLES["senegal"])
def test_a_history_in_senegal_is_what_the_documents_say(
    opened: dict[str, Office], module_database: Database, history: Played
) -> None:
    play(opened["senegal"], module_database, "senegal", *history)


@ANY
@given(EXAMPLES["tariffs"])
def test_a_history_with_a_new_tariff_is_what_the_documents_say(
    opened: dict[str, Office], module_database: Database, history: Played
) -> None:
    play_with_tariff(opened["senegal"], module_database, *history)


@ANY
@given(EXAMPLES["mali"])
@example(RETURNED_CREDIT)
def test_a_history_in_mali_is_what_the_documents_say(
    opened: dict[str, Office], module_database: Database, history: Played
) -> None:
    play(opened["mali"], module_database, "mali", *history)


@ANY
@given(EXAMPLES["rwanda"])
def test_a_history_in_rwanda_is_what_the_documents_say(
    opened: dict[str, Office], module_database: Database, history: Played
) -> None:
    play(opened["rwanda"], module_database, "rwanda", *history)


def test_the_oracle_imports_nothing_of_the_product() -> None:
    own = Path(__file__).parent
    for file in own.glob("oracle*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                of_python = name.split(".")[0] in sys.stdlib_module_names
                assert of_python or name.startswith("tests.mutuelle.histories.oracle"), (file.name, name)
