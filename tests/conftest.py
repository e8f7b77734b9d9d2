"""Fixtures of all tests: real PostgreSQL and Redis, a clean migrated database, a browser, no outside network.

* `database`: this test's own database, a copy of the migrated template; `.url` is the product's login.
* `redis_url`: a real Redis, emptied before the test.
* `browser`: Chromium by Playwright, for tests marked `browser`.

A test marked `every_postgres` runs on each PostgreSQL found, the others on the newest. `make test` runs
several processes, each with servers of its own (`shares.py`).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import playwright.sync_api
import pytest
import redis
from xdist.remote import Producer

from mutuelle.organisation import logins
from proving.stage import server_files
from proving.stage.programs import PostgresProgram, found_postgres
from proving.stage.servers import Redis
from tests.support import shares
from tests.support.guard import refuse_outside_sockets
from tests.support.templates import Database, TemplateServer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "there is no Chromium on this machine"


class Servers:
    """The servers of this run: one PostgreSQL per version, started at first use, all removed at the end."""

    def __init__(self) -> None:
        self.programs = sorted(found_postgres(), key=lambda program: program.major)
        if not self.programs:
            raise pytest.UsageError("No usable PostgreSQL found, not even the one pip brings.")
        self.used: dict[int, TemplateServer] = {}
        self.folders: list[Path] = []

    def folder(self) -> Path:
        """Creates a state folder under the system's temporary folder."""
        self.folders.append(server_files.make_state_dir(Path(tempfile.mkdtemp(prefix="mutuelle-test-"))))
        return self.folders[-1]

    def postgres(self, program: PostgresProgram) -> TemplateServer:
        """Returns the running server of that version."""
        if program.major not in self.used:
            server = TemplateServer(program, self.folder())
            server.start()
            self.used[program.major] = server
        return self.used[program.major]

    def close(self) -> None:
        """Stops everything and removes its files."""
        for server in self.used.values():
            server.stop()
        for folder in self.folders:
            server_files.forget(folder)
            shutil.rmtree(folder)


# A slow example is no failure: the machine may be busy, and the first one builds Unicode tables.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

SERVERS = pytest.StashKey[Servers]()
USED = pytest.StashKey[dict[int, str]]()  # by major version, in all processes of this run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help="a skipped test fails the run (make does so when CI=true)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = Servers()
    config.stash[USED] = {}


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()


def pytest_report_header(config: pytest.Config) -> str:
    versions = ", ".join(program.version for program in config.stash[SERVERS].programs)
    return f"PostgreSQL found: {versions}; browser: {CHROMIUM or 'none'}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Chooses the PostgreSQL versions of each test that uses one."""
    if "postgres" in metafunc.fixturenames:
        programs = metafunc.config.stash[SERVERS].programs
        if not metafunc.definition.get_closest_marker("every_postgres"):
            programs = programs[-1:]
        metafunc.parametrize(
            "postgres", programs, indirect=True, ids=[f"pg{p.major}" for p in programs], scope="session"
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> shares.Shares:
    return shares.Shares(config, log)


def pytest_testnodedown(node: Any) -> None:
    """Collects from a finished process which servers it used."""
    node.config.stash[USED].update(getattr(node, "workeroutput", {}).get("postgres", {}))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        shares.in_order(items)
    if CHROMIUM is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Records which servers were used; with --no-skips a skip is a failure."""
    used = {major: server.program.version for major, server in session.config.stash[SERVERS].used.items()}
    session.config.stash[USED].update(used)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["postgres"] = used
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        session.config.getoption("--no-skips")
        and reporter
        and reporter.stats.get("skipped")
        and session.exitstatus == 0
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints which servers the run used and which tests it skipped."""
    used = sorted(config.stash[USED].items())
    terminalreporter.write_line(f"PostgreSQL used: {', '.join(version for _, version in used) or 'none'}")
    skipped = terminalreporter.stats.get("skipped", [])
    no_browser = sum(NO_CHROMIUM in str(report.longrepr) for report in skipped)
    if no_browser:
        terminalreporter.write_line(f"{no_browser} browser tests were SKIPPED: {NO_CHROMIUM}.", yellow=True)
    if skipped and config.getoption("--no-skips"):
        terminalreporter.write_line(
            f"{len(skipped)} tests were skipped, and nothing may be skipped here: FAILED.", red=True
        )


@pytest.fixture(scope="session", autouse=True)
def _cheap_password_hashes() -> Iterator[None]:
    """Hashes new passwords at a low cost: the product's takes half a second, and most tests add logins."""
    with mock.patch.object(logins, "METHOD", "scrypt:512:8:1"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_outside_world() -> Iterator[None]:
    """The tests reach this machine and nothing else."""
    with refuse_outside_sockets():
        yield


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> TemplateServer:
    """A running PostgreSQL whose template database holds the migrated schema."""
    return request.config.stash[SERVERS].postgres(request.param)


@pytest.fixture
def database(postgres: TemplateServer) -> Iterator[Database]:
    """This test's own database, migrated and otherwise empty."""
    with postgres.copy() as copy:
        yield copy


@pytest.fixture(scope="module")
def module_database(postgres: TemplateServer) -> Iterator[Database]:
    """One database for all tests of a module; `.empty()` cleans it between examples."""
    with postgres.copy() as copy:
        yield copy


@pytest.fixture
def emptied_database(module_database: Database) -> Database:
    """The module's database, emptied: five times as fast as `database`, for tests that keep the schema."""
    module_database.empty()
    return module_database


@pytest.fixture
def blank_database(postgres: TemplateServer) -> Iterator[Database]:
    """A database of the product's login in which no migration has run."""
    with postgres.copy(migrated=False) as copy:
        yield copy


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """The Redis of this run; a test may stop and start it, but must leave it running."""
    server = Redis(request.config.stash[SERVERS].folder())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """Returns the address of an empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright.sync_api.Browser]:
    """One Chromium; ask `browser.new_page()` for a fresh profile, and close it."""
    with playwright.sync_api.sync_playwright() as driver:
        flags = (
            ["--no-sandbox", "--disable-dev-shm-usage"]
            if server_files.owner_of_servers()
            else ["--disable-dev-shm-usage"]
        )
        # Chromium does not start on another day (`make test ON=...`); no test reads its clock.
        env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=flags, env=env)
        yield chromium
        chromium.close()
