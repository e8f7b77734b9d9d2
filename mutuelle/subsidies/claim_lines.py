"""Defines the lines of subsidy claims, and the facts of a household they are made from, as plain values."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.cover.relationships import NotedRelationship


class ClaimState(StrEnum):
    """Where a claim is in its life-cycle; the values are stored."""

    DRAFTED = "drafted"
    CHECKED = "checked"
    SENT = "sent"
    PAID = "paid"
    CANCELLED = "cancelled"


class LineAnswer(StrEnum):
    """The payer's answer to one line; the values are stored."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class LeftOutReason(StrEnum):
    """Why a claim leaves out units of a bill line; the values are stored."""

    NOT_OPEN = "not-open"
    NOT_COVERED = "not-covered"
    TAKEN_BACK = "taken-back"
    NOBODY = "nobody"
    PROVISIONAL = "provisional"
    NO_CONSENT = "no-consent"
    EVIDENCE_MISSING = "evidence-missing"
    EVIDENCE_EXPIRED = "evidence-expired"
    CLAIMED = "claimed"
    REJECTED = "rejected"
    CHANGED = "changed"
    WAITING = "waiting"
    NOTHING_BACK = "nothing-back"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Period:
    """The days a claim is for, both included."""

    since: date
    until: date


@dataclass(frozen=True)
class PayableLine:
    """A line of a dues bill that the payer owes; `period` bounds a fixed year.

    `on_day` is the bill's day, or the later day of the adjustment that wrote the line, for its `reason`.
    `made_under` is the version of the rules that the bill was made under, if the line follows a newer one.
    `born_before` are the years of birth that the bill was for until this line changed it, if it did.
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
    made_under: date | None = None
    born_before: tuple[int, ...] | None = None

    @property
    def category(self) -> str:
        """The category its rule names."""
        return self.rule.split("/")[2]


@dataclass(frozen=True)
class ClaimMember:
    """A member of the household; `name` is None while the name is provisional."""

    id: UUID
    head: bool
    name: str | None
    born: int
    since: date
    until: date | None
    relationships: tuple[NotedRelationship, ...] = ()


@dataclass(frozen=True)
class ClaimProof:
    """A category of the household and its evidence, in force from `since` to `until` if it was checked.

    `number` is the number in a social registry, where that is the evidence.
    """

    id: UUID
    category: str
    checked: bool
    evidence: str | None
    since: date
    until: date | None
    number: str | None = None


@dataclass(frozen=True)
class DraftLine:
    """One member's part of one bill line, as a claim freezes it; `corrects` is a line of an earlier claim.

    `days` counts the covered days from `days_from` to `days_until` that it asks for; None where it asks for a
    bill's whole period. `member_paid` is what the household had paid on the bill by the end of the claim's
    period, in whole units, and `receipts` are the operators' transactions of that money, separated by spaces.
    """

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
    days: int | None = None
    registry_number: str | None = None
    member_paid: int | None = None
    receipts: str | None = None
    household_size: int | None = None
    place: str | None = None

    @classmethod
    def of(cls, row: Any) -> "DraftLine":
        """Returns the plain value of a stored line."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class EarlierLine:
    """A line of an earlier claim, the bill it belongs to, and its payer's answer, if there is one."""

    id: UUID
    bill_id: UUID
    line: DraftLine
    answer: LineAnswer | None


@dataclass(frozen=True)
class LeftOutAmount:
    """Units of a bill line that this claim does not ask for."""

    household_id: UUID
    bill_line_id: UUID
    amount: int
    reason: LeftOutReason


@dataclass(frozen=True, order=True)
class ClaimedDays:
    """The first and last day for which the same person stands claimed as a member of another household."""

    member_id: UUID
    since: date
    until: date


@dataclass(frozen=True)
class ClaimDuplicates:
    """The members of a household that are likely or surely members of another one, too.

    Nothing new is asked for those `held`. What was accepted for those `returned` is taken back: a person
    decided that they are claimed elsewhere. For the days in `elsewhere` nobody else may be claimed.
    """

    held: frozenset[UUID] = frozenset()
    returned: frozenset[UUID] = frozenset()
    elsewhere: tuple[ClaimedDays, ...] = ()

    def forbid(self, member_id: UUID, days: tuple[date, date]) -> bool:
        """Whether nothing new may be asked for a member on these days."""
        return any(since <= days[1] and until >= days[0] for since, until in self.forbidden_days(member_id))

    def forbidden_days(self, member_id: UUID) -> list[tuple[date, date]]:
        """Returns the days for which nothing new may be asked for a member."""
        if member_id in self.held:
            return [(date.min, date.max)]
        return [(row.since, row.until) for row in self.elsewhere if row.member_id == member_id]


@dataclass(frozen=True)
class ClaimHousehold:
    """A household as the claim rules read it.

    `consent` is the local date of the consent to membership; `claimed` holds earlier lines, oldest first.
    `people` are the members as the rules of rights read them. `receipts` are the operators' transactions of
    the money in `books`.
    """

    id: UUID
    number: str
    members: tuple[ClaimMember, ...]
    proofs: tuple[ClaimProof, ...]
    consent: date | None
    books: HouseholdBooks
    payables: tuple[PayableLine, ...]
    claimed: tuple[EarlierLine, ...]
    people: tuple[InsuredPerson, ...] = ()
    receipts: tuple[tuple[UUID, str], ...] = ()
    place: str = ""
    duplicates: ClaimDuplicates = ClaimDuplicates()


@dataclass(frozen=True)
class UnreadableHousehold:
    """A household whose bills or money cannot be read; `units` of its bill lines are not claimed yet."""

    id: UUID
    number: str
    units: tuple[tuple[UUID, int], ...]
