"""Scores the households that a receipt in suspense may belong to, with reasons. Pure; a manager decides.

An amount alone is a sign only while few households share it, because many households owe the same sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from mutuelle.errors import Refused
from mutuelle.households import member_numbers


class CandidateSign(StrEnum):
    """Why a household may own a receipt. `_SIGNS` in suspense_list.py returns some of these values."""

    NUMBER = "number"
    PHONE = "phone"
    PAID_BEFORE = "paid-before"
    NUMBER_NEAR = "number-near"
    ASKED_PHONE = "asked-phone"
    FORMER_PHONE = "former-phone"
    REQUEST = "request"
    OWED = "owed"
    BILL = "bill"
    OPENS = "opens"


# Signs of whose money it is, strongest first. The strongest counts whole, each other one a fifth.
IDENTITY_WEIGHTS = {
    CandidateSign.NUMBER: 80,
    CandidateSign.PHONE: 60,
    CandidateSign.PAID_BEFORE: 45,
    CandidateSign.NUMBER_NEAR: 45,
    CandidateSign.ASKED_PHONE: 40,
    CandidateSign.FORMER_PHONE: 30,
}
# Signs of what the amount is for. Only the strongest counts: they often are the same sum.
AMOUNT_WEIGHTS = {
    CandidateSign.REQUEST: 25,
    CandidateSign.OWED: 12,
    CandidateSign.BILL: 10,
    CandidateSign.OPENS: 8,
}
SCORE_MAX = 99  # a score is never certain
SHARED_AMOUNT_MAX = 5  # households with only the amount as a sign: if there are more, none is a candidate
CANDIDATES_MAX = 8


@dataclass(frozen=True)
class CandidateSigns:
    """All signs that point to one household."""

    household_id: UUID
    signs: frozenset[CandidateSign]


@dataclass(frozen=True)
class SuspenseCandidate:
    """A household with its score of 1 to 99 and the reasons, strongest first."""

    household_id: UUID
    score: int
    reasons: tuple[CandidateSign, ...]


def rank(rows: Iterable[CandidateSigns]) -> list[SuspenseCandidate]:
    """Returns the likeliest candidates first, at most CANDIDATES_MAX."""
    rows = list(rows)
    strong = IDENTITY_WEIGHTS.keys() | {CandidateSign.REQUEST}
    by_amount = [row for row in rows if not row.signs & strong]
    left_out = {row.household_id for row in by_amount} if len(by_amount) > SHARED_AMOUNT_MAX else set()
    candidates = [
        SuspenseCandidate(row.household_id, score(row.signs), reasons(row.signs))
        for row in rows
        if row.household_id not in left_out
    ]
    likely = [candidate for candidate in candidates if candidate.score]
    likely.sort(key=lambda candidate: (-candidate.score, str(candidate.household_id)))
    return likely[:CANDIDATES_MAX]


def score(signs: Iterable[CandidateSign]) -> int:
    """Returns a score of 0 (no sign) to SCORE_MAX.

    >>> phone, asked, owed = CandidateSign.PHONE, CandidateSign.ASKED_PHONE, CandidateSign.OWED
    >>> score({phone}), score({phone, asked, owed}), score({CandidateSign.BILL, owed})
    (60, 80, 12)
    """
    present = set(signs)
    who = sorted((IDENTITY_WEIGHTS[sign] for sign in present & IDENTITY_WEIGHTS.keys()), reverse=True)
    what = max((AMOUNT_WEIGHTS[sign] for sign in present & AMOUNT_WEIGHTS.keys()), default=0)
    return min(SCORE_MAX, sum(who[:1]) + sum(weight // 5 for weight in who[1:]) + what)


def reasons(signs: Iterable[CandidateSign]) -> tuple[CandidateSign, ...]:
    """Returns the signs, strongest first."""
    weights = IDENTITY_WEIGHTS | AMOUNT_WEIGHTS
    return tuple(sorted(signs, key=lambda sign: (-weights[sign], sign)))


def typed_numbers(reference: str | None) -> tuple[str, ...]:
    """Returns what in a payer's reference may be a member number: 9 to 11 digits.

    Spaces, dashes and points may group them.

    >>> typed_numbers("cotis 123 456-7890")
    ('1234567890',)
    """
    if not reference:
        return ()
    runs, run = [], ""
    for letter in reference + "|":
        if letter.isascii() and letter.isdigit():
            run += letter
        elif letter not in " -.":
            runs.append(run)
            run = ""
    return tuple(run for run in runs if 9 <= len(run) <= 11)


def is_number(text: str) -> bool:
    """Whether `text` is a whole member number with its check digit."""
    try:
        return member_numbers.check(text) == text
    except Refused:
        return False


def neighbours(typed: str) -> frozenset[str]:
    """Returns the member numbers one typing error away: a digit wrong, missing, extra or swapped."""
    cuts = range(len(typed) + 1)
    slips = {typed[:i] + typed[i + 1 :] for i in cuts}
    slips |= {typed[:i] + digit + typed[i + 1 :] for i in cuts for digit in "0123456789"}
    slips |= {typed[:i] + digit + typed[i:] for i in cuts for digit in "0123456789"}
    slips |= {typed[:i] + typed[i + 1 : i + 2] + typed[i : i + 1] + typed[i + 2 :] for i in cuts}
    return frozenset(slip for slip in slips if slip != typed and is_number(slip))
