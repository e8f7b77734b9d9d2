"""Tests that the bench runs, checks its own measurements, and writes bench.json; not how fast it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from proving.bench import pages

ROOT = Path(__file__).parents[3]
KEYS = {"name", "value", "unit", "baseline", "ratio", "goal", "lower_is_better"}

WITHIN_S = 400


@pytest.mark.timeout(WITHIN_S + 20)
def test_a_quick_bench_makes_every_figure_and_finds_the_books_whole(tmp_path: Path) -> None:
    order = [sys.executable, "-m", "proving.bench", "--quick", "--state-dir", str(tmp_path)]
    ran = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    rows = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == [
        "ussd-turns",
        "ussd-turns-p99",
        "callbacks",
        "callbacks-p99",
        "credits",
        "credits-goal",
        "credits-p99",
        "rights",
        "rights-as-stored",
        "rights-memory",
        "bills",
        "bills-rate",
        *(f"page-{name}" for name in pages.PAGES),
        "page-suspense-goal",
    ]
    assert all(set(row) == KEYS and row["value"] > 0 for row in rows)
    assert all(row["ratio"] for row in rows if row["baseline"])
    assert len(ran.stdout.splitlines()) == len(rows)
