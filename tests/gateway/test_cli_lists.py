"""Lists of offices at the command line: good rows are taken, bad ones told by number; the same file twice changes nothing."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mutuelle import clock, db, households, verify
from tests import people
from tests.books import contents
from tests.gateway.test_cli import SETTINGS, Shell
from tests.people import World
from tests.templates import Database


@pytest.fixture(scope="module")
def place(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def shell(place: World, module_database: Database) -> Iterator[Shell]:
    root = logging.getLogger()
    kept = root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook
    yield Shell(module_database, {**SETTINGS, "DATABASE_URL": module_database.url})
    root.handlers[:], level, logging.raiseExceptions, sys.excepthook = kept
    root.setLevel(level)


def join(
    tenant: Any, phone: str = "", born: tuple[int, ...] = (1985, 1990, 2015, 2015), category: str | None = "general"
) -> str:
    with db.transaction(db.Role.APP, tenant.tenant_id) as session:
        phone = phone or f"+22177{clock.digits(7)}"
        said = {"language": "fr", "adults": 2, "consent": "1", "channel": "ussd"}
        return households.enrol(session, tenant.tenant_id, phone=phone, category=category, born=born, **said).number


def asked(shell: Shell, file: Path, *more: str, mutuelle: str = "SN-TEST") -> tuple[int, dict[str, Any]]:
    ran = shell.run("members", "import", str(file), "--mutuelle", mutuelle, "--json", *more)
    return ran.exit_code, json.loads(ran.stdout)


def names(database: Database, number: str) -> list[tuple[str | None, bool]]:
    query = (
        "SELECT m.name, m.provisional FROM members m JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id"
        " WHERE h.number = %s ORDER BY m.birth_year, m.name"
    )
    with database.superuser() as connection:
        return list(connection.execute(query, [number]).fetchall())


def test_a_list_names_members_once_and_tells_bad_rows(shell: Shell, place: World, tmp_path: Path) -> None:
    number, other = join(place.senegal), join(place.mali, category=None)
    file = tmp_path / "membres.csv"
    file.write_bytes(
        "\n".join(
            [
                "Numéro;annee de naissance;Nom;kind",
                f"{number[:3]} {number[3:6]} {number[6:]};1985;Awa Diop;head",
                f"{number};2015;Moussa Diop;dependant",
                f"{number};2015;Fatou Diop;dependant",
                f"{number};1971;Nobody Diop;dependant",
                f"{number};1985;Another Head;head",
                f"{other};1985;Coumba Traoré;head",
                "1234567890;1985;Awa Diop;head",
                f"{number};85;Awa Diop;head",
                f"{number};1990;7;dependant",
                f"{number};1990;Ali Sow;cousin",
            ]
        ).encode("latin-1")
    )
    code, told = asked(shell, file)
    assert (code, told["named"], told["unchanged"], told["refused"], told["rows"]) == (1, 3, 0, 7, 10)
    assert [problem["line"] for problem in told["problems"]] == [5, 6, 7, 8, 9, 10, 11]
    assert "no household of this mutuelle" in told["problems"][2]["wrong"]
    assert names(shell.database, number) == [("Awa Diop", False), (None, True), ("Fatou Diop", False), ("Moussa Diop", False)]
    assert names(shell.database, other) == [(None, True)] * 4
    before = contents(shell.database)
    code, again = asked(shell, file)
    assert (code, again["named"], again["unchanged"], again["refused"]) == (1, 0, 3, 7)
    assert contents(shell.database) == before
    shown = shell.json("members", "show", number)["members"]
    assert [one["provisional"] for one in shown] == [False, True, False, False]
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def test_the_trail_and_the_terminal_name_nobody(shell: Shell, place: World, tmp_path: Path) -> None:
    number = join(place.senegal)
    file = tmp_path / "membres.csv"
    file.write_text(f"number,birth_year,name,kind\n{number},1985,Binta Sarr,head\n{number},1985,Astou Fall,head\n")
    ran = shell.run("members", "import", str(file), "--mutuelle", "SN-TEST")
    assert ran.exit_code == 1
    assert "named              1\n" in ran.stdout
    assert ran.stderr.startswith("line 3: everybody of this kind and birth year has another name; ")
    trail = " ".join(contents(shell.database)["audit"])
    assert "member-named" in trail
    for word in ("Binta", "Astou", number):
        assert word not in ran.output
        assert word not in trail


def test_a_file_that_is_no_list_or_a_mutuelle_that_is_none_is_said_in_one_line(
    shell: Shell, place: World, tmp_path: Path
) -> None:
    file = tmp_path / "membres.csv"
    file.write_text("number,name\n")
    said = shell.refusal("members", "import", str(file), "--mutuelle", "SN-TEST")
    assert "birth_year, kind is not there" in said
    file.write_text("number,birth_year,name,kind\n")
    assert "there is no mutuelle SN-NONE" in shell.refusal("members", "import", str(file), "--mutuelle", "SN-NONE")
    assert asked(shell, file) == (0, {"rows": 0, "named": 0, "unchanged": 0, "refused": 0, "problems": []})
