"""Evidence: what may prove a category, how the number on it is kept, and the last day it holds. No session,
no clock."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from mutuelle import crypto
from mutuelle.errors import Refused
from mutuelle.schemes.money_rules import Category
from mutuelle.schemes.versions import last_day

KINDS = ("registry-number", "document", "agent-visit", "list")
MANUAL_KINDS = KINDS[
    :3
]  # what somebody may say they have seen; only a line of a list that we have proves as "list"
NUMBERED_KINDS = (
    "registry-number",
    "document",
    "list",
)  # evidence of these kinds has a number by which it is found again
NUMBER_MAX = 40


@dataclass(frozen=True)
class Evidence:
    """What proves a category: one of `KINDS`, and the number that stands on it."""

    kind: str
    number: str | None = None


@dataclass(frozen=True)
class Proof:
    """Evidence that somebody has looked at, the day it was made out on and its last day, where it says
    them."""

    evidence: Evidence
    since: date | None = None
    until: date | None = None


def manual_evidence(kind: str, number: str | None = None) -> Evidence:
    """What somebody says they have seen. Refused("evidence.kind") when it is none of `TYPED`."""
    if kind not in MANUAL_KINDS:
        raise Refused("evidence.kind")
    return Evidence(kind, number)


def number_of(text: str) -> str:
    """A number as it stands on a document: capital letters and digits, so that spaces and dashes do not
    matter.

    Refused("evidence.number") when nothing is left, or too much.
    """
    number = "".join(letter for letter in text.upper() if letter.isalnum())
    if not 3 <= len(number) <= NUMBER_MAX or not number.isascii():
        raise Refused("evidence.number")
    return number


def columns(evidence: Evidence) -> dict[str, Any]:
    """The columns that hold the evidence; its number is stored as a phone is. Refused: "evidence.kind",
    "evidence.number"."""
    if evidence.kind not in KINDS:
        raise Refused("evidence.kind")
    if evidence.kind not in NUMBERED_KINDS:
        return {"evidence": evidence.kind}
    number = number_of(evidence.number or "")
    kept = {"reference_index": crypto.number_index(number), "reference_cipher": crypto.seal_number(number)}
    return {"evidence": evidence.kind, **kept}


def holds_until(rule: Category, since: date, until: date | None, today: date) -> date | None:
    """The last day of evidence made out on `since`: its own `until`, else as long as the scheme says, None
    for ever.

    Refused: "evidence.since" when it begins tomorrow, "evidence.over" when it is over already.
    """
    if since > today:
        raise Refused("evidence.since")
    if until is None and rule.evidence_months:
        until = last_day(since, rule.evidence_months)
    if until is not None and until < today:
        raise Refused("evidence.over")
    return until
