"""`python -m proving.chaos --seed N --minutes M`: break everything for M minutes, heal it, and compare books
and truth.

One line per event, one JSON line last. Exit 1 when a promise is broken: the first broken record goes to
stderr.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import Settings
from proving.chaos import verdict
from proving.chaos.breaker import WEATHER, Breaker
from proving.chaos.people import Person, Told
from proving.chaos.timetable import OURS, lanes
from proving.demo import demo
from proving.stage import server_files
from proving.stage.server_files import CannotStart
from proving.stage.stage import PROGRAMS, Stage
from proving.stage.wire_tap import Tap

PEOPLE = 8
SECONDS = {
    f"{name}-2": PROGRAMS[name] for name in ("worker-money", "worker-messages", "worker-daily", "scheduler")
}
PULL_S = int(Settings.model_fields["pull_s"].default)
CONVERGED_WITHIN_S = 2 * PULL_S  # one list pull, and what an operator's hanging up made of it


def main(arguments: list[str]) -> int:
    """Exit 0 when every promise held."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5)
    asked = parser.parse_args(arguments)
    print(
        f"chaos with seed {asked.seed} for {asked.minutes:g} minutes: make chaos SEED={asked.seed} MINUTES={asked.minutes:g}"
    )
    folder = server_files.make_state_dir(Path(tempfile.mkdtemp(prefix="mutuelle-chaos-")))
    try:
        with ground(folder) as (stage, taps):
            return run(stage, taps, asked.seed, asked.minutes)
    finally:
        server_files.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ground(folder: Path) -> Iterator[tuple[Stage, dict[str, Tap]]]:
    """Two workers of each kind and two schedulers, under the settings of a deployment, each behind a tap to
    PostgreSQL."""
    with Stage(folder, programs={**PROGRAMS, **SECONDS}, say=print) as stage:
        stage.seed(demo.seed)
        taps = {name: Tap(name, lambda: stage.postgres.port) for name in OURS}
        for name, tap in taps.items():
            stage.give(
                name,
                {
                    "DATABASE_URL": stage.env["DATABASE_URL"].replace(
                        f":{stage.postgres.port}/", f":{tap.port}/"
                    )
                },
            )
        stage.start()
        yield stage, taps
        for tap in taps.values():
            tap.close()


def run(stage: Stage, taps: dict[str, Tap], seed: int, minutes: float) -> int:
    """People and faults beside each other; then healing, convergence and the verdict."""
    breaker, told = Breaker(stage, taps, seed, lambda line: print(line, flush=True)), Told()
    home, calm = threading.Event(), threading.Event()
    people = [Person(number, seed, stage.sandbox_url, told, home) for number in range(PEOPLE)]
    breaker.weather(WEATHER)
    over_at = time.monotonic() + minutes * 60
    lines = [
        threading.Thread(target=breaker.carry_out, args=(lane, calm), daemon=True)
        for lane in lanes(seed, minutes)
    ]
    for thread in (*people, *lines):
        thread.start()
    breaker.hands.serve(
        breaker.lift, lambda: time.monotonic() > over_at and not any(line.is_alive() for line in lines)
    )
    home.set()
    for person in people:
        person.join()
    breaker.heal()
    took_s = verdict.converge(stage, CONVERGED_WITHIN_S, breaker.lift)
    breaker.note(f"converged after {took_s:.0f} s")
    given = verdict.give(stage, told)
    line = {
        "seed": seed,
        "minutes": minutes,
        "events": dict(sorted(breaker.events.items())),
        **given.figures,
        "fell_by_themselves": dict(breaker.falls),
        "converged_s": round(took_s),
        "ok": not given.broken,
    }
    for broken in given.broken[:5]:
        sys.stderr.write(f"seed {seed} BROKEN ({len(given.broken)} records): {broken}\n")
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 1 if given.broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as error:
        sys.exit(f"stopped: {error}")
