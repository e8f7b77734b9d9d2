"""Defines one version of a scheme: the rules from a day on, what a sum opens under them, and when. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import Annotated, Self

from pydantic import Field, model_validator

from mutuelle.errors import Refused
from mutuelle.schemes.consistency import (
    category_problems,
    copay_problems,
    period_problems,
    price_problems,
    subsidy_problems,
)
from mutuelle.schemes.fields import Code, Rule, assumptions
from mutuelle.schemes.money_rules import (
    MEMBER,
    MEMBER_STATUSES,
    AdjustmentRule,
    Category,
    Cycle,
    HouseholdRule,
    JoiningFee,
    LapseRule,
    OpeningRule,
    OtherScheme,
    PaymentRule,
    PeriodOption,
    PricingRule,
    Subsidy,
    WaitingRule,
)
from mutuelle.schemes.service_rules import AppealRule, Benefit, Copay, DependantRule, ReminderRule, Season

DEFAULT_APPEALS = AppealRule(
    days=15, source="not found", assumed="no source gives appeals a deadline: 15 days"
)


@dataclass(frozen=True)
class Stage:
    """Paying `threshold` of the member's share opens the first `months` months of the period."""

    threshold: int
    months: int


class Version(Rule):
    """The rules of a scheme from the day `since` on, until the next version."""

    since: date = Field(alias="from")
    standard: Code
    options: Annotated[tuple[PeriodOption, ...], Field(min_length=1)]
    pricing: PricingRule
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=5)]  # a menu has five items
    elsewhere: tuple[OtherScheme, ...] = ()
    household: HouseholdRule
    dependants: DependantRule
    cycle: Cycle
    opening: OpeningRule
    waiting: WaitingRule
    lapse: LapseRule
    adjustment: AdjustmentRule
    joining: JoiningFee
    payment: PaymentRule
    subsidy: Subsidy | None = None
    copay: Copay
    reminders: ReminderRule | None = None
    appeals: AppealRule = DEFAULT_APPEALS
    seasons: tuple[Season, ...] = ()
    benefits: Annotated[tuple[Benefit, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        problems = [
            *price_problems(self.categories, self.options, self.pricing),
            *category_problems(self.categories, self.elsewhere, self.options, self.standard),
            *period_problems(self.since, self.options, self.cycle, self.opening, self.waiting),
            *copay_problems(self.copay, self.categories),
            *subsidy_problems(self.subsidy, self.payers),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def category_choices(self) -> tuple[Category | OtherScheme, ...]:
        """The choices when a household says which category it is, in menu order: digits never move."""
        return (*self.categories, *self.elsewhere)

    @property
    def asks_category(self) -> bool:
        """Whether a household must name its category: there are several, or the only one must be proven."""
        return len(self.category_choices) > 1 or self.categories[0].proof_first

    @property
    def member_statuses(self) -> tuple[str, ...]:
        """The statuses of members that a rule of this version depends on, of those that can be noted."""
        codes = {*self.waiting.waived, *(["disabled"] if self.dependants.disabled_any_age else [])}
        return tuple(code for code in MEMBER_STATUSES if code in codes)

    @property
    def step(self) -> int:
        """Payments are multiples of this, in whole units."""
        return self.payment.step

    @property
    def payers(self) -> tuple[str, ...]:
        """Every payer of any category, the member first."""
        return tuple(dict.fromkeys([MEMBER, *(share.payer for c in self.categories for share in c.others)]))

    def category(self, code: str | None = None) -> Category:
        """The category `code`, or the standard one.

        Raises Refused if the version has none of that code, or if another scheme covers it.
        """
        wanted_code = code or self.standard
        category = next((c for c in self.categories if c.code == wanted_code), None)
        if any(other.code == wanted_code for other in self.elsewhere):
            raise Refused("category.elsewhere", code=wanted_code)
        if category is None:
            raise Refused(
                "category.unknown", code=code, known=", ".join(c.code for c in self.category_choices)
            )
        return category

    def option(self, code: str | None = None) -> PeriodOption:
        """The period option `code`, or the default one. Raises Refused if there is none of that code."""
        option = next((o for o in self.options if o.code == (code or self.options[0].code)), None)
        if option is None:
            raise Refused("option.unknown", code=code, known=", ".join(o.code for o in self.options))
        return option

    def stages(
        self, member_share: int, option: str | None = None, total: int | None = None
    ) -> tuple[Stage, ...]:
        """The stages of a bill: thresholds and months both grow, and the last stage is the whole share.

        A threshold is rounded up to the step, but never above the share; a share of 0 opens the whole period.
        `total` is the bill's price; early parts are parts of it if the scheme says so.
        """
        months = self.option(option).months
        of = total if self.opening.of == "price" and total is not None else member_share
        parts = [(early.paid, early.months) for early in self.opening.early] + [(Fraction(1), months)]
        if self.opening.monthly:
            parts = [(Fraction(month, months), month) for month in range(1, months + 1)]
        # Two parts that round to one threshold are one stage: paying it opens the longer of both.
        months_by_threshold = {
            min(member_share, ceil(of * part / self.step) * self.step): months for part, months in parts
        }
        return tuple(Stage(threshold, months) for threshold, months in months_by_threshold.items())

    def period(self, day: date, option: str | None = None) -> tuple[date, date] | None:
        """First and last day of the fixed year that `day` falls in; None under a rolling cycle."""
        if self.cycle.starts is None:
            return None
        start = date.fromisoformat(f"{day.year}-{self.cycle.starts}")
        start = start if start <= day else start.replace(year=day.year - 1)
        return start, last_day(start, self.option(option).months)

    def forgives(self, issued: date, period_until: date | None, option: str | None, day: date) -> bool:
        """Whether a dues bill is no longer owed on `day`: arrears are forgiven, and its period is over.

        In a rolling cycle the period is over as many months after the bill was `issued` as it was for.
        """
        ends = period_until or last_day(issued, self.option(option).months)
        return self.payment.arrears == "forgiven" and ends < day

    def takes_over(self, before: date, period_from: date | None) -> bool:
        """Whether these rules reprice a bill that follows the rules from the day `before`.

        They do if a tariff counts at once, or if the bill's fixed year, sold ahead, begins under them.
        """
        begins_here = period_from is not None and period_from >= self.since
        return before < self.since and (begins_here or self.adjustment.tariff == "at-once")

    def covering_as(self, other: "Version") -> "Version":
        """Returns these rules with the limits of people and ages of `other`, the rules of an earlier bill."""
        return self.model_copy(update={"household": other.household, "dependants": other.dependants})

    def begins(self, day: date, covered_until: date | None) -> date:
        """The first day of a rolling cover paid on `day` after cover up to `covered_until`, if any.

        A new household, or one after a lapse, waits. Otherwise cover begins on the day after `covered_until`,
        however late in the days of grace it is paid, or on `day` once these are over.
        """
        if covered_until is None or self.lapse.joins_again(covered_until, day):
            return months_after(day, self.waiting.months) + timedelta(self.waiting.days)
        if day <= covered_until + timedelta(self.lapse.grace_days):
            return covered_until + timedelta(1)
        lapsed = self.lapse.days_without_cover(covered_until, day) > self.lapse.after_days
        return day + timedelta(self.waiting.after_lapse if lapsed else 0)

    def assumptions(self) -> tuple[str, ...]:
        """Every figure or rule that is ours rather than a source's, as `key: why`."""
        return assumptions(self)


def months_after(day: date, months: int) -> date:
    """The same day `months` later, or the last day of a month that is too short.

    >>> months_after(date(2027, 1, 31), 1)
    datetime.date(2027, 2, 28)
    """
    years, month = divmod(day.month - 1 + months, 12)
    following = date(day.year + years + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(day.year + years, month + 1, 1) + timedelta(day.day - 1), following - timedelta(1))


def last_day(first: date, months: int) -> date:
    """The last of `months` whole months that begin on `first`."""
    return months_after(first, months) - timedelta(1)
