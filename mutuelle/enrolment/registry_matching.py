"""Whether a line of a social registry is a household's: by its number, by its phone, else for a person to
say. Pure.

1. A line whose validity is over is nobody's, and one that proves a household already has nothing to add.
2. The one household that gave the line's registry number is proven by it.
3. So is the one household with the line's phone, unless its head was born in another year; and where it does
   not say itself that it is in this category, the year must be known and agree.
4. A person decides where several households gave the number, where the head's year contradicts the phone,
   where the household was refused before or is proven to be something else, and where only the head's name
   and year are alike.
5. A name alone is no reason for anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from mutuelle.enrolment.office_lists import normalize

YEARS_APART = 2  # working assumption: years of birth are estimates, on paper and by telephone
MOST = 5  # households proposed for one line

# Why a person is asked, in the order they read it: what speaks for it, then what does not.
REASONS = (
    "number",
    "phone",
    "name",
    "year",
    "number-shared",
    "phone-shared",
    "year-differs",
    "not-claimed",
    "refused-before",
    "checked-otherwise",
    "several-lines",
)


@dataclass(frozen=True)
class RegistryLine:
    """A line of a registry's list."""

    id: UUID
    category: str
    birth_year: int | None
    valid_until: date | None


@dataclass(frozen=True)
class MatchCandidate:
    """A household a line may be of: what they have in common, and what the household is today.

    `standing` is that of `category` today; `this` tells that the line itself proves it as long as it says,
    and `until` how long whatever proves it holds (None: no end).
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
    """A line and a household. `sure` when it is proven by it; else a person is asked, who reads the
    `reasons`."""

    entry: RegistryLine
    home_id: UUID
    sure: bool
    reasons: tuple[str, ...]


def match(entry: RegistryLine, homes: Iterable[MatchCandidate], today: date) -> list[Match]:
    """What follows from one line: one sure match, some to ask about, or nothing."""
    found = list(homes)
    if (entry.valid_until and entry.valid_until < today) or any(home.this for home in found):
        return []
    for name in ("number", "phone"):
        same = [home for home in found if getattr(home, name)]
        if same:
            shared = (f"{name}-shared",) if len(same) > 1 else ()
            return [one for home in same for one in _judged(entry, home, name, shared)][:MOST]
    near = [home for home in found if home.name and _near(entry, home) and not _proven(entry, home)]
    return [Match(entry, home.id, False, ("name", "year", *_doubts(entry, home))) for home in near][:MOST]


def settle(matches: Sequence[Match]) -> list[Match]:
    """Where several lines would prove one household, the one whose number it gave does; else a person is
    asked about each."""
    sure: dict[UUID, list[Match]] = {}
    for one in matches:
        if one.sure:
            sure.setdefault(one.home_id, []).append(one)
    settled = []
    for one in matches:
        rivals = sure.get(one.home_id, []) if one.sure else []
        numbered = [rival for rival in rivals if "number" in rival.reasons]
        if len(rivals) > 1 and numbered != [one]:
            one = replace(one, sure=False, reasons=(*one.reasons, "several-lines"))
        settled.append(one)
    return settled


def name_key(name: str) -> str:
    """Equal for names of the same words, in any order and spelling of accents."""
    return " ".join(sorted(normalize(name).split()))


def _judged(entry: RegistryLine, home: MatchCandidate, name: str, shared: tuple[str, ...]) -> list[Match]:
    if _proven(entry, home):
        return []
    doubts = [*shared, *_doubts(entry, home)]
    if name == "phone":
        doubts += ["year-differs"] if _apart(entry, home) else []
        doubts += ["not-claimed"] if home.category != entry.category and not _near(entry, home) else []
    said = {name, *doubts, *(["year"] if _near(entry, home) else [])}
    return [Match(entry, home.id, not doubts, tuple(reason for reason in REASONS if reason in said))]


def _proven(entry: RegistryLine, home: MatchCandidate) -> bool:
    """Whether something proves the same for as long already."""
    if (home.category, home.standing) != (entry.category, "checked"):
        return False
    return home.until is None or (entry.valid_until is not None and home.until >= entry.valid_until)


def _doubts(entry: RegistryLine, home: MatchCandidate) -> list[str]:
    if home.standing == "refused" and home.category == entry.category:
        return ["refused-before"]
    return ["checked-otherwise"] if home.standing == "checked" and home.category != entry.category else []


def _near(entry: RegistryLine, home: MatchCandidate) -> bool:
    known = entry.birth_year is not None and home.head_born is not None
    return known and abs((entry.birth_year or 0) - (home.head_born or 0)) <= YEARS_APART


def _apart(entry: RegistryLine, home: MatchCandidate) -> bool:
    return entry.birth_year is not None and home.head_born is not None and not _near(entry, home)
