"""`mutuelle pull`, run as a program beside a sandbox, reads a day again and says what it found."""

import json
import subprocess
import sys
from datetime import date
from typing import Any

from mutuelle import clock
from proving.stage.children import OTHER_DAY
from tests.workers.test_missed_lists import open_flags, pays_in_silence
from tests.workers.test_open_days import at_noon, lines_of, mend, pays_late, spoil
from tests.workers.world import WorkerWorld


def pull(town: WorkerWorld, code: str, day: date) -> tuple[int, dict[str, Any], str]:
    """Runs the command. Returns its exit code, what it printed as JSON, and its last line of errors."""
    settings = town.services.settings.model_dump()
    shift = OTHER_DAY | {"CLOCK_SHIFT": str(int(town.sandbox.get("/clock")["shift_s"]))}
    env = {name.upper(): str(value) for name, value in settings.items() if value is not None} | shift
    order = [sys.executable, "-m", "gateway.cli", "pull", "--account", code, "--day", str(day), "--json"]
    ran = subprocess.run(order, env=env, capture_output=True, text=True, timeout=120)
    return ran.returncode, json.loads(ran.stdout), ran.stderr.strip().rpartition("\n")[2]


def counts(values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in ("new", "known", "unreadable", "not_booked", "whole"))


def test_a_day_is_read_again_from_its_first_line(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    pays_in_silence(town, account, 1_000)
    assert pull(town, account.code, today)[0] == 0
    assert town.parts() == {"bill": 1_000}
    pays_in_silence(town, account, 2_000)
    rows = lines_of(town, account, today)
    spoil(rows[1:])
    code, values, error = pull(town, account.code, today)
    assert (code, counts(values)) == (1, (0, 1, 1, 0, False))
    assert values["open_lines"] == [rows[1]["transaction_id"]]
    assert error.startswith("Error: the day stays open")
    assert open_flags(town) == [("unreadable", f"transaction:{rows[1]['transaction_id']}")]
    mend(rows)
    assert pull(town, account.code, today)[:1] == (0,)
    assert (town.parts(), open_flags(town)) == ({"bill": 3_000}, [])
    assert counts(pull(town, account.code, today)[1]) == (0, 2, 0, 0, True)


def test_a_closed_day_is_read_again_and_its_late_line_found(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    pays_in_silence(town, account, 1_000)
    began = clock.now()
    for _ in range(3):
        town.pull()
        town.pass_time(86_400)
    pays_late(town, account, 2_000, began)
    town.pull()
    assert town.parts() == {"bill": 1_000}
    code, values, _ = pull(town, account.code, today)
    assert (code, counts(values), town.parts()) == (0, (1, 1, 0, 0, True), {"bill": 3_000})


def test_an_operator_that_does_not_answer_is_named(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    town.faults(http_500=1)
    code, values, error = pull(town, account.code, today)
    assert (code, counts(values)) == (1, (0, 0, 0, 0, False))
    assert error.startswith("Error: the operator does not answer")
