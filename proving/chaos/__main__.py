"""`python -m proving.chaos --seed N --minutes M`: breaks processes, repairs them, and checks the books.

Prints one line per event and one JSON line last. Exits with 1 when a promise is broken: the first broken
records go to stderr.
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
from proving.chaos.breaker import OUTSIDE_FAULTS, Breaker
from proving.chaos.people import Person, ShownResults
from proving.chaos.timetable import OURS, lanes
from proving.demo import demo
from proving.stage import server_files
from proving.stage.server_files import CannotStart
from proving.stage.stage import PROGRAMS, Stage
from proving.stage.wire_tap import Tap

PEOPLE = 8
SECOND_WORKERS = {
    f"{name}-2": PROGRAMS[name] for name in ("worker-money", "worker-messages", "worker-daily", "scheduler")
}
PULL_S = int(Settings.model_fields["pull_s"].default)
CONVERGED_WITHIN_S = 2 * PULL_S  # one list pull, and a second one after a time-out of the operator


def main(arguments: list[str]) -> int:
    """Returns 0 when every promise held."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args(arguments)
    seed, minutes = options.seed, f"{options.minutes:g}"
    print(f"chaos with seed {seed} for {minutes} minutes: make chaos SEED={seed} MINUTES={minutes}")
    folder = server_files.make_state_dir(Path(tempfile.mkdtemp(prefix="mutuelle-chaos-")))
    try:
        with prepared_stage(folder) as (stage, taps):
            return run(stage, taps, options.seed, options.minutes)
    finally:
        server_files.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def prepared_stage(folder: Path) -> Iterator[tuple[Stage, dict[str, Tap]]]:
    """Starts two workers of each kind and two schedulers, each behind a tap to PostgreSQL."""
    with Stage(folder, programs={**PROGRAMS, **SECOND_WORKERS}, say=print) as stage:
        stage.seed(demo.seed)
        taps = {name: Tap(name, lambda: stage.postgres.port) for name in OURS}
        for name, tap in taps.items():
            url = stage.env["DATABASE_URL"].replace(f":{stage.postgres.port}/", f":{tap.port}/")
            stage.give(name, {"DATABASE_URL": url})
        stage.start()
        yield stage, taps
        for tap in taps.values():
            tap.close()


def run(stage: Stage, taps: dict[str, Tap], seed: int, minutes: float) -> int:
    """Runs people and faults together; then repairs, waits for convergence and judges."""
    breaker, shown = Breaker(stage, taps, seed, lambda line: print(line, flush=True)), ShownResults()
    over, lanes_over = threading.Event(), threading.Event()
    people = [Person(number, seed, stage.sandbox_url, shown, over) for number in range(PEOPLE)]
    breaker.set_outside_faults(OUTSIDE_FAULTS)
    over_at = time.monotonic() + minutes * 60
    lines = [
        threading.Thread(target=breaker.carry_out, args=(lane, lanes_over), daemon=True)
        for lane in lanes(seed, minutes)
    ]
    for thread in (*people, *lines):
        thread.start()
    breaker.processes.serve(
        breaker.restart_fallen,
        lambda: time.monotonic() > over_at and not any(line.is_alive() for line in lines),
    )
    over.set()
    for person in people:
        person.join()
    breaker.heal()
    converged_s = verdict.converge(stage, CONVERGED_WITHIN_S, breaker.restart_fallen)
    breaker.note(f"converged after {converged_s:.0f} s")
    result = verdict.judge(stage, shown)
    line = {
        "seed": seed,
        "minutes": minutes,
        "events": dict(sorted(breaker.events.items())),
        **result.counts,
        "fell_by_themselves": dict(breaker.falls),
        "converged_s": round(converged_s),
        "ok": not result.broken,
    }
    for broken in result.broken[:5]:
        sys.stderr.write(f"seed {seed} BROKEN ({len(result.broken)} records): {broken}\n")
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 1 if result.broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as error:
        sys.exit(f"stopped: {error}")
