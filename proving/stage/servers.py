"""Starts and stops a real PostgreSQL and Redis on loopback.

Only the stage uses the superuser `stage`; the product logs in as `mutuelle`, which is no superuser and
bypasses no row policy.
"""

import secrets
import shutil
import signal
import time
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from proving.stage import server_files
from proving.stage.children import POLL_S, Child
from proving.stage.programs import PLAIN_ENV, PostgresProgram, found_postgres, found_redis, free_port, may_run
from proving.stage.server_files import CannotStart

START_S = 60.0  # recovery after a crash takes its time
RETRY_S = 10.0  # how long the previous server may take to stop
LOGIN = "mutuelle"


class Postgres:
    """One PostgreSQL of our own, with its data in STATE_DIR (or outside, see server_files.py)."""

    def __init__(
        self,
        program: PostgresProgram,
        state_dir: Path,
        *,
        superuser_password: str,
        login_password: str,
        durable: bool = True,
    ) -> None:
        self.program, self.state_dir, self.durable = program, state_dir, durable
        self._superuser_password, self._login_password = superuser_password, login_password
        self.owner = server_files.owner_of_servers()
        self.room = server_files.room_for(state_dir, self.owner)
        self.folder = self._folder_it_may_run()
        self.port = 0
        self.child: Child | None = None

    @property
    def data(self) -> Path:
        return self.room / f"postgres-{self.program.major}"

    def url(self, database: str = LOGIN) -> str:
        """Returns the database's URL for the product's login."""
        return f"postgresql://{LOGIN}:{self._login_password}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = "postgres") -> str:
        """Returns the database's URL for the stage's superuser; the product never gets it."""
        return f"postgresql://stage:{self._superuser_password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Makes the data folder if there is none, starts, waits until it answers, and makes the login."""
        if not self.data.exists():
            self._initdb()
        fixed, deadline = self.port, time.monotonic() + RETRY_S
        while True:
            self.port = fixed or free_port()
            try:
                self._start_once()
                break
            except CannotStart:
                # Another program took the port meanwhile, or the previous server is still stopping.
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S * 10)
        self._make_login()

    def stop(self, within_s: float = 2.5) -> None:
        """Shuts down fast: cuts connections, keeps committed data."""
        if self.child:
            self.child.stop(within_s)

    def execute(self, *statements: sql.Composed | sql.SQL, database: str = "postgres") -> None:
        """Runs statements as the superuser, each in its own transaction."""
        with psycopg.connect(self.superuser_url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def create_database(self, name: str, template: str = "template0") -> None:
        """Makes a database of the product's login, empty or a copy of an unused `template`."""
        order = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
        self.execute(order.format(sql.Identifier(name), sql.Identifier(LOGIN), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drops a database, and cuts its connections."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _folder_it_may_run(self) -> Path:
        if may_run(self.owner, self.program.folder):
            return self.program.folder
        installed = self.program.folder.parent
        package = installed.parent
        copy = self.room / f"postgresql-{self.program.version}"
        folder = copy / package.name / installed.name / self.program.folder.name
        if not copy.exists():
            unfinished = copy.with_name("postgresql.part")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(installed, unfinished / package.name / installed.name, symlinks=True)
            # The programs look for their libraries three folders up.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, unfinished / libraries.name)
            unfinished.rename(copy)
        if not may_run(self.owner, folder):
            folders = f"from {self.program.folder} nor from {folder}"
            raise CannotStart(f"PostgreSQL {self.program.version} cannot be run {folders}.")
        return folder

    def _initdb(self) -> None:
        unfinished = self.data.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        password = self.room / "postgres-password.part"
        password.touch(mode=0o600)
        server_files.give(password, self.owner)
        password.write_text(self._superuser_password, encoding="ascii")
        try:
            for locale in ("C.UTF-8", "C"):  # not every machine has the first
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir(mode=0o700)
                server_files.give(unfinished, self.owner)
                order: list[str | Path] = [
                    self.folder / "initdb",
                    "-D",
                    unfinished,
                    "-U",
                    "stage",
                    "-E",
                    "UTF8",
                    f"--locale={locale}",
                ]
                order += ["-A", "scram-sha-256", f"--pwfile={password}"] + ([] if self.durable else ["-N"])
                child = Child("initdb", order, env=PLAIN_ENV, log=self._log("initdb"), owner=self.owner)
                if child.run(within_s=120) == 0:
                    unfinished.rename(self.data)
                    return
        finally:
            password.unlink()
        raise CannotStart(
            f"initdb of PostgreSQL {self.program.version} failed. Its last words:\n{child.tail()}"
        )

    def _start_once(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on" if self.durable else "off",
        }
        order: list[str | Path] = [self.folder / "postgres", "-D", self.data, "-p", str(self.port)]
        for name, value in settings.items():
            order += ["-c", f"{name}={value}"]
        log = self._log(f"postgres-{self.program.major}")
        child = Child("postgres", order, env=PLAIN_ENV, log=log, owner=self.owner, stop_signal=signal.SIGINT)
        child.start()
        try:
            child.wait_until(self.answers, START_S)
        except BaseException:
            child.kill()
            raise
        self.child = child

    def _log(self, name: str) -> Path:
        return self.state_dir / "logs" / f"{name}.log"

    def answers(self) -> bool:
        """Returns whether it accepts a connection now."""
        try:
            psycopg.connect(self.superuser_url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_login(self) -> None:
        name, password = sql.Identifier(LOGIN), sql.Literal(self._login_password)
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS").format(name)
                )
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, password))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [LOGIN]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(name, name)
                )


class Redis:
    """One Redis (or Valkey) of our own on loopback, without eviction."""

    def __init__(
        self, state_dir: Path, *, password: str | None = None, port: int = 0, keep: bool = False
    ) -> None:
        self.program, self.state_dir, self.keep = found_redis(), state_dir, keep
        self.port = port or free_port()
        self._password = password or secrets.token_urlsafe(24)
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it and waits until it answers PING."""
        folder = self.state_dir / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        config = folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f'bind 127.0.0.1\nport {self.port}\ndir "{folder}"\nrequirepass {self._password}\n'
            f'maxmemory-policy noeviction\nsave ""\nappendonly {"yes" if self.keep else "no"}\n',
            encoding="utf-8",
        )
        self.child = Child(
            "redis",
            [self.program, config],
            env=PLAIN_ENV,
            log=self.state_dir / "logs" / "redis.log",
            cwd=folder,
        )
        self.child.start()
        try:
            self.child.wait_until(self.answers, START_S)
        except BaseException:
            self.child.kill()
            raise

    def stop(self, within_s: float = 2.5) -> None:
        """Stops it; with `keep` its data are on disk."""
        if self.child:
            self.child.stop(within_s)

    def answers(self) -> bool:
        """Returns whether it answers PING now; it does not while it loads its data."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def postgres_for(state_dir: Path) -> PostgresProgram:
    """Returns the PostgreSQL that made the data there; for a new folder the preferred one."""
    programs = {program.major: program for program in found_postgres()}
    room = server_files.outside_of(state_dir) or state_dir
    majors = [int(path.name.removeprefix("postgres-")) for path in room.glob("postgres-[0-9][0-9]")]
    for major in majors:
        if major in programs:
            return programs[major]
    if majors:
        raise CannotStart(
            f"The data in {room} are PostgreSQL {majors[0]}'s, which is gone."
            " Install it again, or: make fresh"
        )
    if not programs:
        raise CannotStart(
            "No PostgreSQL 15 or newer was found, and pip brought none for this machine; please install it."
        )
    return next(iter(programs.values()))
