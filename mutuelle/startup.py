"""Prepares a process from its settings: logs, clock, keys, rule books and the database."""

from config import logs
from config.settings import Settings
from mutuelle import clock, crypto, db
from mutuelle.schemes import schemes


def boot(
    settings: Settings, *, pool: int = 5, wait_s: float = db.POOL_WAIT_S, idle_s: int = db.IDLE_S
) -> None:
    """Prepares this process; `pool`, `wait_s` and `idle_s` go to `db.connect`. Call it once, at start."""
    logs.set_up(settings.log_level)
    clock.install(clock.Source(shift_s=settings.clock_shift))
    crypto.use(settings.phone_key, settings.secret_key)
    schemes.allow_drafts(settings.pretend_world)
    db.connect(settings.database_url, pool=pool, wait_s=wait_s, idle_s=idle_s)
