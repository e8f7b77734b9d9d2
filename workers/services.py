"""What a worker process holds: settings, doorbell, and connections to operators and SMS routes."""

import threading
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
from mutuelle.payments.operators import OperatorConnection
from workers.circuits import Circuit, GuardedOperator


@dataclass
class WorkerServices:
    """The connections of one process. Operator accounts are cached, because they hold access tokens."""

    settings: Settings
    redis: Redis
    doorbell: Doorbell
    forgot: datetime | None = None  # the hour for which everything old has been blanked
    stopping: threading.Event = field(default_factory=threading.Event)  # the process was asked to end
    _circuits: dict[str, Circuit] = field(default_factory=dict)
    _accounts: dict[tuple[UUID, bytes], OperatorConnection] = field(default_factory=dict)
    _sms: SendsSms | None = None

    def operator(self, account: OperatorAccount) -> OperatorConnection:
        """The connection to `account` at its operator, behind the operator's circuit.

        Changed credentials make a new connection.
        """
        key = (account.id, account.credentials)
        if key not in self._accounts:
            credentials = crypto.open_credentials(account.credentials)
            circuit = self._circuits.setdefault(account.operator, Circuit())
            connection = momo.connect(account.operator, self.settings, credentials)
            self._accounts[key] = GuardedOperator(connection, circuit)
        return self._accounts[key]

    def sms(self) -> SendsSms:
        """The route by which SMS are sent."""
        if self._sms is None:
            self._sms = SMS["africastalking"].connect(self.settings)
        return self._sms

    def callback_url(self, account: OperatorAccount, ref: UUID) -> str:
        """The URL for the operator's callbacks about `ref`: the account's secret path and our reference."""
        token = crypto.open_credentials(account.credentials)["callback_token"]
        return f"{self.settings.public_url.rstrip('/')}/momo/{account.operator}/{token}/callback/{ref}"


_current: WorkerServices | None = None


def install(services: WorkerServices) -> None:
    """Makes `services` the ones that the jobs of this process use."""
    global _current
    _current = services


def current() -> WorkerServices:
    """The services of this process. RuntimeError before `install`."""
    if _current is None:
        raise RuntimeError("no services were installed")
    return _current
