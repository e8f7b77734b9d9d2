"""The rules of a rule book that inform people and clinics: no bill and no right follows from them."""

from typing import Literal, Self

from pydantic import model_validator

from mutuelle.schemes.fields import Code, Count, FrozenModel, MonthDay, PartOrNone, Rule, Units, Words


class RuleNote(Rule):
    """An assumption about the place rather than about a figure."""

    about: str


class ReminderRule(Rule):
    """How many days before and after a household's date its unpaid dues are reminded of by SMS."""

    before: tuple[Count, ...] = ()
    after: tuple[Count, ...] = ()


class AppealRule(Rule):
    """How many days after it came an appeal is answered at the latest."""

    days: Count


class Benefit(Rule):
    """A kind of care the scheme names."""

    code: Code
    label: Words


class CopayPart(FrozenModel):
    """What the patient pays of one kind of care: a `part` of its price, from `part` to `part_max` by act, or
    an `amount`.

    `drugs` names a channel of medicines; without `categories` it is everybody's.
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
    """What the patient pays at the point of care, by level of care and channel of medicines; empty where
    nobody tells."""

    parts: tuple[CopayPart, ...] = ()


class DependantRule(Rule):
    """Who may be on the head's bill besides spouses: children below these ages in years; None where no source
    tells.

    We know years of birth; who studies, or is disabled and covered at any age, counts once somebody has noted
    it.
    """

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
    """Days of the year on which a crop brings cash, from `starts` to `ends`, both included; it may span New
    Year."""

    code: Code
    label: Words
    starts: MonthDay
    ends: MonthDay
