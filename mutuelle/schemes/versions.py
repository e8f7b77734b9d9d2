"""One version of a scheme: the rules from a day on, what a sum opens under them, and from when. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import Annotated, Self

from pydantic import Field, model_validator

from mutuelle.errors import Refused
from mutuelle.schemes.consistency import about_claims, about_copay, about_periods, about_prices, about_subsidy
from mutuelle.schemes.fields import Code, Rule, assumptions
from mutuelle.schemes.money_rules import (
    CLASSES,
    MEMBER,
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
            *about_prices(self.categories, self.options, self.pricing),
            *about_claims(self.categories, self.elsewhere, self.options, self.standard),
            *about_periods(self.since, self.options, self.cycle, self.opening, self.waiting),
            *about_copay(self.copay, self.categories),
            *about_subsidy(self.subsidy, self.payers),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def classes(self) -> tuple[Category | OtherScheme, ...]:
        """What a household is asked to say it is, in the order of the menu: digits never move."""
        return (*self.categories, *self.elsewhere)

    @property
    def asks_category(self) -> bool:
        """Whether a household must say which category it belongs to: there are several, or the only one must
        be proven."""
        return len(self.classes) > 1 or self.categories[0].proof_first

    @property
    def noted(self) -> tuple[str, ...]:
        """The classes of members that a rule asks about, of those somebody can be noted in."""
        asked = {*self.waiting.waived, *(["disabled"] if self.dependants.disabled_any_age else [])}
        return tuple(code for code in CLASSES if code in asked)

    @property
    def step(self) -> int:
        """Sums are multiples of this, in whole units."""
        return self.payment.step

    @property
    def payers(self) -> tuple[str, ...]:
        """Everyone who pays under some category, the member first."""
        return tuple(dict.fromkeys([MEMBER, *(share.payer for c in self.categories for share in c.others)]))

    def category(self, code: str | None = None) -> Category:
        """The category `code`, or the standard one. Refused when the version has none of that name, or others
        cover it."""
        asked = code or self.standard
        found = next((c for c in self.categories if c.code == asked), None)
        if any(other.code == asked for other in self.elsewhere):
            raise Refused("category.elsewhere", code=asked)
        if found is None:
            raise Refused("category.unknown", code=code, known=", ".join(c.code for c in self.classes))
        return found

    def option(self, code: str | None = None) -> PeriodOption:
        """The period option `code`, or the usual one. Refused when the version has none of that name."""
        found = next((o for o in self.options if o.code == (code or self.options[0].code)), None)
        if found is None:
            raise Refused("option.unknown", code=code, known=", ".join(o.code for o in self.options))
        return found

    def stages(
        self, member_share: int, option: str | None = None, total: int | None = None
    ) -> tuple[Stage, ...]:
        """What each sum of a bill's member share opens: thresholds and months both grow, the last is the
        whole share.

        A threshold is rounded up to the step, but never above the share; a share of 0 opens the whole period.
        `total` is the bill's price, of which the parts are where the scheme says so.
        """
        months = self.option(option).months
        of = total if self.opening.of == "price" and total is not None else member_share
        parts = [(early.paid, early.months) for early in self.opening.early] + [(Fraction(1), months)]
        if self.opening.monthly:
            parts = [(Fraction(month, months), month) for month in range(1, months + 1)]
        # Two parts that round to one threshold are one stage: paying it opens the longer of both.
        opened = {min(member_share, ceil(of * paid / self.step) * self.step): opens for paid, opens in parts}
        return tuple(Stage(threshold, opens) for threshold, opens in opened.items())

    def period(self, day: date, option: str | None = None) -> tuple[date, date] | None:
        """First and last day of the fixed year that `day` falls in; None under a rolling cycle."""
        if self.cycle.starts is None:
            return None
        start = date.fromisoformat(f"{day.year}-{self.cycle.starts}")
        start = start if start <= day else start.replace(year=day.year - 1)
        return start, last_day(start, self.option(option).months)

    def forgives(self, issued: date, period_until: date | None, option: str | None, day: date) -> bool:
        """Whether the rest of dues is owed no more on `day`: arrears are forgiven, and their period is over.

        In a rolling cycle that is as many months after the bill was `issued` as it was for.
        """
        ends = period_until or last_day(issued, self.option(option).months)
        return self.payment.arrears == "forgiven" and ends < day

    def takes_over(self, before: date, period_from: date | None) -> bool:
        """Whether these rules price anew a bill that goes by those from `before`: where a tariff counts at
        once, or the bill's fixed year, sold ahead, begins under them."""
        begins_here = period_from is not None and period_from >= self.since
        return before < self.since and (begins_here or self.adjustment.tariff == "at-once")

    def covering_as(self, made: "Version") -> "Version":
        """These prices and shares, for as many people and up to the same ages as the rules a bill was `made`
        under cover."""
        return self.model_copy(update={"household": made.household, "dependants": made.dependants})

    def begins(self, day: date, covered_until: date | None) -> date:
        """When a rolling cover paid on `day` begins, the household's last paid day being `covered_until`, if
        it had any.

        It waits as a new household or after a lapse, and otherwise follows on: from the day after, however
        late in the days of grace it pays, or from `day` once these are over.
        """
        if covered_until is None or self.lapse.joins_again(covered_until, day):
            return months_after(day, self.waiting.months) + timedelta(self.waiting.days)
        if day <= covered_until + timedelta(self.lapse.grace_days):
            return covered_until + timedelta(1)
        return day + timedelta(
            self.waiting.after_lapse * (self.lapse.gone(covered_until, day) > self.lapse.after_days)
        )

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
