"""Chooses the folders and the owner of the servers' files.

PostgreSQL refuses to run as root. When we are root it runs as `nobody`, who must be able to reach its data
and programs. We change the rights of no other folder for that and create no user: data that `nobody` cannot
reach get a folder outside, named in STATE_DIR/outside.
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
    """A person must do something first; the message says what."""


@dataclass(frozen=True)
class Owner:
    """The ordinary user that a server runs as."""

    name: str
    uid: int
    gid: int


def owner_of_servers() -> Owner | None:
    """Returns the user that PostgreSQL runs as; None means the current one."""
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
    """Returns whether the command exits with 0 when that user runs it."""
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
    """Makes the servers' user the owner of one file or folder."""
    if owner:
        os.chown(path, owner.uid, owner.gid)


def make_state_dir(state_dir: Path) -> Path:
    """Makes the folder, closed to others; as root others may pass, because the servers' user must."""
    state_dir = state_dir.absolute()
    state_dir.mkdir(parents=True, exist_ok=True)
    state_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (state_dir / "logs").mkdir(mode=0o700, exist_ok=True)
    return state_dir


def room_for(state_dir: Path, owner: Owner | None) -> Path:
    """Returns a folder that the user can reach: STATE_DIR, or the one that STATE_DIR/outside names."""
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
    """Returns the folder that STATE_DIR/outside names, if it is ours and still exists."""
    note = state_dir / "outside"
    if not note.exists():
        return None
    outside = Path(note.read_text(encoding="utf-8").strip())
    if outside.is_symlink() or not outside.is_dir() or outside.stat().st_uid != os.geteuid():
        return None
    return outside


def forget(state_dir: Path) -> None:
    """Deletes what we keep under STATE_DIR, and nothing else."""
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
