"""One HTTP exchange with an operator or aggregator: bounded in time and size, no redirect followed, no retry.

Every failure is an `Unavailable`; when the stranger surely heard nothing it is a `NotSent`. Retries are the
caller's: its row in the database holds the attempts and the next time. No exception text holds a body, a
header or an address, because those hold phones, names and keys. Shared by the adapters of `gateway.momo` and
`gateway.sms`.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    """No connection came about: the stranger surely heard nothing, so that asking again repeats nothing."""


@dataclass(frozen=True)
class HttpAnswer:
    """What came back: the HTTP status and the body, not yet understood."""

    status: int
    body: bytes


def client() -> httpx.Client:
    """A pool of connections with our time-outs. The environment's proxies are ignored: settings say where we
    speak to."""
    timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
    return httpx.Client(
        timeout=timeout, follow_redirects=False, trust_env=False, headers={"Accept-Encoding": "identity"}
    )


def shared_client() -> httpx.Client:
    """The pool of this process; a forked child gets its own, since two processes must not share a socket."""
    return _client_of(os.getpid())


@cache
def _client_of(pid: int) -> httpx.Client:
    return client()


def ask(
    http: httpx.Client,
    who: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    said: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, Any] | None = None,
) -> HttpAnswer:
    """Send `said` as JSON, or `form`, and return the answer, whatever its status. Unavailable when there is
    none to hold."""
    until = clock.now() + timedelta(seconds=WHOLE_S)
    body = bytearray()
    try:
        with http.stream(method, url, headers=dict(headers), json=said, data=form, params=params) as response:
            for piece in response.iter_raw():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise Unavailable(f"{who}: the answer is too large")
                if clock.now() > until:
                    raise Unavailable(f"{who}: the answer takes too long")
            return HttpAnswer(response.status_code, bytes(body))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        raise NotSent(f"{who}: {type(error).__name__}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{who}: {type(error).__name__}") from None


def read(body: bytes, who: str) -> dict[str, Any]:
    """The JSON object in `body`. Malformed when it is anything else."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed(f"{who}: not JSON") from None
    if not isinstance(said, dict):
        raise Malformed(f"{who}: not a JSON object")
    return said


def answered(answer: HttpAnswer, who: str) -> dict[str, Any]:
    """The JSON object of an answer that should hold one; Unavailable when it does not, since what happened is
    unknown."""
    try:
        return read(answer.body, who)
    except Malformed as error:
        raise Unavailable(f"{error} (HTTP {answer.status})") from None


def code_of(answer: HttpAnswer) -> str | None:
    """The `code` of an error body, None when it holds none."""
    try:
        return word(read(answer.body, "").get("code"))
    except Malformed:
        return None


def word(value: object) -> str | None:
    """A code as operators write them, None when it is anything else: only such words may reach a log."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def name(value: object, what: str) -> str:
    """An identifier made by an operator. Malformed when missing or not printable ASCII of at most 80
    letters."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Malformed(f"{what} is missing or is no identifier")
    return value


def moment(value: object) -> datetime:
    """An ISO 8601 moment with a zone. Malformed when it is not one."""
    try:
        return clock.parse(value)
    except OverflowError:
        raise Malformed("a moment outside the calendar") from None
