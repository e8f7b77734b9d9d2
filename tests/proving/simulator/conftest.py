"""Fixtures: runs the seeds in several processes with low priority beside the other tests."""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FEW = os.environ.get("SIMULATE_HOUSEHOLDS", "12")
WHOLE = "100"
FIXED = range(1, 1 + int(os.environ.get("SIMULATE_SEEDS", "4")))
FRESH = random.SystemRandom().sample(range(1000, 1_000_000), max(2, len(FIXED) // 4))
GROUPS = 3  # of seeds, each in a process of its own
WITHIN_S = 2400
NICE = 10


class Lives:
    """A process that simulates these seeds, one after the other."""

    def __init__(self, *seeds: int, households: str = FEW) -> None:
        self._room = tempfile.TemporaryDirectory(prefix="mutuelle-seeds-")
        self._output, self._errors = (Path(self._room.name) / name for name in ("said", "complained"))
        order = [
            sys.executable,
            "-m",
            "proving.simulate",
            "--households",
            households,
            "--seed",
            *map(str, seeds),
        ]
        with self._output.open("w") as output, self._errors.open("w") as errors:
            self._running = subprocess.Popen(order, cwd=ROOT, stdout=output, stderr=errors)
        os.setpriority(os.PRIO_PROCESS, self._running.pid, NICE)

    def wait(self) -> list[dict[str, Any]]:
        """Returns the lines of the seeds; fails when a promise was broken."""
        code = self._running.wait(WITHIN_S)
        assert code == 0, self._errors.read_text()[-3000:]
        return [json.loads(line) for line in self._output.read_text().splitlines()]

    def end(self) -> None:
        """Ends the process and deletes its files."""
        self._running.terminate()
        self._running.wait()
        self._room.cleanup()


@pytest.fixture(scope="module")
def lines() -> dict[str, list[dict[str, Any]]]:
    """Returns the lines of all seeds; `twice` is seed 1 from two processes."""
    seeds = [*FIXED, *FRESH]
    processes = [Lives(*seeds[group::GROUPS]) for group in range(GROUPS)]
    processes += [Lives(1), Lives(1, households=WHOLE)]
    try:
        *groups, again, whole = (lives.wait() for lives in processes)
    finally:
        for lives in processes:
            lives.end()
    all_lines = [line for group in groups for line in group]
    assert len(all_lines) == len(seeds)
    return {"all": all_lines, "twice": [groups[0][0], again[0]], "whole": whole}
