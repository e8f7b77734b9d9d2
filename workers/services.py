"""What a worker process holds: its settings, its doorbell, and the accounts it speaks with."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from redis import Redis

from config.settings import Settings
from gateway import momo
from gateway.doorbell import Doorbell
from gateway.sms import SMS
from gateway.sms.message import SendsSms
from mutuelle import crypto
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments.operators import TakesPayments


@dataclass
class WorkerServices:
    """One process's connections. Operator accounts are kept, because their access tokens live in them."""

    settings: Settings
    redis: Redis
    doorbell: Doorbell
    forgot: datetime | None = None  # the hour for which all that was old is blanked
    _accounts: dict[tuple[UUID, bytes], TakesPayments] = field(default_factory=dict)
    _sms: SendsSms | None = None

    def operator(self, account: OperatorAccount) -> TakesPayments:
        """The account at its operator; a changed credential makes a new one."""
        key = (account.id, account.credentials)
        if key not in self._accounts:
            credentials = crypto.open_credentials(account.credentials)
            self._accounts[key] = momo.connect(account.operator, self.settings, credentials)
        return self._accounts[key]

    def sms(self) -> SendsSms:
        """The route SMS leave by."""
        if self._sms is None:
            self._sms = SMS["africastalking"].connect(self.settings)
        return self._sms

    def callback_url(self, account: OperatorAccount, ref: UUID) -> str:
        """Where the operator tells us about `ref`: the account's secret path, our reference in it."""
        token = crypto.open_credentials(account.credentials)["callback_token"]
        return f"{self.settings.public_url.rstrip('/')}/momo/{account.operator}/{token}/callback/{ref}"


_hub: WorkerServices | None = None


def install(hub: WorkerServices) -> None:
    """Use `hub` for the jobs of this process."""
    global _hub
    _hub = hub


def current() -> WorkerServices:
    if _hub is None:
        raise RuntimeError("no hub was installed")
    return _hub
