"""Tests that servers keep committed data and end with their parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from proving.stage import server_files
from proving.stage.children import Child
from proving.stage.programs import PLAIN_ENV, free_port, port_is_free
from proving.stage.servers import Postgres, Redis
from tests.support.templates import TemplateServer


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder below one that others cannot enter: as root, the data must go outside."""
    folder = server_files.make_state_dir(tmp_path / "home" / "var")
    yield folder
    server_files.forget(folder)


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


@pytest.mark.every_postgres
def test_what_was_committed_survives_a_stop_and_a_kill(postgres: TemplateServer, state_dir: Path):
    server = Postgres(postgres.program, state_dir, superuser_password="one", login_password="two")
    server.start()
    try:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('été')")
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        address = server.url()
        server.child.kill()
        server.start()
        assert server.url() == address
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)
        again = Postgres(postgres.program, state_dir, superuser_password="one", login_password="two")
        again.start()
        with psycopg.connect(again.url()) as connection:
            assert connection.execute("SELECT word FROM kept").fetchall() == [("été",)]
        again.stop()
    finally:
        server.child.kill()


def test_only_the_password_opens_the_database(postgres: TemplateServer):
    wrong = postgres.superuser_url().replace(":stage@", ":guess@")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)


def test_redis_writes_to_disk_when_persistence_is_on(state_dir: Path):
    server = Redis(state_dir, password="three", keep=True)
    for expected in (1, 2):
        server.start()
        try:
            with redis.Redis.from_url(server.url) as client:
                assert client.incr("starts") == expected
        finally:
            server.stop()


def test_only_the_password_opens_redis(redis_server: Redis):
    address = redis_server.url.split("@")[1]
    with (
        redis.Redis.from_url(f"redis://:guess@{address}") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


PARENT = """
import sys, time
from pathlib import Path
from proving.stage.programs import found_postgres
from proving.stage.servers import Postgres, Redis
folder = Path(sys.argv[1])
servers = [Postgres(found_postgres()[0], folder, superuser_password="a", login_password="b"), Redis(folder)]
for server in servers:
    server.start()
print(*[server.child.pid for server in servers], flush=True)
time.sleep(600)
"""


def test_the_servers_die_with_the_process_that_started_them(state_dir: Path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, state_dir], stdout=subprocess.PIPE, text=True)
    with parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(psutil.pid_exists, pids))
        parent.kill()
    assert within(10, lambda: not any(map(psutil.pid_exists, pids)))


STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
print(1, flush=True)
time.sleep(600)
"""


def test_a_child_that_will_not_stop_is_killed_with_all_it_started(tmp_path: Path):
    child = Child("stubborn", [sys.executable, "-c", STUBBORN], env=PLAIN_ENV, log=tmp_path / "log")
    child.start()
    child.wait_until(lambda: child.tail().count("1") == 2, 10)
    family = psutil.Process(child.pid).children(recursive=True)
    assert len(family) == 1
    child.stop(within_s=0.2)
    assert not child.alive
    assert child.exit_code == -signal.SIGKILL
    assert within(5, lambda: not family[0].is_running() or family[0].status() == psutil.STATUS_ZOMBIE)


def test_a_program_that_dies_at_once_is_reported_with_its_last_lines(tmp_path: Path):
    child = Child(
        "hasty", [sys.executable, "-c", "raise SystemExit('no licence')"], env=PLAIN_ENV, log=tmp_path / "log"
    )
    child.start()
    with pytest.raises(server_files.CannotStart, match=r"hasty ended \(code 1\)(.|\n)*no licence"):
        child.wait_until(lambda: False, 10)


def test_a_port_in_use_is_noticed():
    port = free_port()
    assert port_is_free(port)
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], stderr=subprocess.DEVNULL
    ) as web:
        assert within(10, lambda: not port_is_free(port))
        web.terminate()


def test_forgetting_leaves_alone_what_is_not_ours(state_dir: Path):
    (state_dir / "thesis.txt").write_text("mine")
    (state_dir / "secrets.json").write_text("{}")
    server_files.forget(state_dir)
    assert [path.name for path in state_dir.iterdir()] == ["thesis.txt"]


@pytest.mark.every_postgres
def test_postgres_never_runs_as_root(postgres: TemplateServer):
    assert psutil.Process(postgres.child.pid).uids().effective == (
        postgres.owner.uid if postgres.owner else os.geteuid()
    )
    assert psutil.Process(postgres.child.pid).uids().effective != 0
