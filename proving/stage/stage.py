"""Runs everything on one machine: servers, web, workers, scheduler and the sandbox.

    with Stage(state_dir) as stage:        # servers up, schema migrated
        stage.seed(demo.seed)              # once per STATE_DIR
        stage.start("sandbox", "web")      # returns when they answer
        stage.kill("web", signal.SIGKILL)
        stage.restart("web")

`make run` (run.py), tests, chaos and bench use it.
"""

import http.client
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from proving.stage import server_files, state
from proving.stage.children import Child, stop_together
from proving.stage.programs import PostgresProgram, free_port, port_is_free
from proving.stage.server_files import CannotStart
from proving.stage.servers import Postgres, Redis, postgres_for

ROOT = Path(__file__).parents[2]
READY_S = 60.0
STOP_S = 4.0  # for all programs together; with the servers' own seconds it stays under 10
SERVERS = ("postgres", "redis")

Seed = Callable[[dict[str, str], str, str], dict[str, Any]]


@dataclass(frozen=True)
class Program:
    """A command, with {placeholders} of `Stage.words`, and the address that answers 200 when it is ready."""

    command: str
    ready: str = ""


PROGRAMS = {
    "sandbox": Program("{python} -m sandbox {state_dir}/sandbox.json", "{sandbox_url}/"),
    "web": Program(
        "{python} -m granian --interface wsgi gateway.wsgi:app --host 127.0.0.1 --port {web_port}"
        " --workers 2 --blocking-threads {web_threads} --respawn-failed-workers",
        "{web_url}/health/ready",
    ),
    "worker-money": Program("{mutuelle} work money"),
    "worker-messages": Program("{mutuelle} work messages"),
    "worker-daily": Program("{mutuelle} work daily"),
    "scheduler": Program("{mutuelle} schedule"),
}


class Stage:
    """One copy of everything. `settings` override variables of the product's environment."""

    def __init__(
        self,
        state_dir: Path,
        *,
        web_port: int | None = None,
        sandbox_port: int | None = None,
        settings: Mapping[str, str] | None = None,
        programs: Mapping[str, Program] = PROGRAMS,
        release: str = "{mutuelle} release",
        postgres: PostgresProgram | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.state_dir = state_dir.absolute()
        self.web_port, self.sandbox_port = web_port or free_port(), sandbox_port or free_port()
        self.web_url = f"http://127.0.0.1:{self.web_port}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self.programs, self.release, self.say = programs, release, say
        self.settings: dict[str, str] = {}  # the product's, by the names of config/settings.py
        self.env: dict[str, str] = {}
        self.seeded: dict[str, Any] = {}
        self._settings, self._chosen_postgres = dict(settings or {}), postgres
        self._children: dict[str, Child] = {}
        self._expected: set[str] = set()
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        try:
            server_files.make_state_dir(self.state_dir)
            self._closing.enter_context(state.only_one(self.state_dir, self.web_url))
            for port, variable in ((self.web_port, "WEB_PORT"), (self.sandbox_port, "SANDBOX_PORT")):
                if not port_is_free(port):
                    advice = f"choose another one: make run {variable}={port + 10}"
                    raise CannotStart(f"Port {port} is taken by another program; {advice}")
            self._start_servers()
            self._run_once("release", self.release)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_servers(self) -> None:
        keys = state.secrets_of(self.state_dir)
        program = self._chosen_postgres or postgres_for(self.state_dir)
        self.postgres = Postgres(
            program,
            self.state_dir,
            superuser_password=keys.superuser_password,
            login_password=keys.database_password,
        )
        self._closing.callback(self.postgres.stop)
        self.postgres.start()
        self.say(f"PostgreSQL {program.version}")
        self.redis = Redis(self.state_dir, password=keys.redis_password, keep=True)
        self._closing.callback(self.redis.stop)
        self.redis.start()
        self.say(f"Redis ({self.redis.program.name})")
        self._expected.update(SERVERS)
        self.settings = product_settings(self, keys) | self._settings
        self.env = neutral_env(self.state_dir) | self.settings

    def close(self) -> None:
        """Stops everything within 10 s, programs before servers."""
        self._expected.clear()
        stop_together(list(self._children.values()), within_s=STOP_S)
        self._closing.close()

    def kill_everything(self) -> None:
        """Kills everything at once."""
        self._expected.clear()
        for child in self._all_children().values():
            child.kill()

    @property
    def words(self) -> dict[str, object]:
        """The values of the placeholders of a command."""
        return {
            "python": sys.executable,
            "mutuelle": Path(sys.executable).with_name("mutuelle"),
            "state_dir": self.state_dir,
            "web_port": self.web_port,
            "sandbox_port": self.sandbox_port,
            "web_url": self.web_url,
            "sandbox_url": self.sandbox_url,
            "web_threads": self.env.get("WEB_THREADS", "4"),
        }

    def seed(self, seed: Seed) -> dict[str, Any]:
        """Calls `seed(env, sandbox_url, web_url)` at the first start; later returns its stored result.

        The result is {"endpoints": …, "sandbox": …}: the content of endpoints.json, and the sandbox's
        CONFIG.json (the stage sets its port, journal and clock).
        """
        seeded = state.seeded_before(self.state_dir, self.web_url, self.sandbox_url)
        if seeded is None:
            seeded = seed(dict(self.env), self.sandbox_url, self.web_url)
            state.remember_seeded(self.state_dir, self.web_url, self.sandbox_url, seeded)
        self.seeded = seeded
        config = dict(seeded["sandbox"]) | {
            "port": self.sandbox_port,
            "journal": str(self.state_dir / "sandbox-journal.jsonl"),
            "clock_shift_s": int(self.env.get("CLOCK_SHIFT", "0")),
        }
        state.write_private(self.state_dir / "sandbox.json", config)
        return seeded

    def give(self, name: str, settings: Mapping[str, str]) -> None:
        """Sets environment variables of one program, from its next start on."""
        self._child(name).env.update(settings)

    def start(self, *names: str) -> None:
        """Starts these programs (all when none is named) and returns when they answer."""
        names = names or tuple(self.programs)
        for name in names:
            if name in SERVERS:
                self._server(name).start()
            else:
                self._child(name).start()
            self._expected.add(name)
        for name in names:
            if name not in SERVERS:
                self.wait_ready(name)

    def wait_ready(self, name: str, within_s: float = READY_S) -> None:
        """Returns when the program answers. Raises CannotStart with the end of its log otherwise."""
        ready = self.programs[name].ready.format(**self.words)
        child = self._child(name)
        child.wait_until(lambda: child.alive and (not ready or answers_ok(ready)), within_s)

    def stop(self, name: str) -> None:
        """Stops one program or server in order."""
        self._expected.discard(name)
        if name in SERVERS:
            self._server(name).stop()
        else:
            self._child(name).stop()

    def kill(self, name: str, signum: signal.Signals = signal.SIGKILL) -> None:
        """Signals one program or server and its descendants. It counts as fallen until it is started."""
        self._all_children()[name].kill(signum)

    def restart(self, name: str) -> None:
        """Stops it if it runs, starts it, and returns when it answers."""
        self.stop(name)
        self.start(name)

    def alive(self, name: str) -> bool:
        """Returns whether it runs now."""
        child = self._all_children().get(name)
        return child is not None and child.alive

    def exit_code(self, name: str) -> int | None:
        """Returns its exit code, negative after a signal; None while it runs or before its first start."""
        child = self._all_children().get(name)
        return child.exit_code if child else None

    def fallen(self) -> list[str]:
        """Returns those that were started and ended by themselves, servers first."""
        return [
            name for name in (*SERVERS, *self.programs) if name in self._expected and not self.alive(name)
        ]

    def log_of(self, name: str) -> Path:
        """Returns its log file."""
        return self._all_children()[name].log

    def last_words(self, name: str) -> str:
        """Returns the end of its log."""
        return self._all_children()[name].tail()

    def _server(self, name: str) -> Postgres | Redis:
        return self.postgres if name == "postgres" else self.redis

    def _all_children(self) -> dict[str, Child]:
        servers = {name: self._server(name).child for name in SERVERS if hasattr(self, name)}
        return self._children | {name: child for name, child in servers.items() if child}

    def _child(self, name: str) -> Child:
        if name not in self._children:
            # The sandbox gets none of the product's secrets.
            env = neutral_env(self.state_dir) if name == "sandbox" else self.env
            self._children[name] = self._make(name, self.programs[name].command, env)
        return self._children[name]

    def _make(self, name: str, command: str, env: Mapping[str, str]) -> Child:
        order = [word.format(**self.words) for word in command.split()]
        return Child(name, order, env=env, cwd=ROOT, log=self.state_dir / "logs" / f"{name}.log")

    def _run_once(self, name: str, command: str) -> None:
        child = self._make(name, command, self.env)
        if child.run(within_s=120) != 0:
            raise CannotStart(f"{name} failed. Its last words:\n{child.tail()}")


def neutral_env(state_dir: Path) -> dict[str, str]:
    """Returns the environment of any program, without the variables of the calling shell."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(state_dir),
        "TMPDIR": tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }


def product_settings(stage: Stage, keys: state.Secrets) -> dict[str, str]:
    """Returns the variables of config/settings.py, with every provider at the sandbox."""
    return {
        "DATABASE_URL": stage.postgres.url(),
        "REDIS_URL": stage.redis.url,
        "PUBLIC_URL": stage.web_url,
        "SECRET_KEY": keys.secret_key,
        "PHONE_KEY": keys.phone_key,
        "AT_USERNAME": "sandbox",
        "AT_API_KEY": keys.at_api_key,
        "AT_BASE_URL": f"{stage.sandbox_url}/africastalking",
        "MTN_BASE_URL": f"{stage.sandbox_url}/mtn",
        "MTN_TARGET_ENVIRONMENT": "mtnrwanda",
        "WAVE_BASE_URL": f"{stage.sandbox_url}/wave",
        "STATE_DIR": str(stage.state_dir),
        "WEB_PORT": str(stage.web_port),
        "SANDBOX_PORT": str(stage.sandbox_port),
    }


def answers_ok(url: str) -> bool:
    """Returns whether a GET answers 200 now; it uses no proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
