"""Tests `make run`: it restarts what ends, and stops within 10 s of Ctrl-C, at once on the second."""

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from proving.demo import welcome_page
from proving.stage import server_files, state

STARTER = """
import sys
from pathlib import Path
from proving.demo import run
from proving.stage.stage import Program, Stage
folder, worker = Path(sys.argv[1]), sys.argv[2]
pages = "{python} -m http.server --bind 127.0.0.1 --directory {state_dir}/logs "
programs = {
    "sandbox": Program(pages + "{sandbox_port}", "{sandbox_url}/"),
    "worker": Program("{python} " + worker),
}
def seeded(env, sandbox_url, web_url):
    return {"endpoints": {"web": web_url, "sandbox": sandbox_url}, "sandbox": {}}
run.run(Stage(folder, programs=programs, release="{python} --version"), seeded)
"""
IDLE = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Copy:
    """One running copy, seen from its terminal."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.endpoints, self.settings = folder / "var" / "endpoints.json", folder / "var" / "settings.json"
        (folder / "worker.py").write_text(worker)
        order = [sys.executable, "-u", "-c", STARTER, folder / "var", folder / "worker.py"]
        self.process = subprocess.Popen(
            order, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )
        self.family: list[psutil.Process] = []

    def read_until(self, words: str) -> str:
        """Returns the output up to a line with these words."""
        output = ""
        for line in self.process.stdout:
            output += line
            if words in line:
                self.family = psutil.Process(self.process.pid).children(recursive=True)
                return output
        raise AssertionError(f"{words!r} never came:\n{output}")

    def end(self) -> str:
        """Returns the last output; fails when a process is left."""
        output = self.process.communicate(timeout=20)[0]
        assert psutil.wait_procs(self.family, timeout=3)[1] == []
        return output


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    server_files.forget(tmp_path / "var")


def test_it_is_ready_restarts_what_falls_and_stops_when_asked(folder: Path):
    copy = Copy(folder, IDLE)
    output = copy.read_until("All addresses")
    assert output.index("La passerelle est prête") < output.index("The gateway is ready")
    assert stat.S_IMODE(copy.endpoints.stat().st_mode) == 0o600
    assert state.read(copy.endpoints)["sandbox"] in output
    assert stat.S_IMODE(copy.settings.stat().st_mode) == 0o600
    assert state.read(copy.settings)["PUBLIC_URL"] == state.read(copy.endpoints)["web"]
    worker = next(process for process in copy.family if "worker.py" in " ".join(process.cmdline()))
    worker.kill()
    copy.read_until("worker est tombé")
    began = time.monotonic()
    copy.process.send_signal(signal.SIGTERM)
    assert "Everything has stopped" in copy.end()
    assert time.monotonic() - began < 10
    assert copy.process.returncode == 0
    assert not copy.endpoints.exists()
    assert not copy.settings.exists()


def test_a_program_that_ignores_the_signal_delays_the_end_by_seconds_only(folder: Path):
    copy = Copy(folder, STUBBORN)
    copy.read_until("All addresses")
    began = time.monotonic()
    copy.process.send_signal(signal.SIGINT)
    copy.end()
    assert time.monotonic() - began < 10


def test_asked_twice_it_kills_at_once(folder: Path):
    copy = Copy(folder, STUBBORN)
    copy.read_until("All addresses")
    copy.process.send_signal(signal.SIGINT)
    copy.read_until("stopping")
    began = time.monotonic()
    copy.process.send_signal(signal.SIGINT)
    copy.end()
    assert time.monotonic() - began < 3
    assert not copy.endpoints.exists()


def test_it_can_be_stopped_while_it_starts(folder: Path):
    copy = Copy(folder, IDLE)
    copy.read_until("starting")
    copy.process.send_signal(signal.SIGTERM)
    assert "Everything has stopped" in copy.end()


def test_killed_itself_it_leaves_nothing_behind(folder: Path):
    copy = Copy(folder, IDLE)
    copy.read_until("All addresses")
    copy.process.kill()
    copy.process.stdout.close()
    copy.process.wait()
    assert psutil.wait_procs(copy.family, timeout=10)[1] == []


def test_the_page_names_what_is_there_and_leaves_out_what_is_not(tmp_path: Path):
    bare = welcome_page.of({"sandbox": "http://127.0.0.1:8001"}, tmp_path)
    assert "http://127.0.0.1:8001/" in bare
    assert "gestion" not in bare
    endpoints = {
        "sandbox": "http://127.0.0.1:8001",
        "console": {"url": "http://127.0.0.1:8000/console/", "login": "awa", "password": "pw"},
        "ussd": {"africastalking": {"service_codes": {"*384*55#": {}, "*384*56#": {}}}},
    }
    full = welcome_page.of(endpoints, tmp_path)
    assert "identifiant awa, mot de passe pw" in full
    assert "composez *384*55#, *384*56#" in full
