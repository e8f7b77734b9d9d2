"""Sponsors at the command line: added, helping, listed, ended; refused households are named."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from mutuelle import db
from mutuelle.enrolment import enrolment
from mutuelle.households import member_numbers
from tests.gateway.cli.world import SETTINGS, Terminal
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

STRANGER = member_numbers.new(lambda count: "123456789"[:count])


@pytest.fixture(scope="module")
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def shell(world: World, module_database: Database) -> Terminal:
    return Terminal(module_database, {**SETTINGS, "DATABASE_URL": module_database.url})


def joins(world: World, phone: str) -> str:
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        return enrolment.enrol(
            session,
            world.senegal.tenant_id,
            enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category="general",
                birth_years=[1985, 1990, 2015],
                adults=2,
                consent="1",
                channel="ussd",
            ),
        ).number


def add_sponsor(shell: Terminal, code: str, cap: int = 100_000) -> None:
    ran = shell.run(
        "sponsors",
        "add",
        "--mutuelle",
        "SN-TEST",
        code,
        "--name",
        "Commune de Diender",
        "--kind",
        "commune",
        "--percent",
        "50",
        "--cap",
        str(cap),
    )
    assert (ran.exit_code, ran.stdout) == (
        0,
        f"{code}: 50 % of the member's part, at most {cap // 1000} 000 FCFA in all\n",
    )


def test_a_list_of_households_is_sponsored_and_notified(shell: Terminal, world: World, tmp_path) -> None:
    first, second = joins(world, "+221770001001"), joins(world, "+221770001002")
    add_sponsor(shell, "commune")
    file = tmp_path / "numbers.txt"
    file.write_text(f"\ufeff{first}\n{second}\n")
    ran = shell.run("sponsors", "help", "--mutuelle", "SN-TEST", "commune", "--numbers", str(file))
    promised = "5 250 FCFA promised for the bill under way"
    assert (ran.exit_code, ran.stdout) == (0, f"{first} {promised}\n{second} {promised}\n")
    again = shell.run("sponsors", "help", "--mutuelle", "SN-TEST", "commune", first)
    assert (again.exit_code, again.stdout) == (0, f"{first} was helped already\n")
    (row,) = shell.json("sponsors", "list", "--mutuelle", "SN-TEST")
    assert (row["promised"], row["left"], row["households"]) == (10_500, 89_500, 2)
    with db.transaction(db.Role.AUDITOR) as session:
        facts = session.scalars(text("SELECT facts FROM messages WHERE kind = 'sponsored'")).all()
    # 11 500 were owed with the joining fee; the commune takes 5 250 of it.
    assert [(row["amount"], row["left"], row["sponsor"]) for row in facts] == [
        (5_250, 6_250, "Commune de Diender")
    ] * 2
    assert shell.run("sponsors", "end", "--mutuelle", "SN-TEST", first).exit_code == 0
    assert shell.run("sponsors", "end", "--mutuelle", "SN-TEST", first).exit_code == 1


def test_who_cannot_be_helped_is_named_with_why_and_the_others_are(shell: Terminal, world: World) -> None:
    helped, free = joins(world, "+221770001003"), joins(world, "+221770001004")
    add_sponsor(shell, "other-one")
    add_sponsor(shell, "union")
    shell.run("sponsors", "help", "--mutuelle", "SN-TEST", "other-one", helped)
    ran = shell.run(
        "sponsors", "help", "--mutuelle", "SN-TEST", "union", helped, "1234567890", STRANGER, free
    )
    assert ran.exit_code == 1
    assert ran.stdout.splitlines() == [
        f"{helped} another sponsor helps this household; end that first (`mutuelle sponsors end`)",
        "1234567890 is not a member number: ten digits, the last of which checks the others",
        f"{STRANGER} is nobody's in SN-TEST",
        f"{free} 5 250 FCFA promised for the bill under way",
    ]


def test_what_is_wrong_is_refused_before_anything_is_changed(shell: Terminal, world: World) -> None:
    add_sponsor(shell, "known")
    shared = ("--kind", "ngo", "--percent", "50", "--cap", "1000")
    twice = shell.refusal("sponsors", "add", "--mutuelle", "SN-TEST", "known", "--name", "Une ONG", *shared)
    assert twice == "Error: there is a sponsor with this code already; nothing was changed"
    long = shell.refusal("sponsors", "add", "--mutuelle", "SN-TEST", "long", "--name", "U" * 25, *shared)
    assert "2 to 24 letters" in long
    assert shell.refusal("sponsors", "help", "--mutuelle", "SN-TEST", "nobody", STRANGER) == (
        "Error: SN-TEST has no sponsor nobody; `mutuelle sponsors add` notes one"
    )
    assert (
        shell.refusal("sponsors", "list", "--mutuelle", "SN-NOWHERE")
        == "Error: there is no mutuelle SN-NOWHERE"
    )
    refusal = shell.refusal("sponsors", "help", "--mutuelle", "SN-TEST", "known")
    assert refusal.startswith("Error: name member numbers")
