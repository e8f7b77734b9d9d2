"""The seeds are lived in several processes at once beside the other tests, and are nice to them: no deadline
is missed."""

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
        order = [
            sys.executable,
            "-m",
            "proving.simulate",
            "--households",
            households,
            "--seed",
            *map(str, seeds),
        ]
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


@pytest.fixture(scope="module")
def told() -> dict[str, list[dict[str, Any]]]:
    """What every seed told, in processes that take about as long; `twice` is seed 1 with its repetition in
    another process."""
    begun = [
        Lives(*FIXED[:8]),
        Lives(1, *FIXED[8:14]),
        Lives(*FIXED[14:], *FRESH[:1]),
        Lives(*FRESH[1:]),
        Lives(1, households=WHOLE),
    ]
    try:
        first, again, *others, whole = (lives.told() for lives in begun)
    finally:
        for lives in begun:
            lives.end()
    lived = [*first, *again[1:], *(line for lines in others for line in lines)]
    assert len(lived) == len(FIXED) + len(FRESH)
    return {"all": lived, "twice": [first[0], again[0]], "whole": whole}
