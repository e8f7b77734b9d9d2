"""Who answers behind a path token and a dialled code; remembered for some seconds, because every first turn asks."""

from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from mutuelle import clock, db, tenants

REMEMBER_S = 20.0


@dataclass(frozen=True)
class Entrance:
    """A gateway account: its owner and the codes it answers, each with its mutuelle."""

    owner_id: UUID
    gateway_id: UUID
    provider: str
    codes: dict[str, UUID]


class Directory:
    """Entrances by token. A token that is unknown is asked about every time; a withdrawn one lives on for REMEMBER_S."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Entrance]] = {}
        self._lock = Lock()

    def entrance(self, provider: str, token: str, deadline: db.Deadline | None = None) -> Entrance | None:
        """The account of `provider` behind `token`. May raise SQLAlchemyError when it must ask and nobody answers."""
        with self._lock:
            known = self._known.get(token)
        if known is None or known[0] < clock.ticks():
            found = _ask(token, deadline)
            if found is None:
                return None
            known = (clock.ticks() + REMEMBER_S, found)
            with self._lock:
                self._known[token] = known
        return known[1] if known[1].provider == provider else None


def _ask(token: str, deadline: db.Deadline | None) -> Entrance | None:
    with db.transaction(db.Role.APP, deadline=deadline) as session:
        found = tenants.gateway_by_token(session, token)
        return Entrance(*found, codes=tenants.codes_of(session, found[1])) if found else None
