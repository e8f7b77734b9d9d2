"""Defines the rules that bills and rights follow; each is a frozen value, checked when it is read."""

from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mutuelle.schemes.fields import Code, Count, FrozenModel, MonthDay, Part, Phrase, Rule, Units, Words

MEMBER = "member"  # payers of a bill line that every scheme knows
SPONSOR = "sponsor"
# The statuses that staff can record for a member. A rule about any other status applies to no member.
MEMBER_STATUSES = ("pregnant", "disabled")


class BillKind(StrEnum):
    """What a bill is for: a period of cover, or the joining fee."""

    DUES = "dues"
    JOINING = "joining"


class CategoryState(StrEnum):
    """How a category stands, as stored in the column `standing`."""

    CLAIMED = "claimed"  # the household says so
    CHECKED = "checked"  # its evidence was checked
    REFUSED = "refused"


class Share(Rule):
    """What another payer pays: a `part` of the price, or an `amount` by option for each price charged."""

    payer: Code
    part: Part | None = None
    amount: dict[Code, Units] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.part is None) == (self.amount is None):
            raise ValueError("needs either `part` or `amount`")
        if self.payer == MEMBER:
            raise ValueError("the member pays what the others leave: do not list the member")
        return self

    def of(self, price: int, option: str) -> Fraction:
        """The exact share of one `price`."""
        if self.amount is not None:
            return Fraction(self.amount[option])
        return price * (self.part or Fraction(0))


class AgeBand(FrozenModel):
    """The price by option of people younger than `below` years; the category's own is for older ones."""

    below: Count
    price: dict[Code, Units]


class Category(Rule):
    """A class of households: its price by option, who else pays, and how it is billed until it is proven.

    `billed_as` is its own code where a claim holds at once. With `proof_first` a household is not billed at
    all before the evidence is checked. `evidence_months` is how long the evidence holds from its check, if it
    does not say so itself. `paper` is what proves it, in a few words for the household. `unpriced`: no source
    names the price, so no household can be billed.
    """

    code: Code
    label: Words
    price: dict[Code, Units] = Field(default_factory=dict)
    ages: tuple[AgeBand, ...] = ()
    others: tuple[Share, ...] = ()
    billed_as: Code
    evidence: str | None = None
    paper: Phrase | None = None
    evidence_months: Count | None = None
    proof_first: bool = False
    unpriced: bool = False

    @model_validator(mode="before")
    @classmethod
    def _holds_at_once_by_default(cls, rule: Any) -> Any:
        return {"billed_as": rule.get("code"), **rule} if isinstance(rule, dict) else rule

    @model_validator(mode="after")
    def _proof_has_evidence(self) -> Self:
        if self.proof_first and not self.evidence:
            raise ValueError("`proof_first` needs `evidence`: what proves it")
        if self.evidence_months and not self.evidence:
            raise ValueError("`evidence_months` needs `evidence`: what holds for so long")
        return self

    def price_at(self, age: int, option: str) -> int:
        """The price of a person of `age` years, in whole units."""
        return next((band.price[option] for band in self.ages if age < band.below), self.price[option])

    def member_parts(self, option: str) -> tuple[Fraction, ...]:
        """The member's exact part of each price, youngest last."""
        prices = [self.price[option], *(band.price[option] for band in reversed(self.ages))]
        return tuple(
            price - sum((share.of(price, option) for share in self.others), Fraction(0)) for price in prices
        )


class OtherScheme(Rule):
    """People covered by another scheme, such as an employer's; refused, so that they do not pay twice."""

    code: Code
    label: Words
    covered_by: Words


class PricingRule(Rule):
    """What a price is for: each `person`, the `household`, or each person by age.

    `adult-child` has one limit of age, `age` has up to nine.

    A person younger than `free_below` years is covered and costs nothing.
    """

    basis: Literal["person", "household", "adult-child", "age"]
    free_below: Units = 0

    def prices_for(self, category: Category, ages: list[int], option: str) -> list[int]:
        """Every price charged to a household of people of these `ages` in years, in whole units."""
        if self.basis == "household":
            return [category.price[option]]
        return [category.price_at(age, option) for age in ages if age >= self.free_below]


class PeriodOption(Rule):
    """A period a household may buy; the first of a version is the default."""

    code: Code
    label: Words
    months: Count


class HouseholdRule(Rule):
    """How many people one bill covers, and what happens `beyond` the limit `people_max`.

    With `whole`, no member is covered unless the whole household is paid for, so a household that is too
    large is refused.
    """

    people_max: Count
    beyond: Literal["not-covered", "refused"]
    whole: bool = False

    @model_validator(mode="after")
    def _whole_refuses_beyond(self) -> Self:
        if self.whole and self.beyond == "not-covered":
            raise ValueError('a household that is covered whole leaves nobody out: beyond must be "refused"')
        return self


class Cycle(Rule):
    """When a period begins: when rights open (rolling), or every year on `starts` (fixed).

    In the last `ahead_days` of a fixed year a new bill is for the year to come.
    """

    kind: Literal["rolling", "fixed"]
    starts: MonthDay | None = None
    ahead_days: Units = 0

    @model_validator(mode="after")
    def _a_fixed_cycle_has_a_start(self) -> Self:
        fixed = self.kind == "fixed"
        if fixed != (self.starts is not None) or (self.ahead_days and not fixed):
            raise ValueError(
                "a fixed cycle needs `starts`; a rolling one has neither `starts` nor `ahead_days`"
            )
        return self


class EarlyOpening(FrozenModel):
    """The part `paid` opens the first `months` months of the period."""

    paid: Part
    months: Count


class OpeningRule(Rule):
    """What opens rights: the whole share, parts of it `early`, or with `monthly` a month's share each month.

    The parts are `of` the member's own share, or of the whole price and then at most the member's share.
    """

    early: tuple[EarlyOpening, ...] = ()
    monthly: bool = False
    of: Literal["member-share", "price"] = "member-share"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.early and self.monthly:
            raise ValueError("needs `early` or `monthly`, not both")
        for before, after in zip(self.early, self.early[1:], strict=False):
            if before.paid >= after.paid or before.months >= after.months:
                raise ValueError("`early` must grow in both `paid` and `months`")
        return self


class WaitingRule(Rule):
    """The time between paying and cover.

    It is `months` and `days` for a household never covered before, and `after_lapse` days after a lapse. A
    person younger than `waived_below` years does not wait, nor does a member with a status in `waived`, from
    the day it is noted.
    """

    days: Units
    months: Units = 0
    after_lapse: Units = 0
    waived_below: Units = 0
    waived: tuple[Code, ...] = ()


class LapseRule(Rule):
    """What happens when cover ends unpaid.

    Cover goes on for `grace_days`, which are days of the next period bought. More than `after_days` days
    without cover are a lapse, after which a household waits. After more than `join_again_days`, if set, it
    waits and pays the joining fee like one never covered.
    """

    grace_days: Units = 0
    after_days: Units = 0
    join_again_days: Count | None = None

    def days_without_cover(self, covered_until: date, day: date) -> int:
        """Days without cover, grace left out, between the last paid day and `day`; never below 0."""
        return max(0, (day - covered_until - timedelta(self.grace_days)).days - 1)

    def joins_again(self, covered_until: date, day: date) -> bool:
        """Whether a household last covered on `covered_until` counts on `day` as never covered."""
        return (
            self.join_again_days is not None
            and self.days_without_cover(covered_until, day) > self.join_again_days
        )


class AdjustmentRule(Rule):
    """How a change of price in the middle of a period counts: for the `whole` of it, or the `months` to come.

    The month under way is one of these; each payer's part is rounded down. The `tariff` of new rules changes
    the bills under way `at-once`, or counts from the `next-period` on.
    """

    prorata: Literal["whole", "months"]
    tariff: Literal["at-once", "next-period"] = "next-period"


class JoiningFee(Rule):
    """A fee the member pays once, `per` household or covered person; rights do not depend on it."""

    amount: Units
    per: Literal["household", "person"] = "household"


class PaymentRule(Rule):
    """Payments are multiples of `step`; they pay dues before the joining fee, and the oldest bill first.

    Arrears that are `forgiven` are no longer owed once their period is over.
    """

    step: Count
    arrears: Literal["oldest-first", "forgiven"] = "oldest-first"


class Subsidy(Rule):
    """When and for what the other payers' part of a dues bill may be claimed from them.

    `claimable`: once rights are open, or once billed. `claim_basis`: the part that belongs to the days really
    covered, or the whole period of a bill that has opened. What is claimed once billed asks for whole
    periods, too. Whole periods need a `clause`: the document and the section that let a payer be asked for
    days that nobody is covered on.
    """

    claimable: Literal["when-open", "when-billed"]
    claim_basis: Literal["days-covered", "whole-period"] = "days-covered"
    clause: str | None = None

    @model_validator(mode="after")
    def _whole_periods_have_a_clause(self) -> Self:
        if self.whole_periods and not (self.clause or "").strip():
            raise ValueError("whole periods are claimed, so `clause` must name the document and its section")
        if self.clause is not None and not self.whole_periods:
            raise ValueError("only covered days are claimed, so leave out `clause`")
        return self

    @property
    def whole_periods(self) -> bool:
        """Whether a bill's whole period is claimed, and not its covered days only."""
        return self.claim_basis == "whole-period" or self.claimable == "when-billed"
