"""The words a rule book is written in: each rule is a frozen value that was checked when it was read.

Amounts are whole smallest units of the scheme's currency, parts are exact fractions.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

import gsm0338  # noqa: F401  registers the codec that measures a label
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LABEL_MAX = 22  # septets: five menu lines and a question in one screen
MEMBER = "member"


def _part(told: object) -> Fraction:
    try:
        part = Fraction(told) if isinstance(told, str) else None
    except (ValueError, ZeroDivisionError):
        part = None
    if part is None or not 0 < part <= 1:
        raise ValueError('must be a part in quotes, above 0 and at most 1, such as "0.75"')
    return part


def _short(told: str) -> str:
    try:
        septets = len(told.encode("gsm03.38"))
    except UnicodeError:
        raise ValueError("has a letter that a plain SMS cannot carry (ç, ê, â, ô, î, œ ...)") from None
    if not 0 < septets <= LABEL_MAX:
        raise ValueError(f"must have 1 to {LABEL_MAX} characters, it has {septets}")
    return told


def _month_day(told: str) -> str:
    try:
        date.fromisoformat(f"2001-{told}")  # a year without 29 February: a cycle begins every year
    except ValueError:
        raise ValueError('must be a month and a day, such as "07-01"') from None
    return told


Units = Annotated[int, Field(strict=True, ge=0)]
Count = Annotated[int, Field(strict=True, ge=1)]
Part = Annotated[Fraction, BeforeValidator(_part)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Words = dict[Annotated[str, Field(pattern="^[a-z]{2}$")], Annotated[str, AfterValidator(_short)]]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Frozen):
    """A part of a rule book. `source` says where its figures come from; `assumed`, where there is one, why a figure is ours."""

    source: Annotated[str, Field(min_length=1)]
    assumed: Annotated[str, Field(min_length=1)] | None = None


class Note(Rule):
    """An assumption about the place rather than about a figure."""

    about: str


class Share(Rule):
    """What a payer other than the member pays: a `part` of the price, or an `amount` per person by option."""

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
        """The exact share of one person's `price`."""
        return Fraction(self.amount[option]) if self.amount is not None else price * (self.part or Fraction(0))


class Category(Rule):
    """A class of households: its price per person by option, who else pays, and how it is billed until it is proven.

    `billed_as` is its own code where a claim holds at once.
    """

    code: Code
    label: Words
    price: dict[Code, Units]
    others: tuple[Share, ...] = ()
    billed_as: Code
    evidence: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _holds_at_once_unless_told(cls, told: Any) -> Any:
        return {"billed_as": told.get("code"), **told} if isinstance(told, dict) else told

    def member_part(self, option: str) -> Fraction:
        """What one person's price leaves to the member, exactly."""
        price = self.price[option]
        return price - sum((share.of(price, option) for share in self.others), Fraction(0))


class Option(Rule):
    """A period a household may buy; the first of a version is the usual one."""

    code: Code
    label: Words
    months: Count


class Household(Rule):
    """Who is covered together. `whole`: the whole household is paid, or nobody is covered."""

    people_max: Count
    whole: bool = False


class Cycle(Rule):
    """When a period begins: when rights open (rolling), or every year on `starts` (fixed).

    In the last `ahead_days` of a fixed year a new bill is for the year to come.
    """

    kind: Literal["rolling", "fixed"]
    starts: Annotated[str, AfterValidator(_month_day)] | None = None
    ahead_days: Units = 0

    @model_validator(mode="after")
    def _a_fixed_cycle_has_a_start(self) -> Self:
        if (self.kind == "fixed") != (self.starts is not None) or (self.ahead_days and self.kind == "rolling"):
            raise ValueError("a fixed cycle needs `starts`; a rolling one has neither `starts` nor `ahead_days`")
        return self


class Early(Frozen):
    """The part `paid` of the member's share opens the first `months` months of the period."""

    paid: Part
    months: Count


class Opening(Rule):
    """What opens rights: the whole share, parts of it `early`, or with `monthly` each month's share its month."""

    early: tuple[Early, ...] = ()
    monthly: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.early and self.monthly:
            raise ValueError("needs `early` or `monthly`, not both")
        for before, after in zip(self.early, self.early[1:], strict=False):
            if before.paid >= after.paid or before.months >= after.months:
                raise ValueError("`early` must grow in both `paid` and `months`")
        return self


class Waiting(Rule):
    """Days between paying and cover for a household never covered before."""

    days: Units


class Joining(Rule):
    """A fee the member pays once per household; rights never wait for it."""

    amount: Units


class Payment(Rule):
    """Sums come in multiples of `step`; they pay the oldest bill first, and dues before the joining fee."""

    step: Count
    arrears: Literal["oldest-first"] = "oldest-first"
    allocation: tuple[Literal["dues", "joining"], ...] = ("dues", "joining")


class Reminders(Rule):
    """How many days before and after a household's date its unpaid dues are reminded of by SMS."""

    before: tuple[Count, ...] = ()
    after: tuple[Count, ...] = ()


class Benefit(Rule):
    """A kind of care the scheme names."""

    code: Code
    label: Words


def about_prices(categories: Sequence[Category], options: Sequence[Option]) -> Iterator[str]:
    """What is wrong with the prices: every option has one, and the other payers leave no less than nothing."""
    codes = {option.code for option in options}
    for category in categories:
        told = [category.price, *(share.amount for share in category.others if share.amount is not None)]
        if any(set(prices) != codes for prices in told):
            yield f"category {category.code}: needs a price and amounts for exactly the options {', '.join(sorted(codes))}"
        elif any(category.member_part(code) < 0 for code in codes):
            yield f"category {category.code}: the other payers pay more than the price"


def about_claims(categories: Sequence[Category], options: Sequence[Option], usual: str) -> Iterator[str]:
    """What is wrong with the claims: one that lowers the member's price is billed higher until proven, others hold at once."""
    known = {category.code: category for category in categories}
    standard = known.get(usual)
    if len(known) < len(categories):
        yield "categories: two have the same code"
    if standard is None or standard.billed_as != standard.code:
        yield f"standard: {usual} must be a category that is billed as itself"
        return
    for category in categories:
        billed = known.get(category.billed_as)
        if billed is None or billed.billed_as != billed.code:
            yield f"category {category.code}: billed_as must name a category that is billed as itself"
        elif any(_cheaper(category, standard, o.code) and not _cheaper(category, billed, o.code) for o in options):
            yield f"category {category.code}: lowers the member's price, so billed_as must name a dearer one until checked"
        elif billed is not category and any(not _cheaper(category, billed, o.code) for o in options):
            yield f"category {category.code}: does not lower the member's price, so it holds at once: leave out billed_as"


def _cheaper(category: Category, other: Category, option: str) -> bool:
    """Whether the member pays less; a price that does not name the option is reported elsewhere."""
    try:
        return category.member_part(option) < other.member_part(option)
    except KeyError:
        return category is not other
