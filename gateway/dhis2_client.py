"""A DHIS2 that takes our data value sets, and what it answers. It translates only.

Sources: the answers of 2.42 and of older versions as public clients of it quote them, read 2026-11-22: the
import summary stands alone, or as `response` of a message; 409 brings one too, with `conflicts`. A personal
access token goes as `Authorization: ApiToken …`.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway import http_client
from mutuelle.errors import Declined, Malformed

WHO = "DHIS2"
COUNTS = ("imported", "updated", "ignored", "deleted")
MOST = 10  # conflicts that are told


@dataclass(frozen=True)
class ImportSummary:
    """What became of the values: DHIS2's own word, how many of each kind, and why some were not taken."""

    status: str
    counts: dict[str, int]
    conflicts: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every value was taken."""
        return self.status == "SUCCESS" and not self.counts["ignored"]


def address(told: str) -> str:
    """Where values are sent in the DHIS2 at `told`. Malformed: a token would travel in the open."""
    where = urlsplit(told)
    if where.scheme != "https" and not (where.scheme == "http" and _is_loopback(where.hostname or "")):
        raise Malformed("must begin with https://")
    return f"{told.rstrip('/')}/api/dataValueSets"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send(http: httpx.Client, url: str, token: str, values: dict[str, Any], id_scheme: str) -> ImportSummary:
    """Send one set. Unavailable: nobody knows whether it came; sending it again changes nothing. Declined: it
    was refused."""
    headers = {"Authorization": f"ApiToken {token}", "Accept": "application/json"}
    answer = http_client.ask(http, WHO, "POST", url, headers, values, {"idScheme": id_scheme})
    if answer.status in (401, 403):
        raise Declined(f"HTTP {answer.status}: the token is wrong, or may not write there")
    said = http_client.answered(answer, WHO)
    return read(said.get("response", said), answer.status)


def read(said: Any, status: int) -> ImportSummary:
    """The import summary. Declined when the answer holds none."""
    counts = said.get("importCount") if isinstance(said, dict) else None
    if not isinstance(counts, dict) or not all(type(counts.get(name, 0)) is int for name in COUNTS):
        raise Declined(f"HTTP {status}: the answer holds no import counts")
    listed = said.get("conflicts") or []
    conflicts = [str(one.get("value", one))[:200] for one in listed if isinstance(one, dict)][:MOST]
    return ImportSummary(
        str(said.get("status", "?"))[:20], {name: counts.get(name, 0) for name in COUNTS}, tuple(conflicts)
    )
