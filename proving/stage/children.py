"""Runs one child process: in its own group, with a log; it ends with its parent, and stops or is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]

from proving.stage.server_files import CannotStart, Owner

LEASH = Path(__file__).with_name("leash.py")
POLL_S = 0.02
# Set when the tests run as on another day (`make test ON=...`): the servers must run on the same day.
OTHER_DAY = {
    name: value for name, value in os.environ.items() if name == "LD_PRELOAD" or name.startswith("FAKETIME")
}


class Child:
    """A program with a name. It may be started again after it has ended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log: Path,
        cwd: Path | str = "/",
        owner: Owner | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.command, self.env = name, [str(c) for c in command], dict(env) | OTHER_DAY
        self.log, self.cwd = log, cwd
        self.owner, self.stop_signal = owner, stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the program without waiting until it answers."""
        uid, gid = (str(self.owner.uid), str(self.owner.gid)) if self.owner else ("-", "-")
        leash = [
            sys.executable,
            "-I",
            "-S",
            str(LEASH),
            str(os.getpid()),
            str(int(self.stop_signal)),
            uid,
            gid,
        ]
        with open_log(self.log) as log:
            self._process = subprocess.Popen(
                leash + self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, within_s: float) -> int:
        """Runs it to its end. Returns the exit code. Raises CannotStart after `within_s`."""
        self.start()
        assert self._process is not None
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise CannotStart(
                f"{self.name} has not ended after {within_s:.0f} s. Its last words:\n{self.tail()}"
            ) from None
        finally:
            self.kill()

    @property
    def pid(self) -> int | None:
        """Its process number, or None before the first start."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs or before the first start."""
        return self._process.poll() if self._process else None

    def ask_to_stop(self) -> None:
        """Sends its stop signal and returns at once."""
        if self.alive and self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._process.send_signal(self.stop_signal)

    def stop(self, within_s: float = 5.0) -> None:
        """Sends its stop signal; after `within_s` kills it and all its descendants."""
        if self._process is None:
            return
        family = self._family()
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        self._kill(family)

    def kill(self, signum: signal.Signals = signal.SIGKILL) -> None:
        """Sends the signal to it and its descendants; waits for the end after SIGKILL."""
        if self._process is None:
            return
        if signum == signal.SIGKILL:
            self._kill(self._family())
        else:
            for process in self._family():
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signum)

    def _family(self) -> list[psutil.Process]:
        """Returns the process and its descendants: some leave the group (RQ's work horse does)."""
        if not self.alive or self._process is None:
            return []
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _kill(self, family: list[psutil.Process]) -> None:
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil compares the start time: never another process with the same number
        if self._process:
            self._process.wait(5)

    def tail(self, lines: int = 15) -> str:
        """Returns the last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 16_384))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])

    def wait_until(self, answers: Callable[[], bool], within_s: float) -> None:
        """Returns as soon as it answers. Raises CannotStart with the end of its log if it ends or is late."""
        deadline = time.monotonic() + within_s
        while not answers():
            if not self.alive:
                end = f"{self.name} ended (code {self.exit_code}) before it answered."
                raise CannotStart(f"{end} Its last words:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.name} does not answer after {within_s:.0f} s. Its last words:\n{self.tail()}"
                )
            time.sleep(POLL_S)


def open_log(path: Path) -> IO[bytes]:
    """Opens a log for appending, readable by its owner only."""
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def stop_together(children: Sequence[Child], within_s: float) -> None:
    """Sends all stop signals first, then waits for all within the same `within_s`."""
    deadline = time.monotonic() + within_s
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop(max(0.0, deadline - time.monotonic()))
