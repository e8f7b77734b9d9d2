"""Office lists: good rows are imported, bad ones reported by number, the same file changes nothing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from mutuelle import clock, db
from mutuelle.enrolment import category_proofs, enrolment, member_names, registry_proposals, social_registry
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.organisation.logins import Manager
from mutuelle.verification import verify
from tests.gateway.cli.world import Terminal, opened
from tests.support import people
from tests.support.books import contents
from tests.support.people import World
from tests.support.templates import Database


@pytest.fixture(scope="module")
def place(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def shell(place: World, module_database: Database) -> Iterator[Terminal]:
    with opened(module_database) as terminal:
        yield terminal


def join(
    tenant: Any,
    phone: str = "",
    born: tuple[int, ...] = (1985, 1990, 2015, 2015),
    category: str | None = "general",
) -> str:
    with db.transaction(db.Role.APP, tenant.tenant_id) as session:
        phone = phone or f"+22177{clock.digits(7)}"
        applicant = enrolment.NewHousehold(
            phone=phone,
            language="fr",
            category=category,
            birth_years=born,
            adults=2,
            consent="1",
            channel="ussd",
        )
        return enrolment.enrol(session, tenant.tenant_id, applicant).number


def import_names(
    shell: Terminal, file: Path, *more: str, mutuelle: str = "SN-TEST"
) -> tuple[int, dict[str, Any]]:
    ran = shell.run("members", "import", str(file), "--mutuelle", mutuelle, "--json", *more)
    return ran.exit_code, json.loads(ran.stdout)


def names(database: Database, number: str) -> list[tuple[str | None, bool]]:
    query = (
        "SELECT m.name, m.provisional FROM members m"
        " JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id"
        " WHERE h.number = %s ORDER BY m.birth_year, m.name"
    )
    with database.superuser() as connection:
        return list(connection.execute(query, [number]).fetchall())


def test_a_list_names_members_once_and_reports_bad_rows(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
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
    code, counts = import_names(shell, file)
    assert (code, counts["named"], counts["unchanged"], counts["refused"], counts["rows"]) == (1, 3, 0, 7, 10)
    assert [problem["line"] for problem in counts["problems"]] == [5, 6, 7, 8, 9, 10, 11]
    assert "no household of this mutuelle" in counts["problems"][2]["wrong"]
    assert names(shell.database, number) == [
        ("Awa Diop", False),
        (None, True),
        ("Fatou Diop", False),
        ("Moussa Diop", False),
    ]
    assert names(shell.database, other) == [(None, True)] * 4
    before = contents(shell.database)
    code, again = import_names(shell, file)
    assert (code, again["named"], again["unchanged"], again["refused"]) == (1, 0, 3, 7)
    assert contents(shell.database) == before
    shown = shell.json("members", "show", number)["members"]
    assert [terminal["provisional"] for terminal in shown] == [False, True, False, False]
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def test_the_audit_trail_and_the_terminal_name_no_person(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
    number = join(place.senegal)
    file = tmp_path / "membres.csv"
    file.write_text(
        f"number,birth_year,name,kind\n{number},1985,Binta Sarr,head\n{number},1985,Astou Fall,head\n"
    )
    ran = shell.run("members", "import", str(file), "--mutuelle", "SN-TEST")
    assert ran.exit_code == 1
    assert "named              1\n" in ran.stdout
    assert ran.stderr.startswith("line 3: everybody of this kind and birth year has another name; ")
    trail = " ".join(contents(shell.database)["audit"])
    assert "member-named" in trail
    for word in ("Binta", "Astou", number):
        assert word not in ran.output
        assert word not in trail


def test_an_invalid_list_or_an_unknown_mutuelle_is_reported_in_one_line(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
    file = tmp_path / "membres.csv"
    file.write_text("number,name\n")
    message = shell.refusal("members", "import", str(file), "--mutuelle", "SN-TEST")
    assert "birth_year, kind is not there" in message
    file.write_text("number,birth_year,name,kind\n")
    assert "there is no mutuelle SN-NONE" in shell.refusal(
        "members", "import", str(file), "--mutuelle", "SN-NONE"
    )
    assert import_names(shell, file) == (
        0,
        {"rows": 0, "named": 0, "unchanged": 0, "refused": 0, "problems": []},
    )


HEAD = "registry_number;phone;head_name;birth_year;category;valid_until"
UNTIL = (clock.today("Africa/Dakar") + timedelta(200)).isoformat()


def import_registry(
    shell: Terminal, file: Path, *rows: str, more: tuple[str, ...] = ()
) -> tuple[int, dict[str, Any]]:
    file.write_text("\n".join([HEAD, *rows]), encoding="utf-8")
    ran = shell.run("registry", "import", str(file), "--mutuelle", "SN-TEST", "--json", *more)
    return ran.exit_code, json.loads(ran.stdout)


def standing(place: World, number: str) -> tuple[str, str, str | None]:
    with db.transaction(db.Role.AUDITOR) as session:
        home = households.by_number(session, number)
        assert home
        row = households.claim_of(session, home.tenant_id, home.id)
        assert row
        return row.category, row.standing, row.evidence


def gives(place: World, number: str, registry_number: str, category: str = "indigent") -> None:
    with db.transaction(db.Role.CONSOLE, place.senegal.tenant_id) as session:
        home = households.by_number(session, number)
        assert home
        proof = Evidence("registry-number", registry_number)
        category_proofs.claim(session, home.tenant_id, home.id, category, by="manager:1", evidence=proof)


def test_a_registry_list_proves_by_number_then_by_phone_and_proposes_the_rest(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
    file, tenant = tmp_path / "rnu.csv", place.senegal
    numbered = join(tenant, category="general")
    gives(place, numbered, "RNU 100-1")
    phoned = join(tenant, "+221770001001", category="indigent")
    other_year = join(tenant, "+221770001002", category="indigent")
    alike = join(tenant, category="indigent")
    with db.transaction(db.Role.CONSOLE, tenant.tenant_id) as session:
        home = households.by_number(session, alike)
        assert home
        head = households.members_of(session, tenant.tenant_id, home.id)[0]
        member_names.set_name(session, tenant.tenant_id, head.id, "Kadia Ndiaye", "manager:1")
    rows = (
        f"RNU1001;;Somebody Else;;Indigent (RNU);{UNTIL}",
        f"RNU1002;77 000 10 01;Awa Diop;1986;indigent;{UNTIL}",
        f"RNU1003;+221770001002;Moussa Fall;1950;indigent;{UNTIL}",
        f"RNU1004;;NDIAYE Kadia;1985;indigent;{UNTIL}",
        f"RNU1005;+221770009999;Nobody Here;1985;indigent;{UNTIL}",
        f"RNU1006;;Nobody Here;1985;rich;{UNTIL}",
        "RNU1007;123;Nobody Here;1985;indigent;",
        "RNU1008;;Nobody Here;1985;indigent;2020-01-01",
        f"rnu-1005;;Nobody Here;1985;indigent;{UNTIL}",
        ";;Nobody Here;1985;indigent;",
    )
    expected = {
        "rows": 10,
        "refused": 5,
        "new": 5,
        "changed": 0,
        "unchanged": 0,
        "checked": 2,
        "proposed": 2,
        "left_out": 0,
    }
    before = contents(shell.database)
    code, counts = import_registry(shell, file, *rows, more=("--dry-run",))
    assert [problem["line"] for problem in counts.pop("problems")] == [7, 8, 9, 10, 11]
    assert (code, counts) == (1, expected)
    assert contents(shell.database) == before
    code, counts = import_registry(shell, file, *rows)
    counts.pop("problems")
    assert (code, counts) == (1, expected)
    assert standing(place, numbered) == ("indigent", "checked", "list")
    assert standing(place, phoned) == ("indigent", "checked", "list")
    assert standing(place, other_year)[:2] == standing(place, alike)[:2] == ("indigent", "claimed")
    after = contents(shell.database)
    code, counts = import_registry(shell, file, *rows)
    counts.pop("problems")
    assert counts == expected | {"new": 0, "unchanged": 5, "checked": 0, "proposed": 0}
    assert contents(shell.database) == after
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def test_numbers_and_phones_of_a_list_are_not_readable_and_a_newer_list_wins(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
    file = tmp_path / "rnu.csv"
    import_registry(shell, file, f"RNU7771;+221770007771;Penda Ba;1980;indigent;{UNTIL}")
    code, counts = import_registry(shell, file, f"RNU7771;+221770007771;Penda Ba;1980;scholarship;{UNTIL}")
    assert (code, counts["new"], counts["changed"], counts["unchanged"]) == (0, 0, 1, 0)
    stored = " ".join(row for name in ("registry_entries", "audit") for row in contents(shell.database)[name])
    assert "scholarship" in stored
    for word in ("RNU7771", "770007771", b"RNU7771".hex()):
        assert word not in stored


def test_staff_decide_once_which_household_a_line_belongs_to(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
    tenant = place.senegal
    terminal, two = (join(tenant, category="indigent") for _ in range(2))
    for number in (terminal, two):
        gives(place, number, "RNU 5550")
    code, counts = import_registry(shell, tmp_path / "rnu.csv", f"RNU5550;;Awa Diop;1985;indigent;{UNTIL}")
    assert (code, counts["checked"], counts["proposed"]) == (0, 0, 2)
    with shell.database.superuser() as connection:
        login = clock.new_id()
        connection.execute("INSERT INTO logins VALUES (%s, %s, %s, 'Bakary', 'x', true, now())",
                           [tenant.tenant_id, login, f"b{clock.digits(5)}"])  # fmt: skip
    bakary, coumba = (
        Manager(tenant.tenant_id, login, "Bakary"),
        Manager(place.mali.tenant_id, login, "Coumba"),
    )
    with db.transaction(db.Role.CONSOLE, tenant.tenant_id) as session:
        standings = [
            row
            for row in registry_proposals.open_proposals(session, tenant.tenant_id)
            if row.number in (terminal, two)
        ]
        assert {row.reasons for row in standings} == {("number", "year", "number-shared")}
    with db.transaction(db.Role.CONSOLE, coumba.tenant_id) as session:
        assert (
            registry_proposals.open_proposals(session, tenant.tenant_id)
            == registry_proposals.open_proposals(session, coumba.tenant_id)
            == []
        )
        with pytest.raises(LookupError):
            registry_proposals.accept(session, coumba, standings[0].id)
    with db.transaction(db.Role.CONSOLE, tenant.tenant_id) as session:
        registry_proposals.accept(session, bakary, standings[0].id)
    for row in standings:
        with (
            pytest.raises(Refused, match="decided"),
            db.transaction(db.Role.CONSOLE, tenant.tenant_id) as session,
        ):
            registry_proposals.decline(session, bakary, row.id)
    assert standing(place, standings[0].number) == ("indigent", "checked", "list")
    assert standing(place, standings[1].number) == ("indigent", "claimed", "registry-number")
    code, counts = import_registry(shell, tmp_path / "rnu.csv", f"RNU5550;;Awa Diop;1985;indigent;{UNTIL}")
    assert (counts["checked"], counts["proposed"]) == (0, 0)


def test_a_dry_run_counts_households_that_a_list_leaves_out_of_its_own_registry(
    shell: Terminal, place: World, tmp_path: Path
) -> None:
    file, commune = tmp_path / "rnu.csv", ("--registry", "mbour")
    first, other = (join(place.senegal) for _ in range(2))
    gives(place, first, "MB 901")
    gives(place, other, "MB 902")
    lines = tuple(f"MB{number};;Awa Diop;1985;indigent;{UNTIL}" for number in (901, 902, 903))
    counts = import_registry(shell, file, *lines, more=commune)[1]
    assert (counts["checked"], counts["left_out"]) == (2, 0)
    before = contents(shell.database)
    assert import_registry(shell, file, *lines[1:], more=(*commune, "--dry-run"))[1]["left_out"] == 1
    assert import_registry(shell, file, lines[2], more=(*commune, "--dry-run"))[1]["left_out"] == 2
    assert contents(shell.database) == before
    assert import_registry(shell, file, *lines[1:], more=commune)[1]["left_out"] == 1
    assert (
        import_registry(shell, file, lines[2], more=("--registry", "thies", "--dry-run"))[1]["left_out"] == 0
    )
    assert standing(place, first) == ("indigent", "checked", "list")  # it keeps what was proven


def test_a_rehearsed_list_holds_no_more_locks_than_a_part_of_it_needs(
    shell: Terminal, place: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = [f"+22177000300{at}" for at in range(4)]
    for phone in phones:
        join(place.senegal, phone, category="indigent")
    held: list[int] = []

    def count(connection: Connection, *_: Any) -> None:
        import_names = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        held.append(connection.exec_driver_sql(import_names).scalar_one())

    monkeypatch.setattr(social_registry, "BATCH", 2)
    event.listen(Engine, "rollback_savepoint", count)
    try:
        rows = [f"RNU300{at};{phone};Awa Diop;1985;indigent;{UNTIL}" for at, phone in enumerate(phones)]
        _, counts = import_registry(shell, tmp_path / "rnu.csv", *rows, more=("--dry-run",))
    finally:
        event.remove(Engine, "rollback_savepoint", count)
    assert (counts["checked"], max(held)) == (4, 2)
