"""What may prove a category, how the number on it is stored, and how long it holds. Pure but for the keys."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from mutuelle import crypto
from mutuelle.errors import Refused
from mutuelle.schemes.money_rules import Category
from mutuelle.schemes.version_rules import last_day


class EvidenceKind(StrEnum):
    """A kind of evidence, as stored."""

    REGISTRY_NUMBER = "registry-number"
    DOCUMENT = "document"
    AGENT_VISIT = "agent-visit"
    LIST = "list"


# The kinds a person may say they have seen. Only a line of a stored office list proves as `LIST`.
MANUAL_KINDS = (EvidenceKind.REGISTRY_NUMBER, EvidenceKind.DOCUMENT, EvidenceKind.AGENT_VISIT)
# Evidence of these kinds has a number by which it is found again.
NUMBERED_KINDS = (EvidenceKind.REGISTRY_NUMBER, EvidenceKind.DOCUMENT, EvidenceKind.LIST)
NUMBER_MAX = 40


@dataclass(frozen=True)
class Evidence:
    """What proves a category: an `EvidenceKind`, and the number on it if it has one."""

    kind: str
    number: str | None = None


@dataclass(frozen=True)
class Proof:
    """Checked evidence, with the day it was made out on and its last day, where it names them."""

    evidence: Evidence
    since: date | None = None
    until: date | None = None


def manual_evidence(kind: str, number: str | None = None) -> Evidence:
    """Returns evidence that a person says they saw. Refused("evidence.kind") for other kinds."""
    if kind not in MANUAL_KINDS:
        raise Refused("evidence.kind")
    return Evidence(kind, number)


def number_of(text: str) -> str:
    """Returns the capital letters and digits of a document's number, without spaces and dashes.

    Refused("evidence.number") if fewer than 3 or more than `NUMBER_MAX` are left, or some are not ASCII.
    """
    number = "".join(letter for letter in text.upper() if letter.isalnum())
    if not 3 <= len(number) <= NUMBER_MAX or not number.isascii():
        raise Refused("evidence.number")
    return number


def columns(evidence: Evidence) -> dict[str, Any]:
    """Returns the columns that store the evidence; its number is encrypted, with a blind index.

    Refused: "evidence.kind", "evidence.number".
    """
    if evidence.kind not in tuple(EvidenceKind):
        raise Refused("evidence.kind")
    if evidence.kind not in NUMBERED_KINDS:
        return {"evidence": evidence.kind}
    number = number_of(evidence.number or "")
    return {
        "evidence": evidence.kind,
        "reference_index": crypto.number_index(number),
        "reference_cipher": crypto.seal_number(number),
    }


def holds_until(rule: Category, since: date, until: date | None, today: date) -> date | None:
    """Returns the last day of evidence made out on `since`, or None if it does not end.

    It is the evidence's own `until`, else the scheme's number of months. Refused: "evidence.since" if it
    begins after today, "evidence.over" if it is over already.
    """
    if since > today:
        raise Refused("evidence.since")
    if until is None and rule.evidence_months:
        until = last_day(since, rule.evidence_months)
    if until is not None and until < today:
        raise Refused("evidence.over")
    return until
