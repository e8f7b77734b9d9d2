"""Join: consent, category, number of people, birth years, price, yes.

No name is typed: members stay provisional until an agent or a list names them.
"""

from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from menus import cover, parse, pay, values
from menus.screens import (
    Ask,
    Confirm,
    Dialogue,
    EffectRequest,
    End,
    Goto,
    Menu,
    MenuOption,
    ScreenView,
    TextChoice,
    Value,
    value,
)
from mutuelle.contributions import quotes
from mutuelle.contributions.quotes import Quote
from mutuelle.enrolment import enrolment, joining_price
from mutuelle.enrolment.joining_price import JoiningHousehold
from mutuelle.errors import Refused
from mutuelle.schemes import schemes

CONSENT = "2026-11"  # the version of `join.consent`, stored with the household; raise it with the words
TYPED_MAX = 20  # people one caller may type; more is a typing error
ENTRY = Goto(
    ("join.already", "join.consent"), lambda view: "join.already" if view.facts.household else "join.consent"
)


def people_max(view: ScreenView) -> int:
    """Returns how many people may be typed.

    Where the rule does not refuse people over its limit, they are enrolled and the screen says that they are
    not covered.
    """
    rule = values.rules(view).household
    return rule.people_max if rule.beyond == "refused" else max(rule.people_max, TYPED_MAX)


def children_max(view: ScreenView) -> int:
    return people_max(view) - int(view.answers["adults"])


def adults(typed: str, view: ScreenView) -> int:
    return parse.count(typed, 1, people_max(view))


def children(typed: str, view: ScreenView) -> int:
    return parse.count(typed, 0, children_max(view))


def people(view: ScreenView) -> int:
    return int(view.answers["adults"]) + int(view.answers["children"])


def birth_years(typed: str, view: ScreenView) -> list[int]:
    """Parses the birth years. Returns them with four digits, adults first."""
    on, adult_count = date.fromisoformat(view.facts.on), int(view.answers["adults"])
    years = parse.years(typed, people(view))
    return [birth_year(year, index < adult_count, on) for index, year in enumerate(years)]


def birth_year(year: int, adult: bool, on: date) -> int:
    """Returns the four-digit birth year of an adult or a child; over 99 years it must be typed in full."""
    if year < 100:
        return quotes.birth_year(year, adult, on)
    if not 0 <= quotes.age(year, on) <= quotes.AGE_MAX:
        raise Refused("born.impossible", year=year)
    if (quotes.age(year, on) >= quotes.ADULT) != adult:
        raise Refused("born.not-adult" if adult else "born.not-child", year=year)
    return year


def quote(view: ScreenView) -> Quote:
    """Returns the price of joining today; a claimed category counts as unproven."""
    on = date.fromisoformat(view.facts.on)
    return _quote(
        view.facts.scheme,
        tuple(view.answers["born"]),
        on,
        view.answers.get("category"),
        view.answers.get("option"),
    )


@lru_cache(maxsize=1024)
def _quote(scheme: str, born: tuple[int, ...], on: date, category: str | None, option: str | None) -> Quote:
    """Prices the household as its bill will be.

    Cached because one screen shows several amounts of a quote, and the next screen the same ones again.
    """
    household = JoiningHousehold(born, category, option=option)
    return joining_price.price(schemes.get(scheme), household, on).quote


def _people_text(view: ScreenView) -> str:
    if quote(view).people < people(view):
        return "join.some"
    return "join.people" if people(view) > 1 else "join.person"


def join(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Enrols the household. Returns its member number."""
    enrolled = enrolment.enrol(
        session,
        UUID(request.facts.tenant_id),
        enrolment.NewHousehold(
            phone=request.phone,
            language=request.language,
            category=request.answers.get("category"),
            option=request.answers.get("option"),
            birth_years=request.answers["born"],
            adults=request.answers["adults"],
            consent=request.answers["consent"],
            channel="ussd",
            sms=True,
        ),
    )
    return {"number": enrolled.number}


def _category(index: int) -> MenuOption:
    def is_shown(view: ScreenView) -> bool:
        return index < len(values.rules(view).category_choices)

    def label(view: ScreenView) -> str:
        return values.label(values.rules(view).category_choices[index].label, view.language)

    def store(view: ScreenView) -> dict[str, Any]:
        return {"category": values.rules(view).category_choices[index].code}

    longest = values.longest(lambda version: [c.label for c in version.category_choices[index : index + 1]])
    return MenuOption(Value(label, longest), AFTER_CATEGORY, show=is_shown, store=store)


def _category_label(view: ScreenView, code: str) -> str:
    return next(
        values.label(c.label, view.language) for c in values.rules(view).category_choices if c.code == code
    )


def _covered_by(view: ScreenView) -> str:
    labels = (c.covered_by for c in values.rules(view).elsewhere if c.code == view.answers["category"])
    return next((values.label(label, view.language) for label in labels), "")


def _paper(view: ScreenView) -> str:
    """Returns the paper that proves the chosen category, or "" where the rule book names none."""
    labels = (c.paper for c in values.rules(view).categories if c.code == view.answers["category"])
    return next((values.label(label, view.language) for label in labels if label), "")


def _after_category(view: ScreenView) -> str:
    """A caller covered elsewhere must not pay twice; one who must prove first cannot join by telephone."""
    if _covered_by(view):
        return "join.elsewhere"
    category = values.rules(view).category(view.answers["category"])
    return "join.prove" if category.proof_first or category.unpriced else "join.adults"


AFTER_CATEGORY = Goto(("join.adults", "join.elsewhere", "join.prove"), _after_category)


def _after_births(view: ScreenView) -> str:
    category = view.answers.get("category")
    return "join.claim" if category and quote(view).billed_category != category else _after_claim(view)


def _after_claim(view: ScreenView) -> str:
    """A scheme with one period does not ask for the period."""
    return "join.period" if len(values.rules(view).options) > 1 else "join.confirm"


def _option(index: int) -> MenuOption:
    """Returns the option of one period, labelled with the member's share of its price."""

    def is_shown(view: ScreenView) -> bool:
        return index < len(values.rules(view).options)

    def label(view: ScreenView) -> str:
        option = values.rules(view).options[index]
        price = quote(
            ScreenView(view.facts, {**view.answers, "option": option.code}, view.language, view.catalogue)
        )
        return f"{values.label(option.label, view.language)}: {view.money(price.shares['member'])}"

    def store(view: ScreenView) -> dict[str, Any]:
        return {"option": values.rules(view).options[index].code}

    longest_label = values.longest(lambda version: [o.label for o in version.options[index : index + 1]])

    def longest(language: str) -> str:
        label = longest_label(language)
        return f"{label}: {values.PRICE_MAX}" if label else ""

    return MenuOption(Value(label, longest), "join.confirm", show=is_shown, store=store)


ANY_CATEGORY = values.longest(lambda version: [c.label for c in version.category_choices])
ANY_PAPER = values.longest(lambda version: [c.paper for c in version.categories if c.paper])
ANY_COVER = values.longest(lambda version: [c.covered_by for c in version.elsewhere])

JOIN = Dialogue(
    screens=(
        Menu(
            "join.already",
            prompt="join.already",
            options=(MenuOption("home.cover", cover.ENTRY), MenuOption("home.pay", pay.ENTRY)),
        ),
        Menu(
            "join.consent",
            prompt="join.consent",
            options=(
                MenuOption(
                    "join.agree",
                    Goto(
                        ("join.category", "join.adults"),
                        lambda view: "join.category" if values.rules(view).asks_category else "join.adults",
                    ),
                    store=lambda view: {"consent": CONSENT},
                ),
                MenuOption("join.refuse", "join.declined"),
            ),
        ),
        End("join.declined", prompt="join.declined"),
        Menu("join.category", prompt="join.category", options=tuple(_category(index) for index in range(5))),
        End("join.elsewhere", prompt="join.elsewhere"),
        End(
            "join.prove",
            prompt=TextChoice(
                ("join.bring", "join.prove"), lambda view: "join.bring" if _paper(view) else "join.prove"
            ),
        ),
        Ask("join.adults", "join.adults", adults, "adults", "join.children", errors=("error.count",)),
        Ask(
            "join.children",
            "join.children",
            children,
            "children",
            "join.born",
            errors=("error.count",),
            zero=True,
        ),
        Ask(
            "join.born",
            "join.born",
            birth_years,
            "born",
            Goto(("join.claim", "join.period", "join.confirm"), _after_births),
            errors=(
                *("error.years.digits", "error.years.count"),
                *("born.not-adult", "born.not-child", "born.impossible"),
            ),
        ),
        Menu(
            "join.claim",
            prompt="join.claim",
            options=(MenuOption("go-on", Goto(("join.period", "join.confirm"), _after_claim)),),
        ),
        Menu("join.period", prompt="join.period", options=tuple(_option(index) for index in range(5))),
        Confirm(
            "join.confirm",
            prompt=(
                TextChoice(("join.some", "join.people", "join.person"), _people_text),
                "join.price",
                TextChoice(("join.fee", ""), lambda view: "join.fee" if quote(view).joining_fee else ""),
            ),
            do=join,
            yes="join.done",
            labels=("join.yes", "no"),
        ),
        End(
            "join.done",
            prompt=(
                "join.done",
                TextChoice(
                    ("join.next", "join.free"),
                    lambda view: "join.next" if quote(view).threshold else "join.free",
                ),
            ),
        ),
    ),
    values={
        "adults": values.count_value(lambda view: int(view.answers["adults"])),
        "children": values.count_value(lambda view: int(view.answers["children"])),
        "joining_people": values.count_value(people),
        "covered_people": values.count_value(lambda view: quote(view).people),
        "period": Value(
            lambda view: values.label(
                values.rules(view).option(view.answers.get("option")).label, view.language
            ),
            values.longest(lambda version: [option.label for option in version.options]),
        ),
        "quote_share": values.price_value(lambda view: quote(view).shares["member"]),
        "quote_others": values.price_value(lambda view: quote(view).total - quote(view).shares["member"]),
        "quote_total": values.price_value(lambda view: quote(view).total),
        "joining_fee": values.price_value(lambda view: quote(view).joining_fee),
        "threshold": values.price_value(lambda view: quote(view).threshold),
        "quote_from": values.date_value(lambda view: quote(view).opens_from),
        "quote_until": values.date_value(lambda view: quote(view).opens_until),
        "claimed": Value(lambda view: _category_label(view, view.answers["category"]), ANY_CATEGORY),
        "covered_by": Value(_covered_by, ANY_COVER),
        "paper": Value(_paper, ANY_PAPER),
        "billed": Value(lambda view: _category_label(view, quote(view).billed_category), ANY_CATEGORY),
        "new_number": value(lambda view: str(view.outcome.get("number", "")), values.NUMBER_MAX),
        "least": values.refusal_value("99"),
        "most": values.refusal_value("99"),
        "wanted": values.refusal_value("99"),
        "digits": values.refusal_value("99"),
        "typed": values.refusal_value("99"),
        "year": values.refusal_value("2026"),
    },
    draft_screens=(
        "join.category",
        "join.adults",
        "join.children",
        "join.born",
        "join.claim",
        "join.period",
        "join.confirm",
    ),
)
