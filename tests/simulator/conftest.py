"""The seeds are lived beside all other tests, which mostly wait: begun when the tests are collected, heard out at their turn.

They are nice to the others, so that two small cores are used and nobody's deadline is missed.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FEW = os.environ.get("SIMULATE_HOUSEHOLDS", "16")
WHOLE = "100"
FIXED = range(1, 21)
FRESH = random.SystemRandom().sample(range(1000, 1_000_000), 5)
WITHIN_S = 1500
NICE = 10


class Lives:
    """A process that lives these seeds, one after the other."""

    def __init__(self, *seeds: int, households: str = FEW) -> None:
        self._room = tempfile.TemporaryDirectory(prefix="mutuelle-seeds-")
        self._said, self._complained = (Path(self._room.name) / name for name in ("said", "complained"))
        order = [sys.executable, "-m", "proving.simulate", "--households", households, "--seed", *map(str, seeds)]
        with self._said.open("w") as said, self._complained.open("w") as complained:
            self._running = subprocess.Popen(order, cwd=ROOT, stdout=said, stderr=complained)
        os.setpriority(os.PRIO_PROCESS, self._running.pid, NICE)

    def told(self) -> list[dict[str, Any]]:
        """What the seeds told; every promise held in each of them."""
        code = self._running.wait(WITHIN_S)
        assert code == 0, self._complained.read_text()[-3000:]
        return [json.loads(line) for line in self._said.read_text().splitlines()]

    def end(self) -> None:
        """Nothing of it outlives the tests."""
        self._running.terminate()
        self._running.wait()
        self._room.cleanup()


BEGUN = pytest.StashKey[list[Lives]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """All seeds, in processes that take about as long; the second begins with seed 1 again."""
    if not session.config.option.collectonly and any("test_seeds.py" in item.nodeid for item in session.items):
        session.config.stash[BEGUN] = [
            Lives(*FIXED[:8]),
            Lives(1, *FIXED[8:14]),
            Lives(*FIXED[14:], *FRESH[:1]),
            Lives(*FRESH[1:]),
            Lives(1, households=WHOLE),
        ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    for lives in session.config.stash.get(BEGUN, []):
        lives.end()


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest) -> dict[str, list[dict[str, Any]]]:
    """What every seed told; `twice` is seed 1 with its repetition in another process."""
    first, again, *others, whole = (lives.told() for lives in request.config.stash[BEGUN])
    lived = [*first, *again[1:], *(line for lines in others for line in lines)]
    assert len(lived) == len(FIXED) + len(FRESH)
    return {"all": lived, "twice": [first[0], again[0]], "whole": whole}
