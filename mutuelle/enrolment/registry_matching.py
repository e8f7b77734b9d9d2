"""Decides whether a line of a social registry belongs to a household: surely, or for staff to decide. Pure.

1. A line whose validity is over matches no household; a line that already proves a household adds nothing.
2. A line proves the one household that gave the line's registry number.
3. A line proves the one household with the line's phone, unless its head was born in another year. If the
   household does not claim the line's category, the year must be known and agree.
4. Staff decide where several households gave the number, where the head's year contradicts the phone, where
   the household was refused before or has another category proven, and where only the head's name and year
   are alike.
5. A name alone never makes a match.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from uuid import UUID

from mutuelle.schemes.money_rules import CategoryState

YEARS_APART = 2  # working assumption: years of birth are estimates, on paper and by telephone
MOST = 5  # households proposed for one line


class MatchReason(StrEnum):
    """What speaks for a match, then what speaks against it, in the order in which a page shows them."""

    NUMBER = "number"
    PHONE = "phone"
    NAME = "name"
    YEAR = "year"
    NUMBER_SHARED = "number-shared"
    PHONE_SHARED = "phone-shared"
    YEAR_DIFFERS = "year-differs"
    NOT_CLAIMED = "not-claimed"
    REFUSED_BEFORE = "refused-before"
    CHECKED_OTHERWISE = "checked-otherwise"
    SEVERAL_LINES = "several-lines"


@dataclass(frozen=True)
class RegistryLine:
    """A line of a registry's list."""

    id: UUID
    category: str
    birth_year: int | None
    valid_until: date | None


@dataclass(frozen=True)
class MatchCandidate:
    """A household that a line may belong to.

    `number`, `phone` and `name` tell what line and household have in common. `standing` is that of `category`
    today and `until` the last day of its proof (None: no end). `this` is True if the line itself is the proof
    for as long as the line is valid.
    """

    id: UUID
    number: bool
    phone: bool
    name: bool
    head_born: int | None
    category: str | None
    standing: str | None
    until: date | None = None
    this: bool = False


@dataclass(frozen=True)
class Match:
    """A line and a household. If `sure`, the line is the proof; else staff decide by the `reasons`."""

    entry: RegistryLine
    household_id: UUID
    sure: bool
    reasons: tuple[MatchReason, ...]


def match(entry: RegistryLine, households: Iterable[MatchCandidate], today: date) -> list[Match]:
    """Returns the matches of one line: one that is sure, several for staff to decide, or none."""
    candidates = list(households)
    if (entry.valid_until and entry.valid_until < today) or any(candidate.this for candidate in candidates):
        return []
    for common, shared in (
        (MatchReason.NUMBER, MatchReason.NUMBER_SHARED),
        (MatchReason.PHONE, MatchReason.PHONE_SHARED),
    ):
        same = [candidate for candidate in candidates if getattr(candidate, common)]
        if same:
            doubts = (shared,) if len(same) > 1 else ()
            return [pair for candidate in same for pair in _judge(entry, candidate, common, doubts)][:MOST]
    return [
        Match(entry, candidate.id, False, (MatchReason.NAME, MatchReason.YEAR, *_doubts(entry, candidate)))
        for candidate in candidates
        if candidate.name and _is_near(entry, candidate) and not _is_proven(entry, candidate)
    ][:MOST]


def settle(matches: Sequence[Match]) -> list[Match]:
    """Where several lines would prove one household, keeps the line with its number; else none stays sure."""
    sure: dict[UUID, list[Match]] = {}
    for pair in matches:
        if pair.sure:
            sure.setdefault(pair.household_id, []).append(pair)
    settled = []
    for pair in matches:
        rivals = sure.get(pair.household_id, []) if pair.sure else []
        numbered = [rival for rival in rivals if MatchReason.NUMBER in rival.reasons]
        if len(rivals) > 1 and numbered != [pair]:
            pair = replace(pair, sure=False, reasons=(*pair.reasons, MatchReason.SEVERAL_LINES))
        settled.append(pair)
    return settled


def _judge(
    entry: RegistryLine, candidate: MatchCandidate, common: MatchReason, shared: tuple[MatchReason, ...]
) -> list[Match]:
    """The match of a line and a household with a number or phone in common; none if it proves nothing new."""
    if _is_proven(entry, candidate):
        return []
    near = _is_near(entry, candidate)
    doubts = [*shared, *_doubts(entry, candidate)]
    if common == MatchReason.PHONE:
        doubts += [MatchReason.YEAR_DIFFERS] if _is_apart(entry, candidate) else []
        doubts += [MatchReason.NOT_CLAIMED] if candidate.category != entry.category and not near else []
    reasons = {common, *doubts, *([MatchReason.YEAR] if near else [])}
    ordered = tuple(reason for reason in MatchReason if reason in reasons)
    return [Match(entry, candidate.id, not doubts, ordered)]


def _is_proven(entry: RegistryLine, candidate: MatchCandidate) -> bool:
    """Whether the household's category is proven already, for as long as the line is valid."""
    if (candidate.category, candidate.standing) != (entry.category, CategoryState.CHECKED):
        return False
    return candidate.until is None or (entry.valid_until is not None and candidate.until >= entry.valid_until)


def _doubts(entry: RegistryLine, candidate: MatchCandidate) -> list[MatchReason]:
    if candidate.standing == CategoryState.REFUSED and candidate.category == entry.category:
        return [MatchReason.REFUSED_BEFORE]
    checked_otherwise = candidate.standing == CategoryState.CHECKED and candidate.category != entry.category
    return [MatchReason.CHECKED_OTHERWISE] if checked_otherwise else []


def _is_near(entry: RegistryLine, candidate: MatchCandidate) -> bool:
    """Whether both years of birth are known and at most YEARS_APART apart."""
    if entry.birth_year is None or candidate.head_born is None:
        return False
    return abs(entry.birth_year - candidate.head_born) <= YEARS_APART


def _is_apart(entry: RegistryLine, candidate: MatchCandidate) -> bool:
    """Whether both years of birth are known and further apart."""
    both = entry.birth_year is not None and candidate.head_born is not None
    return both and not _is_near(entry, candidate)
