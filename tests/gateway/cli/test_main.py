"""The command line: tables or one JSON document; an expected error is one clear line and exit code 1."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mutuelle.households import member_numbers
from tests.gateway.cli.world import Terminal
from tests.gateway.conftest import Stranger
from tests.support.books import Books
from tests.support.templates import Database

ACCOUNT = ("--mutuelle", "SN-TEST", "--operator", "wave", "--name", "SN-SECOND", "--credentials", __file__)


def test_verify_prints_totals_and_exits_with_0(shell: Terminal) -> None:
    values = shell.json("verify")
    assert values.pop("money")["XOF"]["received"] == 33_000
    assert values == {
        "ok": True,
        "broken": [],
        "tenants": 3,
        "households": 1,
        "members": 3,
        "bills": 2,
        "payments": 1,
        "receipts": 4,
        "messages": values["messages"],
        "notices": 1,
        "flags_open": 2,
    }
    message = shell.run("verify")
    assert (message.exit_code, message.stderr) == (0, "")
    assert "receipts           4\n" in message.stdout


def test_verify_names_the_first_broken_record_and_exits_with_1(shell: Terminal) -> None:
    with shell.database.superuser() as connection:
        ((bill, household),) = connection.execute("SELECT id, household_id FROM bills WHERE kind = 'joining'")
    for units in (1, -1):
        with shell.database.superuser() as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("UPDATE bill_lines SET amount = amount + %s WHERE bill_id = %s", [units, bill])
        if units > 0:
            ran = shell.run("verify", "--json")
            first, price = f"I11 bill-shares: bill {bill}", f"I11 bill-price: bill {bill}"
            sentence = "The shares of a bill add up to its price."
            assert (ran.exit_code, ran.stderr) == (1, f"BROKEN {first}\n{sentence}\n")
            broken = [first, price, f"I5 open-dues: household {household}"]
            assert json.loads(ran.stdout).items() >= {"ok": False, "broken": broken}.items()
    assert shell.run("verify").exit_code == 0


def truth(filled_books: Books) -> list[dict[str, Any]]:
    amounts = {"T1": 2_000, "T2": 500, "T3": 20_000, "T5": 10_500}
    shared = {
        "operator": "wave",
        "account": "SN-TEST",
        "currency": "XOF",
        "at": "2026-01-01T00:00:00Z",
        "payer": None,
    }
    return [
        {**shared, "transaction": name, "amount": units, "reversed": name == "T3"}
        for name, units in amounts.items()
    ]


def test_verify_compares_with_a_file_or_an_address(
    shell: Terminal, filled_books: Books, tmp_path: Path, stranger: Stranger
) -> None:
    file, true = tmp_path / "truth.json", truth(filled_books)
    for form in (true, {"movements": true}):
        file.write_text(json.dumps(form))
        assert shell.json("verify", "--against", str(file))["truth"]["matched"] == 4
    stranger.answers["GET", "/truth"] = (200, true)
    assert shell.json("verify", "--against", f"{stranger.url}/truth")["truth"]["matched"] == 4
    file.write_text(json.dumps([*true, {**true[0], "transaction": "T9"}]))
    ran = shell.run("verify", "--against", str(file), "--json")
    assert (ran.exit_code, ran.stderr) == (1, "BROKEN LOST wave SN-TEST T9: no receipt\n")
    assert json.loads(ran.stdout)["truth"]["lost"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("\udcff", "is not JSON"),
        ("3", "is not a list of movements"),
        ('{"moved": []}', "is not a list of movements"),
        ("[3]", "movement 1 cannot be understood"),
        ("[{}]", "movement 1 has no 'transaction'"),
        ('{"at": "yesterday"}', "movement 1 cannot be understood: not an ISO 8601 moment"),
        ('{"at": "2026-01-01T00:00:00"}', "a moment needs a date, a time and a zone"),
        ('{"amount": "2000"}', "amount is a whole number"),
        ('{"amount": 2000.5}', "amount is a whole number"),
        ('{"reversed": "false"}', "reversed true or false"),
        ('{"transaction": null}', "the rest words"),
    ],
)
def test_an_unreadable_truth_file_is_reported_in_one_line(
    shell: Terminal, filled_books: Books, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "truth.json"
    movement = (
        json.dumps([truth(filled_books)[0] | json.loads(content)])
        if content.startswith(('{"a', '{"r', '{"t'))
        else content
    )
    file.write_bytes(movement.encode("utf-8", "surrogateescape"))
    assert message in shell.refusal("verify", "--against", str(file))


def test_a_missing_truth_file_is_reported_in_one_line(
    shell: Terminal, tmp_path: Path, unreachable_url: str, stranger: Stranger
) -> None:
    assert "No such file" in shell.refusal("verify", "--against", str(tmp_path / "none.json"))
    assert "Is a directory" in shell.refusal("verify", "--against", str(tmp_path))
    assert "--against: cannot read" in shell.refusal("verify", "--against", unreachable_url)
    assert "404" in shell.refusal("verify", "--against", f"{stranger.url}/truth")
    assert "--against: cannot read" in shell.refusal("verify", "--against", "http://127.0.0.1:99999/truth")


def test_members_show_one_household(shell: Terminal, filled_books: Books) -> None:
    number = filled_books.household.number
    values = shell.json("members", "show", number)
    assert values == {
        "number": number,
        "mutuelle": "SN-TEST",
        "scheme": "SN-CMU",
        "language": "fr",
        "category": {"claimed": "general", "standing": "claimed", "billed": "general"},
        "members": values["members"],
        "currency": "XOF",
        "owed": 0,
        "credit": 1_000,
        "state": "waiting",
    }
    assert values["members"][0] == {"kind": "head", "born": 1985, "provisional": True}
    spaced = f"{number[:3]} {number[3:6]}-{number[6:]}"
    assert f"number             {number}\n" in shell.run("members", "show", spaced).stdout


def test_a_wrong_or_unknown_member_number_is_reported(shell: Terminal, filled_books: Books) -> None:
    number = filled_books.household.number
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    for words in (("members", "show"), ("rights",)):
        for typed in (wrong, number[:-1], "abc", ""):
            assert "this is not a member number: ten digits, the last a check digit" in shell.refusal(
                *words, typed
            )
        assert "no household has this member number" in shell.refusal(
            *words, member_numbers.new(lambda count: "1" * count)
        )


def test_rights_on_a_day(shell: Terminal, filled_books: Books) -> None:
    number = filled_books.household.number
    today = shell.json("rights", number)
    assert today.items() >= {"number": number, "state": "waiting", "owed": 0, "left_to_open": 0}.items()
    later = shell.json("rights", number, "--on", today["until"])
    assert later["state"] == "waiting"
    assert shell.json("rights", number, "--on", "2001-01-01") == {
        **shell.json("rights", number, "--on", "2001-01-01"),
        "on": "2001-01-01",
        "state": "never",
        "reason": "rights.no-bill",
        "next_step": "rights.join",
    }
    ran = shell.run("rights", number, "--on", "31/12/2026")
    assert ran.exit_code == 2
    assert "'31/12/2026' does not match the format" in ran.stderr


def test_payments_show_one_by_our_reference(shell: Terminal, filled_books: Books) -> None:
    values = shell.json("payments", "show", str(filled_books.payment_ref))
    assert (
        values.items()
        >= {
            "ref": str(filled_books.payment_ref),
            "status": "confirmed",
            "amount": 2_000,
            "currency": "XOF",
        }.items()
    )
    assert "no payment has this reference" in shell.refusal(
        "payments", "show", "00000000-0000-4000-8000-000000000000"
    )
    assert shell.run("payments", "show", "nothing").exit_code == 2


def test_release_is_quiet_and_may_run_twice(blank_database: Database, shell: Terminal) -> None:
    ran = shell.run("verify", DATABASE_URL=blank_database.url)
    assert ran.exit_code == 1
    assert "the database is at an earlier version" in ran.stderr
    for _ in range(2):
        ran = shell.run("release", DATABASE_URL=blank_database.url)
        assert (ran.exit_code, ran.output) == (0, "")
    assert shell.run("verify", DATABASE_URL=blank_database.url).exit_code == 0


def test_settings_that_miss_or_are_wrong_are_all_named(shell: Terminal) -> None:
    missing = {"SECRET_KEY": None, "AT_API_KEY": None, "WEB_PORT": "no"}
    for words in (
        ("verify",),
        ("release",),
        ("rights", "1"),
        ("members", "show", "1"),
        ("account", "add", *ACCOUNT),
    ):
        ran = shell.run(*words, **missing)
        assert ran.exit_code == 1
        lines = ran.output.splitlines()
        assert lines[0] == "Cannot start, settings are missing or wrong:"
        assert [line.split(":")[0].strip() for line in lines[1:]] == ["SECRET_KEY", "AT_API_KEY", "WEB_PORT"]


def test_a_database_that_is_unreachable_or_not_ours_is_reported_in_one_line(
    shell: Terminal, unreachable_url: str
) -> None:
    away = unreachable_url.replace("http://", "postgresql://mutuelle:s3cret@") + "/mutuelle"
    for words in (("verify",), ("release",)):
        message = shell.refusal(*words, DATABASE_URL=away)
        assert "the database at DATABASE_URL" in message
        assert "s3cret" not in message
        ran = shell.run(*words, DATABASE_URL=shell.database.superuser_url)
        assert ran.exit_code == 1
        assert ran.output.startswith("DATABASE_URL: the role stage is superuser or has BYPASSRLS")


def test_in_a_pipe_there_is_the_answer_and_nothing_else(shell: Terminal) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "verify", "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, **shell.env, "LOG_LEVEL": "DEBUG"},
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["ok"] is True


def test_there_are_two_queues_to_work_at(shell: Terminal) -> None:
    ran = shell.run("work", "tea")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "'tea' is not one of 'money', 'messages'" in ran.stderr


def in_a_shell(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command with none of the product's settings in the environment."""
    command = [sys.executable, "-m", "gateway.cli", *words]
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False)


def test_a_command_takes_the_settings_of_a_running_make_run(shell: Terminal, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(shell.env))
    for words in (
        ("verify", "--state-dir", tmp_path, "--json"),
        ("--state-dir", tmp_path, "verify", "--json"),
        ("verify", "--json", f"--state-dir={tmp_path}"),
    ):
        ran = in_a_shell(*words)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert json.loads(ran.stdout)["ok"] is True


def test_a_state_dir_in_which_nothing_runs_is_named(tmp_path: Path) -> None:
    ran = in_a_shell("verify", "--state-dir", tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"Nothing runs in {tmp_path}, so nothing was done: start `make run STATE_DIR={tmp_path}` first.\n"
    )
    (tmp_path / "settings.json").write_text("{")
    ran = in_a_shell("verify", "--state-dir", tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cannot be read (JSONDecodeError), so nothing was done" in ran.stderr


def test_the_command_says_its_version() -> None:
    ran = in_a_shell("--version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("mutuelle, version ")
