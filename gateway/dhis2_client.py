"""Sends data value sets to a DHIS2 server and reads its answers.

Sources: answers of 2.42 and of older versions as public clients quote them, read 2026-11-22: the import
summary stands alone, or as `response` of a message; a 409 holds one too, with `conflicts`. A personal access
token is sent as `Authorization: ApiToken …`.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway import http_client
from mutuelle.errors import Declined, Malformed

PEER = "DHIS2"
COUNTS = ("imported", "updated", "ignored", "deleted")
MOST = 10  # conflicts that are shown


@dataclass(frozen=True)
class ImportSummary:
    """The result of an import: DHIS2's status word, counts by kind, and the reasons of refused values."""

    status: str
    counts: dict[str, int]
    conflicts: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every value was imported."""
        return self.status == "SUCCESS" and not self.counts["ignored"]


def address(base_url: str) -> str:
    """The URL for values at the DHIS2 `base_url`. Raises Malformed if a token would be sent in clear."""
    parts = urlsplit(base_url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise Malformed("must begin with https://")
    return f"{base_url.rstrip('/')}/api/dataValueSets"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send(http: httpx.Client, url: str, token: str, values: dict[str, Any], id_scheme: str) -> ImportSummary:
    """Sends one data value set. Raises Declined when it was refused.

    Raises Unavailable when the outcome is unknown; sending the set again then changes nothing.
    """
    headers = {"Authorization": f"ApiToken {token}", "Accept": "application/json"}
    answer = http_client.ask(http, PEER, "POST", url, headers, values, {"idScheme": id_scheme})
    if answer.status in (401, 403):
        raise Declined(f"HTTP {answer.status}: the token is wrong, or may not write there")
    payload = http_client.json_of(answer, PEER)
    return read(payload.get("response", payload), answer.status)


def read(summary: Any, status: int) -> ImportSummary:
    """The import summary of an answer. Raises Declined when the answer holds none."""
    counts = summary.get("importCount") if isinstance(summary, dict) else None
    if not isinstance(counts, dict) or not all(type(counts.get(name, 0)) is int for name in COUNTS):
        raise Declined(f"HTTP {status}: the answer holds no import counts")
    items = [item for item in summary.get("conflicts") or [] if isinstance(item, dict)]
    conflicts = tuple(str(item.get("value", item))[:200] for item in items[:MOST])
    status_word = str(summary.get("status", "?"))[:20]
    return ImportSummary(status_word, {name: counts.get(name, 0) for name in COUNTS}, conflicts)
