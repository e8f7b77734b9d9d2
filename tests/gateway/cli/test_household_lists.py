"""Enrolling from a list: good lines are enrolled, bad ones reported by number, a repeat changes nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from gateway.cli import household_lists
from menus import consents
from mutuelle import clock, db
from mutuelle.enrolment import agent_enrolment
from mutuelle.households import evidence, unique_evidence
from mutuelle.organisation import tenants
from mutuelle.verification import verify
from tests.gateway.cli.world import Terminal, opened
from tests.support import people
from tests.support.books import contents
from tests.support.templates import Database

HEAD = "Téléphone;langue;birth_years;noms;élèves;category;period;preuve;number;made_out;valid_until;accord"
POOR = "indigent;;certificat;{};;;oui"
YEAR = clock.today("Africa/Bamako").year


@pytest.fixture(scope="module")
def place(module_database: Database) -> Iterator[None]:
    people.connect(module_database.url)
    people.settle_in()
    with db.transaction(db.Role.LOGIN) as session:
        tenants.add_mutuelle(
            session,
            code="ML-POOR",
            short_code="104",
            name="RAMED",
            scheme="ML-RAMED",
            country="ML",
            currency="XOF",
            zone="Africa/Bamako",
            language="fr",
        )
    yield
    db.disconnect()


@pytest.fixture
def shell(place: None, module_database: Database) -> Iterator[Terminal]:
    with opened(module_database) as terminal:
        yield terminal


def enrol(shell: Terminal, file: Path, *more: str, mutuelle: str = "ML-POOR") -> tuple[int, dict[str, Any]]:
    ran = shell.run("households", "enrol", str(file), "--mutuelle", mutuelle, "--json", *more)
    return ran.exit_code, json.loads(ran.stdout)


def write_list(folder: Path, *lines: str) -> Path:
    file = folder / "menages.csv"
    file.write_text("\n".join([HEAD, *lines]), encoding="utf-8")
    return file


def test_good_lines_are_imported_once_and_bad_ones_reported_by_number(
    shell: Terminal, tmp_path: Path
) -> None:
    file = write_list(
        tmp_path,
        f"76000001;fr;1980 1984 2018;Fanta Keïta//Sira Keïta;;{POOR.format('SIK 1')}",
        f"76 00 00 02;;1970 {YEAR - 16};;{YEAR - 16};{POOR.format('SIK 2')}",
        f"76000001;fr;1980;;;{POOR.format('SIK 3')}",
        f"76;fr;1980;;;{POOR.format('SIK 4')}",
        f"76000005;xx;1980;;;{POOR.format('SIK 5')}",
        f"76000006;fr;80;;;{POOR.format('SIK 6')}",
        f"76000007;fr;1980;7;;{POOR.format('SIK 7')}",
        f"76000008;fr;1980 1990;Fanta Ba;;{POOR.format('SIK 8')}",
        f"76000009;fr;1980;;2010;{POOR.format('SIK 9')}",
        f"76000010;fr;1980;;;{POOR.format('?')}",
        "76000011;fr;1980;;;indigent;;;;;;oui",
        "76000012;fr;1980;;;amo;;;;;;oui",
        "76000013;fr;1980;;;indigent;;certificat;SIK 13;2001-01-01;;oui",
        "76000014;fr;1980;;;indigent;;certificat;SIK 14;;;non",
        f"76000015;fr;{YEAR - 17} 1980;;;{POOR.format('SIK 15')}",
        "76000016;fr;1980;;;indigent;;list;SIK 16;;;oui",
        "76000017;fr;1980;;;indigent;;registre;SIK 17;;;oui",
        "76000018;fr;1980;;;indigent;;registre;sik-17;;;oui",
        f"76000001;fr;1980 1984 2018;Fanta Keïta//Sira Keïta;;{POOR.format('SIK 1')}",
    )
    before = contents(shell.database)
    code, counts = enrol(shell, file, "--dry-run")
    assert (code, counts["rows"], counts["enrolled"], counts["unchanged"], counts["refused"]) == (
        1,
        19,
        3,
        1,
        15,
    )
    assert contents(shell.database) == before
    assert enrol(shell, file) == (code, counts)
    assert [problem["line"] for problem in counts["problems"]] == [*range(4, 18), 19]
    wrong = [problem["wrong"] for problem in counts["problems"]]
    assert "its phone is a household's" in wrong[0]
    assert [words.split()[0] for words in wrong[-3:]] == ["birth_years", "evidence", "this"]
    after = contents(shell.database)
    code, counts = enrol(shell, file)
    assert (code, counts["enrolled"], counts["unchanged"], counts["refused"]) == (1, 0, 4, 15)
    assert contents(shell.database) == after
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
    facts = " ".join(after["audit"])
    assert facts.count('"checked"') == 3
    for word in ("Fanta", "SIK", "76000001"):
        assert word not in facts


def test_other_schemes_take_households_without_a_proof(shell: Terminal, tmp_path: Path) -> None:
    file = write_list(
        tmp_path, "771000001;en;1985 1990;;;general;;;;;;yes", "771000002;fr;1985;;;indigent;;visite;;;;x"
    )
    code, counts = enrol(shell, file, mutuelle="SN-TEST")
    assert (code, counts["enrolled"]) == (0, 2)
    with shell.database.superuser() as connection:
        query = (
            "SELECT h.language, channel FROM households h JOIN tenants t ON t.id = tenant_id"
            " WHERE code = 'SN-TEST' ORDER BY 1"
        )
        assert connection.execute(query).fetchall() == [("en", "agent"), ("fr", "agent")]


def test_every_refusal_of_a_line_has_words_for_its_office() -> None:
    code = "\n".join(
        Path(str(module.__file__)).read_text() for module in (agent_enrolment, evidence, unique_evidence)
    )
    only_of_forms = {"enrol.other-form"}  # the key of a line is made of its phone, too
    assert (
        set(re.findall(r'Refused\("((?:enrol|evidence)\.[a-z-]+)"', code)) - only_of_forms
        <= household_lists.MESSAGES.keys()
    )


def test_a_rehearsal_holds_no_more_locks_than_one_line_needs(shell: Terminal, tmp_path: Path) -> None:
    """PostgreSQL has room for some thousands of locks in all; a district has fifteen thousand lines."""
    lines = [f"7610{place:04};fr;1980;;;{POOR.format(f'MOP {place}')}" for place in range(60)]
    held: list[int] = []

    def count(connection: Connection) -> None:
        lock_query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        held.append(connection.exec_driver_sql(lock_query).scalar_one())

    event.listen(Engine, "rollback", count)
    try:
        code, counts = enrol(shell, write_list(tmp_path, *lines), "--dry-run")
    finally:
        event.remove(Engine, "rollback", count)
    assert (code, counts["enrolled"], max(held)) == (0, 60, 4)  # line, phone, number, and the duplicates


def test_the_help_of_enrol_names_what_the_head_agreed_to(shell: Terminal) -> None:
    assert consents.sentence("en") in " ".join(shell.run("households", "enrol", "--help").stdout.split())
