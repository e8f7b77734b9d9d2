"""Plants one fault in a scratch copy of the project, and runs the tests that may find it."""

import importlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from proving.mutants.records import PRODUCT
from proving.mutants.source import Fault, SourceText

STOP_S = 30  # how long a run that is stopped may take to stop its servers
OWN = (*PRODUCT, "proving", "sandbox", "tests")
# The libraries that take the longest to load.
LIBRARIES = (
    "alembic.command", "alembic.config", "cryptography.fernet", "flask", "httpx", "hypothesis",
    "hypothesis.strategies", "phonenumbers", "playwright.sync_api", "prometheus_client", "psycopg_pool",
    "pydantic_settings", "redis", "requests", "rq", "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.orm", "xdist.remote", "xdist.scheduler", "_pytest.assertion.rewrite",
)  # fmt: skip
_FINDING = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - (.*))?$", re.M)
_INVALID = re.compile(r"\bSyntaxError\b")


class Result(StrEnum):
    """How a trial ended. `INVALID`: PostgreSQL cannot parse the changed SQL, so it is no fault at all."""

    FOUND = "found"
    TIMEOUT = "timeout"
    SURVIVED = "survived"
    NOT_RUN = "not run"
    INVALID = "invalid"


@dataclass(frozen=True)
class Trial:
    """The end of one trial: `by` is the test that failed, `error` its error."""

    result: Result
    by: str = ""
    error: str = ""
    seconds: float = 0


class ScratchCopy:
    """A copy of the project's files, without what Git ignores."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, names):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)

    @contextmanager
    def planted(self, fault: Fault) -> Iterator[None]:
        """Holds the fault for the time of the block."""
        path = self.folder / fault.path
        content = path.read_text("utf-8")
        try:
            self._write(path, SourceText(fault.path, content).edited(fault.edit))
            yield
        finally:
            self._write(path, content)

    def _write(self, path: Path, content: str) -> None:
        """Writes a file and forgets its compiled form, which Python compares by size and second only."""
        path.write_text(content, encoding="utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()


def run(copy: ScratchCopy, fault: Fault, tests: Sequence[str], seconds: float) -> Trial:
    """Runs tests, which take about `seconds` without a fault, until one fails on the planted fault.

    A run that takes much longer has been caught in the fault, which finds it.
    """
    if not tests:
        return Trial(Result.NOT_RUN)
    started = time.monotonic()
    with copy.planted(fault):
        code, output = _pytest(copy.folder, tests, limit_s=300 + 5 * seconds)
    took = round(time.monotonic() - started, 1)
    if code is None:
        return Trial(Result.TIMEOUT, seconds=took)
    if code == 0:
        return Trial(Result.SURVIVED, seconds=took)
    finding = _FINDING.search(output)
    if finding is None and "ImportError while loading conftest" not in output:
        raise RuntimeError(f"pytest ended with {code} on {fault.id}:\n{output[-3000:]}")
    by, error = (finding[1], finding[2] or "") if finding else ("conftest", output.strip().splitlines()[-1])
    result = Result.INVALID if fault.family.startswith("sql-") and _INVALID.search(output) else Result.FOUND
    return Trial(result, by, error, took)


def _pytest(folder: Path, tests: Sequence[str], limit_s: float) -> tuple[int | None, str]:
    """Returns the exit code of a run, None when it was stopped after `limit_s`, and its output."""
    written = folder / "var"
    written.mkdir(exist_ok=True)
    (written / "tests.txt").write_text("\n".join(tests), encoding="utf-8")
    process = multiprocessing.get_context("fork").Process(target=_become_pytest, args=(folder,))
    process.start()
    process.join(limit_s)
    if process.is_alive() and process.pid:
        os.kill(process.pid, signal.SIGINT)  # so that it stops its servers
        process.join(STOP_S)
        process.kill()
        process.join()
        return None, ""
    return process.exitcode, (written / "output.txt").read_text("utf-8", "replace")


def _become_pytest(folder: Path) -> None:
    """Runs the tests in a fork that has loaded the libraries already, and the project's own modules anew."""
    os.chdir(folder)
    sys.stdout = sys.stderr = open("var/output.txt", "w", encoding="utf-8")  # noqa: SIM115  # until the end
    for descriptor in (1, 2):
        os.dup2(sys.stdout.fileno(), descriptor)
    os.environ["COLUMNS"] = "400"
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    options = ["-x", "-q", "--tb=line", "-rfE"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the libraries are loaded already
    code = pytest.main([*options, "@var/tests.txt"])
    sys.stdout.flush()
    os._exit(code)


def load_libraries() -> None:
    """Loads what the tests import beside the project, once, so that no run of tests has to."""
    for name in LIBRARIES:
        importlib.import_module(name)
