"""Measures many households: recomputing all rights, writing all bills of the next period."""

import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

import psycopg
from psycopg import sql
from sqlalchemy import select

from config import memory
from mutuelle import crypto, db
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.schemes import schemes
from proving.bench import people
from proving.bench.measurements import Measurement
from proving.bench.setup import BenchSetup
from proving.demo import demo
from workers import bill

PROCESSES = 2
GOAL_S = 600.0  # one million members
# Prints the size of the command's largest process, in kB, as the last word on stderr.
MEASURED = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
    " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def rights(setup: BenchSetup, members: int) -> list[Measurement]:
    """Measures members per second whose rights are written, then compared; and the memory of it."""
    senegal, households = setup.senegal(), members // people.EACH
    with db.transaction(db.Role.LOGIN) as session:
        query = select(OperatorAccount).where(OperatorAccount.tenant_id == senegal.id)
        account = session.scalars(query.order_by(OperatorAccount.created_at)).first()
    assert account is not None  # the demo gives every mutuelle one
    people.write_households(setup.stage.postgres, senegal.id, account.id, households)
    write_s, memory_kb = _recompute(setup, senegal.code, at_least=households)
    compare_s, _ = _recompute(setup, senegal.code, at_least=0)
    goal = 1_000_000 / GOAL_S
    return [
        Measurement("rights", members / write_s, "members/s", None, None, goal),
        Measurement("rights-as-stored", members / compare_s, "members/s", None, None, goal),
        Measurement("rights-memory", memory_kb / 1024, "MB", None, None, None, True),
    ]


def _recompute(setup: BenchSetup, code: str, at_least: int) -> tuple[float, int]:
    """Returns seconds, and kB of the largest process."""
    command = [
        sys.executable,
        "-m",
        "gateway.cli",
        "rights",
        "--recompute",
        "--mutuelle",
        code,
        "--processes",
        str(PROCESSES),
    ]
    began = time.monotonic()
    command = [sys.executable, "-c", MEASURED, *command, "--json"]
    process = subprocess.run(command, env=setup.stage.env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(process.stderr[-2000:])
    result = json.loads(process.stdout)
    if result["rewritten"] < at_least or (not at_least and result["rewritten"]):
        raise RuntimeError(f"of {at_least} households that differ {result} were rewritten")
    return seconds, int(process.stderr.split()[-1])


def bills(setup: BenchSetup, households: int) -> list[Measurement]:
    """Measures two workers that price and write the next bills, against one COPY of the same rows."""
    senegal, today = setup.senegal(), datetime.now(UTC).date()
    spawn = get_context("spawn")
    barrier = spawn.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, spawn, _boot, (setup.stage.env, barrier)) as workers:
        # The pool starts a process when none is free for a task.
        for future in [workers.submit(_ready) for _ in range(PROCESSES)]:
            future.result()
        began = time.monotonic()
        for future in [
            workers.submit(_write_bills, MutuelleDay(senegal.id, senegal.zone, today))
            for _ in range(PROCESSES)
        ]:
            future.result()
        ours = time.monotonic() - began
    count = setup.count("SELECT count(*) FROM bills b JOIN households h ON h.id = b.household_id"
                        " WHERE h.channel = 'settled' AND b.issued = :today", today=today)  # fmt: skip
    if count < households:
        raise RuntimeError(f"{households} households were due a bill, {count} have one")
    bare = _copy_seconds(setup, today)
    _recompute(setup, senegal.code, at_least=0)  # every right still agrees with bills and money
    return [
        Measurement("bills", ours * 1000, "ms", bare * 1000, ours / bare, 10, True),
        Measurement("bills-rate", households / ours, "bills/s", None, None, None),
    ]


DUE = "household_id IN (SELECT id FROM households WHERE channel = 'settled') AND issued = %s"
ROWS = {
    "bills": f"SELECT * FROM bills WHERE {DUE}",  # noqa: S608  # constant SQL
    "bill_lines": f"SELECT l.* FROM bill_lines l JOIN bills b ON b.id = l.bill_id WHERE {DUE}",  # noqa: S608
}


def _boot(env: dict[str, str], barrier: Barrier) -> None:
    """Prepares a process as a worker does, loads the rule book, and waits for the other processes."""
    crypto.use(env["PHONE_KEY"], env["SECRET_KEY"])
    db.connect(env["DATABASE_URL"])
    schemes.get(demo.PLACES[0].scheme)
    memory.settle()
    barrier.wait()


def _ready() -> None:
    """Returns once the process has booted."""


def _write_bills(mutuelle_day: MutuelleDay) -> None:
    while bill.write_page(mutuelle_day):
        pass


def _copy_seconds(setup: BenchSetup, today: date) -> float:
    """Returns the seconds to COPY the same rows into tables without keys, checks or policies."""
    seconds = 0.0
    with psycopg.connect(setup.stage.postgres.superuser_url("mutuelle"), autocommit=True) as connection:
        for table, query in ROWS.items():
            bare, own = sql.Identifier(f"bare_{table}"), sql.Identifier(table)
            with connection.cursor() as cursor:
                with cursor.copy(f"COPY ({query}) TO STDOUT", (today,)) as out:
                    rows = b"".join(bytes(part) for part in out)
                cursor.execute(sql.SQL("CREATE TABLE {} AS SELECT * FROM {} WITH NO DATA").format(bare, own))
                began = time.monotonic()
                with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(bare)) as into:
                    into.write(rows)
                seconds += time.monotonic() - began
                cursor.execute(sql.SQL("DROP TABLE {}").format(bare))
    return seconds
