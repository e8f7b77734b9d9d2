"""The mobile-money operators, one adapter class each, and how to connect to an account."""

from collections.abc import Mapping
from typing import Protocol, Self

import httpx

from config.settings import Settings
from gateway.momo.mtn import Mtn
from gateway.momo.wave import Wave
from mutuelle.payments.operators import TakesPayments


class OperatorAdapter(TakesPayments, Protocol):
    """The class of an operator. `read_callback` needs no account, so that a web process calls the class."""

    @classmethod
    def connect(
        cls, settings: Settings, credentials: Mapping[str, str], http: httpx.Client | None = None
    ) -> Self:
        """The merchant account with these `credentials`. Raises KeyError when one is missing."""


OPERATORS: dict[str, type[OperatorAdapter]] = {"mtn": Mtn, "wave": Wave}


def connect(operator: str, settings: Settings, credentials: Mapping[str, str]) -> TakesPayments:
    """One merchant account at `operator`, over this process's connection pool.

    Keep the value, because it holds the operator's access token. Raises KeyError when the operator is unknown
    or a credential is missing.
    """
    return OPERATORS[operator].connect(settings, credentials)
