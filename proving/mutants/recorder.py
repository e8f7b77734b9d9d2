"""A plugin of pytest that tells `coverage` which test runs, and stores how long each test takes.

`python -m coverage run … -m pytest -p proving.mutants.recorder --durations-to FILE` uses it. The context of a
line is `TEST` or, for a line that a fixture ran, `TEST|setup`: a fixture may serve the tests that follow.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

SETUP = "|setup"


class Recorder:
    """Collects the seconds of every test that passed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        switch_context(f"{item.nodeid}{SETUP}")
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if not report.passed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        passed = {name: round(s, 3) for name, s in self._seconds.items() if name not in self._failed}
        self._path.write_text(json.dumps(passed), encoding="utf-8")


def switch_context(name: str) -> None:
    """Attributes the lines that run from now on to `name`."""
    current = coverage.Coverage.current()
    assert current is not None, "run pytest by `coverage run`"
    current.switch_context(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--durations-to", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(config.getoption("--durations-to")))
