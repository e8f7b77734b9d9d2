"""Caches which account a path token belongs to, for some seconds: every first turn and callback needs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar, cast
from uuid import UUID

from mutuelle import clock, crypto, db
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount

CACHE_S = 20.0
FRESH_S = 1.0  # not 0, so that a flood of forged messages is not a flood of queries


@dataclass(frozen=True)
class CachedGateway:
    """A gateway account: its owner, and its service codes with the mutuelle of each."""

    owner_id: UUID
    gateway_id: UUID
    provider: str
    codes: dict[str, UUID]


@dataclass(frozen=True)
class CachedWallet:
    """An operator account: its mutuelle, and the secrets that prove a callback's origin."""

    tenant_id: UUID
    account_id: UUID
    operator: str
    credentials: Mapping[str, str] = field(repr=False)


Account = TypeVar("Account", CachedGateway, CachedWallet)


class TokenCache:
    """Gateway accounts and wallets by token. Unknown ones are not cached; withdrawn ones last CACHE_S."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[type, str], tuple[float, object]] = {}
        self._lock = Lock()

    def gateway(self, provider: str, token: str, deadline: db.Deadline | None = None) -> CachedGateway | None:
        """The account of `provider` behind `token`. Raises SQLAlchemyError when the database is away."""
        gateway = self._account_of(CachedGateway, token, lambda: _load_gateway(token, deadline))
        return gateway if gateway and gateway.provider == provider else None

    def wallet(self, operator: str, token: str, *, fresh: bool = False) -> CachedWallet | None:
        """The wallet at `operator` behind `token`, read at most a second ago if `fresh`."""
        most_s = FRESH_S if fresh else CACHE_S
        wallet = self._account_of(CachedWallet, token, lambda: _load_wallet(token), most_s)
        return wallet if wallet and wallet.operator == operator else None

    def _account_of(
        self, kind: type[Account], token: str, load: Callable[[], Account | None], most_s: float = CACHE_S
    ) -> Account | None:
        """The cached account if it is at most `most_s` seconds old, else the one that `load` returns."""
        with self._lock:
            entry = self._accounts.get((kind, token))
        if entry is None or clock.ticks() - entry[0] > most_s:
            account = load()
            if account is None:
                return None
            entry = (clock.ticks(), account)
            with self._lock:
                self._accounts[kind, token] = entry
        return cast(Account, entry[1])


def _load_gateway(token: str, deadline: db.Deadline | None) -> CachedGateway | None:
    with db.transaction(db.Role.APP, deadline=deadline) as session:
        row = tenants.gateway_by_token(session, token)
        return CachedGateway(*row, codes=tenants.gateway_codes(session, row[1])) if row else None


def _load_wallet(token: str) -> CachedWallet | None:
    with db.transaction(db.Role.APP) as session:
        row = tenants.account_by_token(session, token)
    if row is None:
        return None
    with db.transaction(db.Role.APP, row[0]) as session:
        account = session.get_one(OperatorAccount, row[:2])
    return CachedWallet(*row, crypto.open_credentials(account.credentials))
