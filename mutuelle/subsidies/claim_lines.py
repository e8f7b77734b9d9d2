"""Lines of subsidy claims, and the facts of a household that they are made from: plain values, as the rules
read them."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from mutuelle.cover.cover_books import HouseholdBooks

Why = Literal[
    "not-open", "taken-back", "nobody", "provisional", "no-consent", "evidence-missing", "evidence-expired"
]
Reason = Literal[Why, "claimed", "rejected", "changed", "waiting", "nothing-back"]
REASONS: tuple[Reason, ...] = (
    "not-open",
    "taken-back",
    "nobody",
    "provisional",
    "no-consent",
    "evidence-missing",
    "evidence-expired",
    "claimed",
    "rejected",
    "changed",
    "waiting",
    "nothing-back",
)


@dataclass(frozen=True)
class Period:
    """The days a claim is for, both included."""

    since: date
    until: date


@dataclass(frozen=True)
class PayableLine:
    """A line of a dues bill that the payer owes; `period` bounds a fixed year.

    `on_day` is the line's own day: that of the bill, or a later one on which the bill changed, then for a
    `reason`.
    """

    line_id: UUID
    bill_id: UUID
    issued: date
    on_day: date
    amount: int
    rule: str
    scheme: str
    version: date
    option: str
    born: tuple[int, ...]
    period: tuple[date, date] | None
    payer: str
    reason: str | None = None

    @property
    def category(self) -> str:
        """The category its rule names."""
        return self.rule.split("/")[2]


@dataclass(frozen=True)
class ClaimMember:
    """A member; `name` is None while nobody has named them."""

    id: UUID
    head: bool
    name: str | None
    born: int
    since: date
    until: date | None


@dataclass(frozen=True)
class ClaimProof:
    """What the household says it is, and what came of it; `checked` evidence is in force from `since` to
    `until`."""

    id: UUID
    category: str
    checked: bool
    evidence: str | None
    since: date
    until: date | None


@dataclass(frozen=True)
class DraftLine:
    """One line of a claim, as it is frozen: one member's part of one bill line. `corrects` is an earlier line
    of a claim."""

    household_id: UUID
    number: str
    member_id: UUID
    name: str
    born: int
    category: str
    scheme: str
    version: date
    rule: str
    evidence: str
    days_from: date
    days_until: date
    on_day: date
    amount: int
    bill_line_id: UUID
    corrects: UUID | None


@dataclass(frozen=True)
class EarlierLine:
    """A line of an earlier claim, the bill it is of, and what its payer said of it, if anything."""

    id: UUID
    bill_id: UUID
    line: DraftLine
    answer: Literal["accepted", "rejected"] | None


@dataclass(frozen=True)
class LeftOutAmount:
    """Units of a bill line that this claim does not ask for."""

    household_id: UUID
    bill_line_id: UUID
    amount: int
    reason: Reason


@dataclass(frozen=True)
class ClaimHousehold:
    """A household as the rules read it. `consent` is the day its membership was agreed to; `claimed` are
    oldest first."""

    id: UUID
    number: str
    members: tuple[ClaimMember, ...]
    proofs: tuple[ClaimProof, ...]
    consent: date | None
    books: HouseholdBooks
    payables: tuple[PayableLine, ...]
    claimed: tuple[EarlierLine, ...]
