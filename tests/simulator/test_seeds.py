"""The simulator's seeds that every test run lives: twenty fixed ones, five fresh ones, one of them twice, and one whole.

Thirty virtual days each, in two processes. A household costs a third of a second of a core, and the run has minutes: so the
whole seed has 100 households (and at least 300 payments), the others SIMULATE_HOUSEHOLDS (24). `SIMULATE_HOUSEHOLDS=100 make
test` lives them all whole, `make simulate SEED=1 UNTIL=300` as many as one has time for. A seed that breaks a promise is named
with its first broken record; the same seed breaks it again.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[2]
FEW = os.environ.get("SIMULATE_HOUSEHOLDS", "24")
WHOLE = "100"
FIXED = range(1, 21)
FRESH = random.SystemRandom().sample(range(1000, 1_000_000), 5)
KINDS = ("duplicate", "drop", "delay", "reorder", "timeout_before", "timeout_after", "http_500")
WITHIN_S = 1500


class Lives:
    """A process that lives these seeds, one after the other; in a `with`, so that none outlives the test."""

    def __init__(self, *seeds: int, households: str = FEW) -> None:
        order = [sys.executable, "-m", "proving.simulate", "--households", households, "--seed", *map(str, seeds)]
        self._running = subprocess.Popen(order, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.terminate()
        self._running.communicate()

    def told(self) -> list[dict[str, Any]]:
        """What the seeds told; every promise held in each of them."""
        said, complaints = self._running.communicate(timeout=WITHIN_S)
        assert self._running.returncode == 0, complaints[-3000:]
        return [json.loads(line) for line in said.splitlines()]


@pytest.fixture(scope="module")
def told() -> dict[str, list[dict[str, Any]]]:
    """All seeds, in two processes that take about as long; `twice` is seed 1 with its repetition in the other process."""
    with Lives(*FIXED[:13], *FRESH[:2]) as first, Lives(1, *FIXED[13:], *FRESH[2:]) as second:
        others = second.told()
        with Lives(1, households=WHOLE) as third:
            whole = third.told()
        lines = first.told()
    return {"all": [*lines, *others[1:]], "twice": [lines[0], others[0]], "whole": whole}


@pytest.mark.timeout(WITHIN_S)
def test_money_goes_where_it_was_meant_once_and_none_is_lost(told: dict[str, list[dict[str, Any]]]) -> None:
    assert len(told["all"]) == len(FIXED) + len(FRESH)
    for one in [*told["all"], *told["whole"]]:
        kept = (one["precision"], one["recall_reference"], one["recall_phone"], one["doubled"], one["lost"])
        assert kept == (1, 1, 1, 0, 0), one
        assert one["touched"] >= 0.2, one
        assert set(one["suspense_by_cause"]) <= {"payer's phone is not registered"}, one


@pytest.mark.timeout(WITHIN_S)
def test_every_fault_struck_often_enough_to_prove_something(told: dict[str, list[dict[str, Any]]]) -> None:
    struck: Counter[str] = Counter()
    for one in told["all"]:
        struck.update(one["faults"])
    assert all(struck[kind] >= 50 for kind in KINDS), struck
    assert all(struck[f"fall_{place}"] for place in ("statement", "before_commit", "after_commit", "before_ask", "after_ask"))


@pytest.mark.timeout(WITHIN_S)
def test_a_seed_is_the_same_world_twice(told: dict[str, list[dict[str, Any]]]) -> None:
    """In another process, with other ports, other hash seeds and other seconds."""
    first, second = told["twice"]
    assert first == second
    assert len({one["digest"] for one in told["all"]}) == len(told["all"])


@pytest.mark.timeout(WITHIN_S)
def test_a_whole_seed_is_large_enough(told: dict[str, list[dict[str, Any]]]) -> None:
    (whole,) = told["whole"]
    assert whole["payments"] >= 300
