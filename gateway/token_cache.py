"""Whose a path token is; remembered for some seconds, because every first turn and every callback asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar, cast
from uuid import UUID

from mutuelle import clock, crypto, db
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount

REMEMBER_S = 20.0
ANEW_S = 1.0  # a flood of forged messages is not a flood of questions


@dataclass(frozen=True)
class CachedGateway:
    """A gateway account: its owner and the codes it answers, each with its mutuelle."""

    owner_id: UUID
    gateway_id: UUID
    provider: str
    codes: dict[str, UUID]


@dataclass(frozen=True)
class CachedWallet:
    """An operator account: whose it is, and what proves that a callback comes from the operator."""

    tenant_id: UUID
    account_id: UUID
    operator: str
    credentials: Mapping[str, str] = field(repr=False)


Found = TypeVar("Found", CachedGateway, CachedWallet)


class TokenCache:
    """Entrances and wallets by token. An unknown token is asked about every time; a withdrawn one lives on
    for REMEMBER_S."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, str], tuple[float, object]] = {}
        self._lock = Lock()

    def entrance(
        self, provider: str, token: str, deadline: db.Deadline | None = None
    ) -> CachedGateway | None:
        """The account of `provider` behind `token`. May raise SQLAlchemyError when it must ask and nobody
        answers."""
        found = self._remembered(CachedGateway, token, lambda: _entrance(token, deadline))
        return found if found and found.provider == provider else None

    def wallet(self, operator: str, token: str, *, anew: bool = False) -> CachedWallet | None:
        """The wallet at `operator` behind `token`, `anew` as it was at most a second ago. May raise like
        `entrance`."""
        found = self._remembered(
            CachedWallet, token, lambda: _wallet(token), older_s=ANEW_S if anew else REMEMBER_S
        )
        return found if found and found.operator == operator else None

    def _remembered(
        self, kind: type[Found], token: str, ask: Callable[[], Found | None], older_s: float = REMEMBER_S
    ) -> Found | None:
        with self._lock:
            known = self._known.get((kind, token))
        if known is None or clock.ticks() - known[0] > older_s:
            found = ask()
            if found is None:
                return None
            known = (clock.ticks(), found)
            with self._lock:
                self._known[kind, token] = known
        return cast(Found, known[1])


def _entrance(token: str, deadline: db.Deadline | None) -> CachedGateway | None:
    with db.transaction(db.Role.APP, deadline=deadline) as session:
        found = tenants.gateway_by_token(session, token)
        return CachedGateway(*found, codes=tenants.gateway_codes(session, found[1])) if found else None


def _wallet(token: str) -> CachedWallet | None:
    with db.transaction(db.Role.APP) as session:
        found = tenants.account_by_token(session, token)
    if found is None:
        return None
    with db.transaction(db.Role.APP, found[0]) as session:
        account = session.get_one(OperatorAccount, found[:2])
    return CachedWallet(*found, crypto.open_credentials(account.credentials))
