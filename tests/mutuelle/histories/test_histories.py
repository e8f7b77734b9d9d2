"""Random histories of a household: the product agrees with an oracle written from the documents."""

import ast
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutuelle import clock, db
from mutuelle.schemes.schemes import FOLDER
from tests.mutuelle.histories import oracle_rules, world
from tests.mutuelle.histories.history import DAYS, History
from tests.support.templates import Database

HISTORIES = int(os.environ.get("HISTORIES", "30"))
ANY = settings(
    max_examples=HISTORIES,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
STARTS = st.sampled_from([date(2026, 11, 22), date(2027, 1, 31), date(2027, 2, 28), date(2026, 12, 1)])


@pytest.fixture(scope="module")
def senegal(module_database: Database) -> Iterator[tuple[world.Office, Database]]:
    office = world.opened(module_database.url, "senegal")
    module_database.keep()
    yield office, module_database
    clock.install(clock.Source())
    db.disconnect()


SENEGAL = st.tuples(DAYS, STARTS, st.integers(1, 4), st.sampled_from(["general", "general", "indigent"]))
EXAMPLES = {"senegal": SENEGAL}
BOOKS = {"senegal": ("sn-cmu.toml", ["indigent", "scholarship", "general"])}


def play(
    office: world.Office,
    database: Database,
    country: str,
    days: list,
    start: date,
    people: int,
    category: str,
) -> History:
    """Plays one history in an emptied mutuelle, and asks the questions of `mutuelle verify` at its end."""
    book, categories = BOOKS[country]
    office.begin()
    versions = oracle_rules.read((FOLDER / book).read_text(encoding="utf-8"))
    history = History(office, versions, categories, start, [1985, 1990, 2015, 2019][:people], category)
    history.play(days)
    assert office.broken() == [], history.story("verify")
    return history


@ANY
@given(SENEGAL)
def test_a_history_in_senegal_is_what_the_documents_say(
    senegal: tuple[world.Office, Database], example: tuple
) -> None:
    office, database = senegal
    database.restore()
    play(office, database, "senegal", *example)


def test_the_oracle_imports_nothing_of_the_product() -> None:
    for file in Path(__file__).parent.glob("oracle*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert all(
                name.split(".")[0] not in ("mutuelle", "menus", "gateway", "workers") for name in names
            )
