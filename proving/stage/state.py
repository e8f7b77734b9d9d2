"""Stores what STATE_DIR keeps between two starts: secrets, the result of seeding, and the lock of a copy."""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from proving.stage.server_files import CannotStart

SEEDED = "demo.json"


def _random_secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Secrets:
    """Every secret of one stage. Without them the data are unreadable, so they are stored beside it."""

    secret_key: str = field(default_factory=_random_secret)
    phone_key: str = field(default_factory=_random_secret)
    at_api_key: str = field(default_factory=_random_secret)
    database_password: str = field(default_factory=_random_secret)
    superuser_password: str = field(default_factory=_random_secret)
    redis_password: str = field(default_factory=_random_secret)


def write_private(path: Path, value: Any) -> None:
    """Writes JSON readable by us only; a reader sees the old or the new file, never a part."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(new, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read(path: Path) -> Any:
    """Returns the JSON of a file, or None when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def secrets_of(state_dir: Path) -> Secrets:
    """Returns the secrets of this folder; makes them at its first start."""
    path = state_dir / "secrets.json"
    values = read(path)
    if values is None:
        values = asdict(Secrets())
        write_private(path, values)
    return Secrets(**values)


def remember_seeded(state_dir: Path, web_url: str, sandbox_url: str, seeded: dict[str, Any]) -> None:
    """Stores the result of seeding, with the addresses it was made for."""
    write_private(state_dir / SEEDED, {"web_url": web_url, "sandbox_url": sandbox_url, **seeded})


def seeded_before(state_dir: Path, web_url: str, sandbox_url: str) -> dict[str, Any] | None:
    """Returns the stored result of seeding with today's addresses, or None."""
    path = state_dir / SEEDED
    if not path.exists():
        return None
    content = path.read_text(encoding="utf-8")
    seeded = json.loads(content)
    # Both at once, through names that are no address: the two ports may have been swapped.
    for name, url in (("<web>", seeded["web_url"]), ("<sandbox>", seeded["sandbox_url"])):
        content = re.sub(re.escape(url) + r"(?!\d)", name, content)
    return dict(json.loads(content.replace("<web>", web_url).replace("<sandbox>", sandbox_url)))


@contextmanager
def only_one(state_dir: Path, note: str) -> Iterator[None]:
    """Locks the folder. Raises CannotStart with the note of the copy that holds it."""
    with open(state_dir / "lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"A copy is already running in {state_dir} ({_note(lock)}).\n"
                "Stop it first (Ctrl-C there), or start a second one:"
                " make run STATE_DIR=var2 WEB_PORT=8010 SANDBOX_PORT=8011"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {note}")
        lock.flush()
        yield


def _note(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "no note"
