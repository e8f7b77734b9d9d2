"""Defines the rules of a rule book that inform people and clinics; no bill and no right follows from them."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import model_validator

from mutuelle.schemes.fields import Code, Count, FrozenModel, MonthDay, PartOrNone, Rule, Units, Words


class RuleNote(Rule):
    """An assumption about the country rather than about a figure."""

    about: str


class ReminderRule(Rule):
    """How many days before and after a household's due date an SMS reminds it of unpaid dues."""

    before: tuple[Count, ...] = ()
    after: tuple[Count, ...] = ()


class AppealRule(Rule):
    """Within how many days an appeal must be answered."""

    days: Count


class Benefit(Rule):
    """A kind of care that the scheme covers."""

    code: Code
    label: Words


class CopayPart(FrozenModel):
    """What the patient pays of one kind of care: a `part` of its price, or an `amount`.

    With `part_max` the part is from `part` to `part_max` by act. `drugs` is a channel of medicines. Without
    `categories` it holds for every category.
    """

    level: Literal["any", "health-centre", "hospital", "public", "private"]
    drugs: Literal["any", "public-pharmacy", "private-pharmacy"] | None = None
    part: PartOrNone | None = None
    part_max: PartOrNone | None = None
    amount: Units | None = None
    categories: tuple[Code, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.part is None) == (self.amount is None):
            raise ValueError("needs either `part` or `amount`")
        if self.part_max is not None and (self.part is None or self.part_max <= self.part):
            raise ValueError("`part_max` must be above `part`")
        return self


class Copay(Rule):
    """What the patient pays at the point of care, by level and channel of medicines; empty if unknown."""

    parts: tuple[CopayPart, ...] = ()


class Relationship(StrEnum):
    """How a dependant is related to the head, as stored."""

    SPOUSE = "spouse"
    CHILD = "child"
    PARENT = "parent"
    OTHER = "other"


class DependantRule(Rule):
    """Who may be on the head's bill: by relationship, and children by the age in years they must be below.

    Without `relationships` all are admitted; None for an age where no source names one. A relationship counts
    once it is noted: until then a dependant who joined at 18 or more counts as a spouse, a younger one as a
    child. That a member studies, or is disabled and covered at any age, counts once it is noted, too.
    """

    relationships: tuple[Relationship, ...] = ()
    child_below: Count | None = None
    student_below: Count | None = None
    disabled_any_age: bool = False

    @model_validator(mode="after")
    def _students_are_older(self) -> Self:
        if self.student_below is not None and (
            self.child_below is None or self.student_below <= self.child_below
        ):
            raise ValueError("`student_below` extends `child_below`, so it must be above it")
        return self


class Season(Rule):
    """The days on which a crop brings cash, from `starts` to `ends`, both included; may span New Year."""

    code: Code
    label: Words
    starts: MonthDay
    ends: MonthDay
