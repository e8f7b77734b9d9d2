"""What STATE_DIR keeps between two starts: secrets made once, what the demo was seeded with, and who is
running in it now."""

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


def _made_up() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Secrets:
    """Every secret of one stage. Losing them makes the data unreadable, so they lie beside it."""

    secret_key: str = field(default_factory=_made_up)
    phone_key: str = field(default_factory=_made_up)
    at_api_key: str = field(default_factory=_made_up)
    database_password: str = field(default_factory=_made_up)
    superuser_password: str = field(default_factory=_made_up)
    redis_password: str = field(default_factory=_made_up)


def write_private(path: Path, value: Any) -> None:
    """Write JSON only we can read; a reader sees the old file or the new one, never a part."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(new, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read(path: Path) -> Any:
    """The JSON in that file, or None when there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def secrets_of(state_dir: Path) -> Secrets:
    """The secrets of this folder, made at its first start."""
    path = state_dir / "secrets.json"
    known = read(path)
    if known is None:
        known = asdict(Secrets())
        write_private(path, known)
    return Secrets(**known)


def remember_seeded(state_dir: Path, web_url: str, sandbox_url: str, seeded: dict[str, Any]) -> None:
    """Keep what seeding gave, with the addresses it was given."""
    write_private(state_dir / SEEDED, {"web_url": web_url, "sandbox_url": sandbox_url, **seeded})


def seeded_before(state_dir: Path, web_url: str, sandbox_url: str) -> dict[str, Any] | None:
    """What an earlier start seeded, with today's addresses in place of those of that day."""
    path = state_dir / SEEDED
    if not path.exists():
        return None
    words = path.read_text(encoding="utf-8")
    then = json.loads(words)
    # Both at once, through names that are no address: the two ports may have been swapped.
    for name, url in (("<web>", then["web_url"]), ("<sandbox>", then["sandbox_url"])):
        words = re.sub(re.escape(url) + r"(?!\d)", name, words)
    return dict(json.loads(words.replace("<web>", web_url).replace("<sandbox>", sandbox_url)))


@contextmanager
def only_one(state_dir: Path, note: str) -> Iterator[None]:
    """Hold the folder; CannotStart with the holder's note when somebody else does."""
    with open(state_dir / "lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"A copy is already running in {state_dir} ({_note(lock)}).\n"
                "Stop it first (Ctrl-C there), or start a second one: make run STATE_DIR=var2 WEB_PORT=8010 SANDBOX_PORT=8011"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {note}")
        lock.flush()
        yield


def _note(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "no note"
