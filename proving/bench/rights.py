"""The figures of many households: all rights recomputed, all bills of the next period written."""

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

from config import memory
from mutuelle import crypto, db
from mutuelle.organisation import tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.schemes import schemes
from proving.bench import people
from proving.bench.figures import Figure
from proving.bench.setup import Place
from proving.demo import demo
from workers import bill

PROCESSES = 2
GOAL_S = 600.0  # one million members
# The largest process of all that the command starts, in kB, as the last word on stderr.
MEASURED = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
    " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def rights(place: Place, members: int) -> list[Figure]:
    """Members whose rights are computed and written per second, then computed and found as they are; and the
    memory of it."""
    senegal, households = place.senegal(), members // people.EACH
    with db.transaction(db.Role.LOGIN) as session:
        account = tenants.accounts_of(session, senegal.id)[0]
    people.settle(place.stage.postgres, senegal.id, account.id, households)
    written, memory = _recomputed(place, senegal.code, at_least=households)
    found, _ = _recomputed(place, senegal.code, at_least=0)
    goal = 1_000_000 / GOAL_S
    return [
        Figure("rights", members / written, "members/s", None, None, goal),
        Figure("rights-as-stored", members / found, "members/s", None, None, goal),
        Figure("rights-memory", memory / 1024, "MB", None, None, None, True),
    ]


def _recomputed(place: Place, code: str, at_least: int) -> tuple[float, int]:
    """Seconds, and kB of the largest process."""
    order = [
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
    order = [sys.executable, "-c", MEASURED, *order, "--json"]
    ran = subprocess.run(order, env=place.stage.env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    if (told := json.loads(ran.stdout))["rewritten"] < at_least or (not at_least and told["rewritten"]):
        raise RuntimeError(f"of {at_least} households that differ {told} were rewritten")
    return seconds, int(ran.stderr.split()[-1])


def bills(place: Place, households: int) -> list[Figure]:
    """Two workers price and write the next bills of households that `rights` has settled; one COPY of the
    same rows beside."""
    senegal, today = place.senegal(), datetime.now(UTC).date()
    spawn = get_context("spawn")
    together = spawn.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, spawn, _boot, (place.stage.env, together)) as workers:
        for ready in [
            workers.submit(_ready) for _ in range(PROCESSES)
        ]:  # a process starts when nobody is free for a task
            ready.result()
        began = time.monotonic()
        for done in [
            workers.submit(_billed, MutuelleDay(senegal.id, senegal.zone, today)) for _ in range(PROCESSES)
        ]:
            done.result()
        ours = time.monotonic() - began
    count = place.count("SELECT count(*) FROM bills b JOIN households h ON h.id = b.household_id"
                        " WHERE h.channel = 'settled' AND b.issued = :today", today=today)  # fmt: skip
    if count < households:
        raise RuntimeError(f"{households} households were due a bill, {count} have one")
    bare = _copied(place, today)
    _recomputed(place, senegal.code, at_least=0)  # every right is still what bills and money say
    return [
        Figure("bills", ours * 1000, "ms", bare * 1000, ours / bare, 10, True),
        Figure("bills-rate", households / ours, "bills/s", None, None, None),
    ]


DUE = "household_id IN (SELECT id FROM households WHERE channel = 'settled') AND issued = %s"
ROWS = {
    "bills": f"SELECT * FROM bills WHERE {DUE}",  # noqa: S608  # our own words
    "bill_lines": f"SELECT l.* FROM bill_lines l JOIN bills b ON b.id = l.bill_id WHERE {DUE}",  # noqa: S608  # our own words
}


def _boot(env: dict[str, str], together: Barrier) -> None:
    """A process of its own, as a worker is, with the rule books read; it waits until all have come as far."""
    crypto.use(env["PHONE_KEY"], env["SECRET_KEY"])
    db.connect(env["DATABASE_URL"])
    schemes.get(demo.PLACES[0].scheme)
    memory.settle()
    together.wait()


def _ready() -> None:
    """Answer, which a process does once it has booted."""


def _billed(day: MutuelleDay) -> None:
    while bill.write_page(day):
        pass


def _copied(place: Place, today: date) -> float:
    """Seconds to COPY the same rows into tables without keys, checks or policies, each committed."""
    took = 0.0
    with psycopg.connect(place.stage.postgres.superuser_url("mutuelle"), autocommit=True) as connection:
        for table, query in ROWS.items():
            bare, own = sql.Identifier(f"bare_{table}"), sql.Identifier(table)
            with connection.cursor() as cursor:
                with cursor.copy(f"COPY ({query}) TO STDOUT", (today,)) as out:
                    rows = b"".join(bytes(part) for part in out)
                cursor.execute(sql.SQL("CREATE TABLE {} AS SELECT * FROM {} WITH NO DATA").format(bare, own))
                began = time.monotonic()
                with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(bare)) as into:
                    into.write(rows)
                took += time.monotonic() - began
                cursor.execute(sql.SQL("DROP TABLE {}").format(bare))
    return took
