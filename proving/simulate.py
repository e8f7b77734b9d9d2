"""`python -m proving.simulate --seed N`, for `make simulate`: simulates thirty days and compares the books.

Prints one JSON line per seed (contract §4). Exits with 1 when a promise is broken: the seed and the first
broken record go to stderr, and the same seed breaks it again.
"""

import argparse
import json
import sys
import traceback

from config import memory
from proving.simulator import database
from proving.simulator.database import SeedDatabase
from proving.simulator.people import BrokenPromise
from proving.simulator.plan import FAULTS, Plan
from proving.simulator.run import simulate
from proving.stage.server_files import CannotStart


def main(arguments: list[str]) -> int:
    """Returns 0 when every promise held for every seed."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--until", type=int, help="go on from the last seed up to this one")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--households", type=int, default=100)
    options = parser.parse_args(arguments)
    seeds = [*options.seed, *range(options.seed[-1] + 1, (options.until or 0) + 1)]
    held = True
    memory.settle()
    with database.start_servers() as copies:
        for seed in seeds:
            plan = Plan.of(seed, options.days, options.households, FAULTS)
            with copies.copy() as database_copy:
                held = _run_seed(database_copy, plan) and held
    return 0 if held else 1


def _run_seed(database_copy: SeedDatabase, plan: Plan) -> bool:
    """Runs a seed and prints its line. Returns whether its promises held."""
    try:
        result = simulate(database_copy, plan, _progress)
    except BrokenPromise as broken:
        sys.stderr.write(f"seed {plan.seed} BROKEN: {broken}\n")
        return False
    except Exception as error:  # report it for this seed, and go on with the others
        traceback.print_exc()
        sys.stderr.write(f"seed {plan.seed} BROKEN: {type(error).__name__}: {error}\n")
        return False
    print(json.dumps(result.as_json(), ensure_ascii=False), flush=True)
    for line in result.broken[:1]:
        sys.stderr.write(f"seed {plan.seed} BROKEN ({len(result.broken)} records): {line}\n")
    return not result.broken


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line} ")
        sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as error:
        sys.exit(f"stopped: {error}")
