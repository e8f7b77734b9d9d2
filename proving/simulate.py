"""`python -m proving.simulate --seed N`: thirty days of three mutuelles, and books against truth. Behind `make simulate`.

One JSON line per seed, the last line of all (contract §4). Exit 1 when a promise is broken: the seed and the first broken
record go to stderr, and the same seed breaks it again.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from mutuelle import db
from proving import places
from proving.places import CannotStart
from proving.programs import found_postgres
from proving.servers import Postgres, Redis
from proving.simulator.people import Broken
from proving.simulator.plan import Faults, Plan
from proving.simulator.run import Place, simulate

TEMPLATE = "migrated"


@contextmanager
def servers() -> Iterator[Iterator[Place]]:
    """PostgreSQL and Redis of our own; each Place is a fresh copy of one migrated database."""
    with tempfile.TemporaryDirectory(prefix="mutuelle-simulate-") as folder:
        state_dir = places.make_state_dir(Path(folder))
        program = max(found_postgres(), key=lambda one: one.major, default=None)
        if program is None:
            raise CannotStart("No PostgreSQL 15 or newer was found, and pip brought none for this machine.")
        postgres = Postgres(program, state_dir, superuser_password="stage", login_password="mutuelle", durable=False)  # noqa: S106
        redis = Redis(state_dir)
        try:
            postgres.start()
            redis.start()
            postgres.create_database(TEMPLATE)
            db.migrate(postgres.url(TEMPLATE))
            yield _copies(postgres, redis, state_dir)
        finally:
            redis.stop()
            postgres.stop()
            places.forget(state_dir)


def _copies(postgres: Postgres, redis: Redis, state_dir: Path) -> Iterator[Place]:
    for number in count(1):
        name = f"seed_{number}"
        postgres.create_database(name, TEMPLATE)
        yield Place(postgres.url(name), postgres.superuser_url(name), redis.url, state_dir)
        postgres.drop_database(name)


def main(arguments: list[str]) -> int:
    """Exit 0 when every promise held for every seed."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", type=int, help="go on with the following seeds up to this one")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--households", type=int, default=100)
    asked = parser.parse_args(arguments)
    good = True
    with servers() as where:
        for seed in range(asked.seed, (asked.until or asked.seed) + 1):
            good = _one(next(where), Plan.of(seed, asked.days, asked.households, Faults.of(seed))) and good
    return 0 if good else 1


def _one(where: Place, plan: Plan) -> bool:
    """Run a seed, print its line; whether its promises held."""
    try:
        result = simulate(where, plan, _progress)
    except Broken as broken:
        sys.stderr.write(f"seed {plan.seed} BROKEN: {broken}\n")
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
