"""Candidates: which household a receipt in suspense may belong to, how likely, and why. Pure; a person
decides.

Amounts alone suggest only while few households share them: half a village owes the same sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from mutuelle.errors import Refused
from mutuelle.households import member_numbers

# Who it may be, strongest first. Of several such signs the strongest counts whole, each other one a fifth of
# itself.
IDENTITY_WEIGHTS = {
    "number": 80,
    "phone": 60,
    "paid-before": 45,
    "number-near": 45,
    "asked-phone": 40,
    "former-phone": 30,
}
# What it may be for. Only the strongest counts: they often are the same sum.
AMOUNT_WEIGHTS = {"request": 25, "owed": 12, "bill": 10, "opens": 8}
SCORE_MAX = 99  # never certain
SHARED_AMOUNT_MAX = 5  # households that may share an amount
CANDIDATES_MAX = 8


@dataclass(frozen=True)
class CandidateSigns:
    """Everything that points at one household."""

    home: UUID
    signs: frozenset[str]


@dataclass(frozen=True)
class SuspenseCandidate:
    """A household with its score of 1 to 99 and the reasons, strongest first."""

    home: UUID
    score: int
    reasons: tuple[str, ...]


def rank(seen: Iterable[CandidateSigns]) -> list[SuspenseCandidate]:
    """The candidates, likeliest first, at most SHOWN."""
    every = list(seen)
    by_sum_only = [
        one for one in every if not one.signs & IDENTITY_WEIGHTS.keys() and "request" not in one.signs
    ]
    left_out = {one.home for one in by_sum_only} if len(by_sum_only) > SHARED_AMOUNT_MAX else set()
    found = [
        SuspenseCandidate(one.home, score(one.signs), reasons(one.signs))
        for one in every
        if one.home not in left_out
    ]
    return sorted((one for one in found if one.score), key=lambda one: (-one.score, str(one.home)))[
        :CANDIDATES_MAX
    ]


def score(signs: Iterable[str]) -> int:
    """0 when nothing points here.

    >>> score({"phone"}), score({"phone", "asked-phone", "owed"}), score({"bill", "owed"})
    (60, 80, 12)
    """
    given = set(signs)
    who = sorted((IDENTITY_WEIGHTS[sign] for sign in given & IDENTITY_WEIGHTS.keys()), reverse=True)
    what = max((AMOUNT_WEIGHTS[sign] for sign in given & AMOUNT_WEIGHTS.keys()), default=0)
    return min(SCORE_MAX, sum(who[:1]) + sum(weight // 5 for weight in who[1:]) + what)


def reasons(signs: Iterable[str]) -> tuple[str, ...]:
    """The signs, strongest first."""
    weights = IDENTITY_WEIGHTS | AMOUNT_WEIGHTS
    return tuple(sorted(signs, key=lambda sign: (-weights[sign], sign)))


def typed_numbers(reference: str | None) -> tuple[str, ...]:
    """What in a payer's reference may be a member number: 9 to 11 digits, perhaps grouped by spaces, dashes
    or points.

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
    """Whether it is a whole member number with its check digit."""
    try:
        return member_numbers.check(text) == text
    except Refused:
        return False


def neighbours(typed: str) -> frozenset[str]:
    """Every member number one slip away: a digit wrong, missing or too many, or two neighbours swapped."""
    cuts = range(len(typed) + 1)
    slips = {typed[:i] + typed[i + 1 :] for i in cuts}
    slips |= {typed[:i] + digit + typed[i + 1 :] for i in cuts for digit in "0123456789"}
    slips |= {typed[:i] + digit + typed[i:] for i in cuts for digit in "0123456789"}
    slips |= {typed[:i] + typed[i + 1 : i + 2] + typed[i : i + 1] + typed[i + 2 :] for i in cuts}
    return frozenset(slip for slip in slips if slip != typed and is_number(slip))
