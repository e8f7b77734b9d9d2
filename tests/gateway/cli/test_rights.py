"""`mutuelle rights`: a household or member on a day, why, and the derivation, in five queries."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, event

from gateway.cli.main import main
from mutuelle import clock, db
from mutuelle.billing import adjustments
from mutuelle.cover import explain_facts
from mutuelle.households import households
from tests.gateway.cli.world import SETTINGS
from tests.support import books, people
from tests.support.books import Books
from tests.support.templates import Database


@pytest.fixture(scope="module")
def books_with_birth(module_database: Database) -> Iterator[Books]:
    """Awa has paid; her child is born tomorrow and not paid for yet."""
    people.connect(module_database.url)
    filled_books = books.fill(people.settle_in())
    tenant_id, tomorrow = filled_books.world.senegal.tenant_id, clock.today("Africa/Dakar") + timedelta(1)
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        households.add_member(session, tenant_id, filled_books.household.id, born=tomorrow.year, on=tomorrow)
        adjustments.apply(session, tenant_id, filled_books.household.id, tomorrow, "household")
    yield filled_books
    db.disconnect()


@pytest.fixture
def shell(module_database: Database) -> CliRunner:
    return CliRunner(env=SETTINGS | {"DATABASE_URL": module_database.url})


def run(shell: CliRunner, *words: str) -> str:
    ran = shell.invoke(main, ["rights", *words])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


LATER = (clock.today("Africa/Dakar") + timedelta(2)).isoformat()


def test_the_derivation_is_shown_in_french_and_in_english(shell: CliRunner, books_with_birth: Books) -> None:
    french = run(shell, books_with_birth.household.number, "--on", LATER, "--explain").splitlines()
    assert french[0].startswith(f"Ménage {books_with_birth.household.number}, droits le ")
    assert any("Part du membre : 10 500 FCFA + 3 500 FCFA = 14 000 FCFA" in line for line in french)
    assert any("(T5) : " in line for line in french)
    english = run(
        shell, books_with_birth.household.number, "--on", LATER, "--explain", "--language", "en"
    ).splitlines()
    assert len(english) == len(french)
    assert english[-1] == "Next: Wait for the first day of cover."
    assert '"lines": ["Ménage' in run(
        shell, books_with_birth.household.number, "--on", LATER, "--explain", "--json"
    )


def test_the_rights_of_one_member_are_shown_by_themselves(shell: CliRunner, books_with_birth: Books) -> None:
    head, new_born = (
        run(shell, books_with_birth.household.number, "--on", LATER, "--member", place)
        for place in ("1", "4")
    )
    assert "state              waiting" in head
    assert "state              part-paid" in new_born
    assert "reason             rights.part-paid" in new_born
    ran = shell.invoke(main, ["rights", books_with_birth.household.number, "--member", "5"])
    assert "this household has 4 members" in ran.output


def test_one_household_costs_at_most_five_questions(
    books_with_birth: Books, module_database: Database
) -> None:
    people.connect(module_database.url)
    statements: list[str] = []

    def record(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        with db.transaction(db.Role.AUDITOR) as session:
            assert explain_facts.read(session, books_with_birth.household.number) is not None
    finally:
        event.remove(Engine, "before_cursor_execute", record)
    assert len([text for text in statements if "FROM" in text]) <= 5


def test_recomputing_writes_only_what_differs_and_resumes_after_the_given_household(
    shell: CliRunner, books_with_birth: Books, module_database: Database
) -> None:
    assert run(shell, "--recompute", "--json", "--processes", "1") == '{"households": 1, "rewritten": 0}\n'
    for how in ("UPDATE rights SET next_step = 'rights.renew'", "DELETE FROM rights"):
        with module_database.superuser() as connection:
            connection.execute(how)
        assert (
            run(shell, "--recompute", "--mutuelle", "SN-TEST")
            == "households         1\nrewritten          1\n"
        )
    assert run(
        shell, "--recompute", "--json", "--after", books_with_birth.household.number, "--processes", "1"
    ).startswith('{"households": 0')
    assert run(shell, "--recompute", "--json", "--mutuelle", "ML-TEST").startswith('{"households": 0')
    assert "there is no mutuelle X" in shell.invoke(main, ["rights", "--recompute", "--mutuelle", "X"]).output
    assert "a member number is missing" in shell.invoke(main, ["rights"]).output


def test_rules_that_are_gone_cost_only_the_household_which_is_named(
    books_with_birth: Books, module_database: Database, shell: CliRunner
) -> None:
    with module_database.superuser() as connection:
        connection.execute("UPDATE rights SET next_step = 'rights.renew'")
        connection.execute("ALTER TABLE bills DISABLE TRIGGER append_only")
        connection.execute("UPDATE bills SET version = '1999-01-01'")
    ran = shell.invoke(main, ["rights", "--recompute", "--processes", "1"])
    assert ran.exit_code == 1
    assert f"household {books_with_birth.household.id}: KeyError" in ran.stderr
    assert "set_aside          1" in ran.stdout
    with module_database.superuser() as connection:
        flags = connection.execute("SELECT kind, subject FROM flags WHERE kind = 'set-aside'").fetchall()
    assert flags == [("set-aside", f"household:{books_with_birth.household.id}")]
