"""The mobile-money operators we collect through, and how to reach one of their accounts."""

from collections.abc import Mapping
from typing import Protocol, Self

import httpx

from config.settings import Settings
from gateway.momo.mtn import Mtn
from gateway.momo.wave import Wave
from mutuelle.payments.operators import TakesPayments


class OperatorAdapter(TakesPayments, Protocol):
    """An operator's class; `read_callback` needs no account, so that a web process asks the class itself."""

    @classmethod
    def connect(
        cls, settings: Settings, credentials: Mapping[str, str], http: httpx.Client | None = None
    ) -> Self:
        """The merchant account whose `credentials` these are. KeyError when a credential misses."""


OPERATORS: dict[str, type[OperatorAdapter]] = {"mtn": Mtn, "wave": Wave}


def connect(operator: str, settings: Settings, credentials: Mapping[str, str]) -> TakesPayments:
    """One merchant account at `operator`, over this process's pool. KeyError when operator or credential is
    unknown.

    Keep the value for a batch: an operator's access token lives in it.
    """
    return OPERATORS[operator].connect(settings, credentials)
