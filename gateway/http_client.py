"""Makes one HTTP exchange with an operator or aggregator: limited in time and size, no redirect, no retry.

Every failure raises `Unavailable`, or `NotSent` when the request certainly did not arrive. Retries are left
to the caller, whose row in the database holds the attempts and the next time. No exception text holds a body,
a header or an address, because those contain phones, names and keys. Shared by the adapters of `gateway.momo`
and `gateway.sms`.
"""

import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, DecimalException
from functools import cache
from typing import Any

import httpx

from mutuelle import clock
from mutuelle.errors import Malformed, Unavailable

CONNECT_S, READ_S, WHOLE_S = 3.0, 9.0, 20.0
LARGEST_ANSWER = 4 * 2**20  # bytes: a page of Wave's list holds 1,000 lines of about 500

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


class NotSent(Unavailable):
    """There was no connection, so that the request did not arrive and may be sent again."""


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP response: its status and its raw body."""

    status: int
    body: bytes


def client() -> httpx.Client:
    """A connection pool with our time-outs. It ignores the proxies that the environment names."""
    return httpx.Client(
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
        follow_redirects=False,
        trust_env=False,
        verify=_authorities(),
        headers={"Accept-Encoding": "identity"},
    )


@cache
def _authorities() -> ssl.SSLContext:
    """The certificate authorities of every pool: reading them takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)


def shared_client() -> httpx.Client:
    """The pool of this process. A forked child gets its own, because processes must not share a socket."""
    return _client_of(os.getpid())


@cache
def _client_of(pid: int) -> httpx.Client:
    return client()


def ask(
    http: httpx.Client,
    peer: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    payload: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, Any] | None = None,
) -> HttpAnswer:
    """Sends `payload` as JSON, or `form`. Returns the answer of `peer`, whatever its status.

    Raises Unavailable when no complete answer comes.
    """
    until = clock.now() + timedelta(seconds=WHOLE_S)
    body = bytearray()
    try:
        with http.stream(
            method, url, headers=dict(headers), json=payload, data=form, params=params
        ) as response:
            for piece in response.iter_raw():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise Unavailable(f"{peer}: the answer is too large")
                if clock.now() > until:
                    raise Unavailable(f"{peer}: the answer takes too long")
            return HttpAnswer(response.status_code, bytes(body))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        raise NotSent(f"{peer}: {type(error).__name__}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{peer}: {type(error).__name__}") from None


def read(body: bytes, sender: str) -> dict[str, Any]:
    """The JSON object in `body`; its numbers are exact. Raises Malformed when it is anything else."""
    try:
        payload = json.loads(body, parse_float=Decimal)  # an amount such as 3000.0 must not become a float
    except (ValueError, RecursionError, DecimalException):
        raise Malformed(f"{sender}: not JSON") from None
    if not isinstance(payload, dict):
        raise Malformed(f"{sender}: not a JSON object")
    return payload


def json_of(answer: HttpAnswer, sender: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises Unavailable when it holds none: the outcome is then unknown."""
    try:
        return read(answer.body, sender)
    except Malformed as error:
        raise Unavailable(f"{error} (HTTP {answer.status})") from None


def code_of(answer: HttpAnswer) -> str | None:
    """The `code` of an error body. None when it holds none."""
    try:
        return word(read(answer.body, "").get("code"))
    except Malformed:
        return None


def word(value: object) -> str | None:
    """Returns `value` if it looks like an operator's code, else None: no other text may reach a log."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def name(value: object, what: str) -> str:
    """`value`, an operator's identifier. Raises Malformed unless it is 1 to 80 letters, digits or `_.:-`."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Malformed(f"{what} is missing or is no identifier")
    return value


def moment(value: object) -> datetime:
    """An ISO 8601 moment with a zone. Raises Malformed when it is not one."""
    try:
        return clock.parse(value)
    except OverflowError:
        raise Malformed("a moment outside the calendar") from None
