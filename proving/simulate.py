"""`python -m proving.simulate --seed N`, for `make simulate`: simulates thirty days and compares the books.

Prints one JSON line per seed (contract §4). Exits with 1 when a promise is broken: stderr then names the
seed, the commit and the first broken record; the same seed at the same commit breaks it again. With
`--shrink` it also names the few events that still break it.
"""

import argparse
import json
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from config import memory
from proving.simulator import database
from proving.simulator.database import DatabaseCopies
from proving.simulator.people import BrokenPromise
from proving.simulator.plan import FAULTS, Plan
from proving.simulator.run import Result, simulate
from proving.simulator.shrink import Shrinking
from proving.stage.server_files import CannotStart

ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Returns 0 when every promise held for every seed."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--until", type=int, help="go on from the last seed up to this one")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--households", type=int, default=100)
    parser.add_argument("--shrink", action="store_true", help="search the few events that break a promise")
    options = parser.parse_args(arguments)
    seeds = [*options.seed, *range(options.seed[-1] + 1, (options.until or 0) + 1)]
    held = True
    memory.settle()
    with database.start_servers() as copies:
        for seed in seeds:
            plan = Plan.of(seed, options.days, options.households, FAULTS)
            result, broken = run(copies, plan)
            if result is not None:
                print(json.dumps(result.as_json(), ensure_ascii=False), flush=True)
            if broken:
                held = False
                sys.stderr.write(f"{_failure_line(plan, options.households)} ({len(broken)}): {broken[0]}\n")
                if options.shrink:
                    _write_events(shrink(copies, plan, broken))
    return 0 if held else 1


def run(copies: DatabaseCopies, plan: Plan) -> tuple[Result | None, list[str]]:
    """Runs a plan. Returns its result, None if it stopped, and its broken promises."""
    try:
        with copies.copy() as database_copy:
            result = simulate(database_copy, plan, _progress)
    except BrokenPromise as broken:
        return None, [f"PROMISE {broken}"]
    except Exception as error:  # of any kind: it is this seed's failure, and the others go on
        return None, [f"STOPPED {type(error).__name__}: {error} {traceback.format_exc(limit=-3)}"]
    return result, result.broken


def shrink(copies: DatabaseCopies, plan: Plan, broken: Sequence[str]) -> list[str]:
    """Returns the few events of the plan that still break a promise of the same kind."""
    kind = _kind(broken[0])

    def fails(events: Sequence[str]) -> bool:
        return any(_kind(line) == kind for line in run(copies, plan.only(frozenset(events)))[1])

    return Shrinking(fails).smallest(plan.events())


def _kind(line: str) -> str:
    """Returns what a line says is broken: its first word, and the kind of error or person after it."""
    words = line.split()
    return " ".join(words[: 2 if words[0] == "STOPPED" else 1])


def _failure_line(plan: Plan, households: int) -> str:
    order = f"SEED={plan.seed} DAYS={plan.days} HOUSEHOLDS={households}"
    return f"seed {plan.seed} BROKEN, commit {_commit()}, make simulate {order}"


def _commit() -> str:
    """Returns the commit of this checkout, marked where files were changed since."""
    order = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match="]
    try:
        done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _write_events(events: Sequence[str]) -> None:
    sys.stderr.write(f"{len(events)} events still break it:\n")
    sys.stderr.writelines(f"  {event}\n" for event in events)


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line} ")
        sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as error:
        sys.exit(f"stopped: {error}")
