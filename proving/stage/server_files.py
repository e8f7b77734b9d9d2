"""Where the servers' files may lie, and who owns them.

PostgreSQL refuses to run as root. When we are root it runs as `nobody`, who must be able to reach its data
and programs; we open no folder of anybody else for that and create no user: what lies out of reach gets a
folder of its own outside, named in STATE_DIR/outside.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED = ("nobody", "postgres")


class CannotStart(Exception):
    """A person must do something first; the words say what."""


@dataclass(frozen=True)
class Owner:
    """The ordinary user a server runs as."""

    name: str
    uid: int
    gid: int


def owner_of_servers() -> Owner | None:
    """The user PostgreSQL runs as; None means: ourselves."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(name, entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        f"PostgreSQL does not run as root, and this machine has no user {' or '.join(UNPRIVILEGED)}."
    )


def succeeds(owner: Owner | None, *command: str | Path) -> bool:
    """Whether the command ends well when that user runs it."""
    try:
        if owner is None:
            done = subprocess.run(command, capture_output=True, cwd="/", check=False)
        else:
            done = subprocess.run(
                command,
                capture_output=True,
                cwd="/",
                check=False,
                user=owner.uid,
                group=owner.gid,
                extra_groups=[],
            )
    except OSError:
        return False
    return done.returncode == 0


def give(path: Path, owner: Owner | None) -> None:
    """Hand one file or folder to the servers' user."""
    if owner:
        os.chown(path, owner.uid, owner.gid)


def make_state_dir(state_dir: Path) -> Path:
    """The folder itself, closed to others; as root passable, because the servers' user must get through."""
    state_dir = state_dir.absolute()
    state_dir.mkdir(parents=True, exist_ok=True)
    state_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (state_dir / "logs").mkdir(mode=0o700, exist_ok=True)
    return state_dir


def room_for(state_dir: Path, owner: Owner | None) -> Path:
    """A folder that user can get through: STATE_DIR, or one outside that STATE_DIR/outside names."""
    if owner is None or succeeds(owner, "test", "-x", state_dir):
        return state_dir
    outside = outside_of(state_dir)
    if outside is None:
        shared = Path("/var/tmp")  # noqa: S108  # mkdtemp makes the folder in it safely
        outside = Path(tempfile.mkdtemp(prefix="mutuelle-", dir=shared if shared.is_dir() else None))
        outside.chmod(0o711)
        (state_dir / "outside").write_text(f"{outside}\n", encoding="utf-8")
    if not succeeds(owner, "test", "-x", outside):
        raise CannotStart(f"The user {owner.name} cannot reach {outside}; choose another STATE_DIR.")
    return outside


def outside_of(state_dir: Path) -> Path | None:
    """The folder STATE_DIR/outside names, if it is ours and still there."""
    note = state_dir / "outside"
    if not note.exists():
        return None
    outside = Path(note.read_text(encoding="utf-8").strip())
    if outside.is_symlink() or not outside.is_dir() or outside.stat().st_uid != os.geteuid():
        return None
    return outside


def forget(state_dir: Path) -> None:
    """Delete what we keep under STATE_DIR, and nothing else that lies there."""
    outside = outside_of(state_dir)
    if outside:
        shutil.rmtree(outside)
    for pattern in (
        "postgres-*",
        "postgresql-*",
        "*.part",
        "redis",
        "logs",
        "outside",
        "sandbox-journal*",
        "*.json",
        "*.json.new",
    ):
        for path in state_dir.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
