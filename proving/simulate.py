"""`python -m proving.simulate --seed N`: thirty days of three mutuelles, and books against truth. Behind
`make simulate`.

One JSON line per seed, the last line of all (contract §4). Exit 1 when a promise is broken: the seed and the
first broken record go to stderr, and the same seed breaks it again.
"""

import argparse
import json
import sys
import traceback

from config import memory
from proving.simulator import database
from proving.simulator.database import Place
from proving.simulator.people import Broken
from proving.simulator.plan import FAULTS, Plan
from proving.simulator.run import simulate
from proving.stage.server_files import CannotStart


def main(arguments: list[str]) -> int:
    """Exit 0 when every promise held for every seed."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--until", type=int, help="go on from the last seed up to this one")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--households", type=int, default=100)
    asked = parser.parse_args(arguments)
    seeds = [*asked.seed, *range(asked.seed[-1] + 1, (asked.until or 0) + 1)]
    good = True
    memory.settle()
    with database.laid() as here:
        for seed in seeds:
            with here.place() as where:
                good = _one(where, Plan.of(seed, asked.days, asked.households, FAULTS)) and good
    return 0 if good else 1


def _one(where: Place, plan: Plan) -> bool:
    """Run a seed, print its line; whether its promises held."""
    try:
        result = simulate(where, plan, _progress)
    except Broken as broken:
        sys.stderr.write(f"seed {plan.seed} BROKEN: {broken}\n")
        return False
    except Exception as error:  # whatever it was, it belongs to this seed, and the others go on
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
