"""The rules that the oracle follows, read from a rule book's text. Nothing of the product is used.

It reads only what the oracle knows: prices by person, one period of so many months, a rolling or a fixed
cycle, stages, waiting days for who was never covered, the share of a change, the joining fee, the step.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

DAY = timedelta(1)


@dataclass(frozen=True)
class Rules:
    """One version of a rule book, for the days from `since` on."""

    since: date
    standard: str
    months: int
    prices: dict[str, int]
    others: dict[str, list[dict[str, Any]]]
    billed_as: dict[str, str]
    evidence_months: dict[str, int]
    most_people: int
    year_starts: str | None
    ahead_days: int
    early: list[tuple[Fraction, int]]
    monthly: bool
    waiting_days: int
    whole: bool  # a change counts for the whole period, not for the months to come
    at_once: bool  # a new tariff changes bills under way
    joining_fee: int
    step: int
    lead_days: int

    def price(self, category: str, people: int) -> dict[str, int]:
        """What each payer owes for a whole period: others rounded down, the member the rest."""
        total = self.prices[category] * min(people, self.most_people)
        parts = {}
        for other in self.others[category]:
            if "part" in other:
                parts[other["payer"]] = int(total * Fraction(str(other["part"])))
            else:
                parts[other["payer"]] = min(people, self.most_people) * next(iter(other["amount"].values()))
        return {"member": total - sum(parts.values()), **parts}

    def stages(self, share: int) -> list[tuple[int, int]]:
        """What must be paid of a member's `share`, and how many months of the period that opens.

        Where one sum opens several stages, it opens the longest of them at once.
        """
        parts = [*self.early, (Fraction(1), self.months)]
        if self.monthly:
            parts = [(Fraction(month, self.months), month) for month in range(1, self.months + 1)]
        stages: dict[int, int] = {}
        for part, months in parts:
            stages[min(share, ceil(share * part / self.step) * self.step)] = months
        return sorted(stages.items())

    def months_open(self, share: int, paid: int) -> int:
        """How many months of the period `paid` units of a member's `share` open."""
        return max((months for threshold, months in self.stages(share) if paid >= threshold), default=0)

    def year_of(self, day: date) -> tuple[date, date] | None:
        """The fixed year of a day; None in a rolling cycle."""
        if self.year_starts is None:
            return None
        first = date.fromisoformat(f"{day.year}-{self.year_starts}")
        if first > day:
            first = first.replace(year=day.year - 1)
        return first, first.replace(year=first.year + 1) - DAY


def month_later(first: date, months: int) -> date:
    """The same day of the month so many months later; the last day of a month that is too short."""
    month = first.month - 1 + months
    year, month = first.year + month // 12, month % 12 + 1
    day = first.day
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


def read(text: str) -> list[Rules]:
    """The versions of a rule book, oldest first. A version that is `like` another one adds what differs."""
    books: dict[str, dict[str, Any]] = {}
    for version in tomllib.loads(text)["versions"]:
        books[str(version["from"])] = {**books.get(str(version.get("like")), {}), **version}
    return [_rules(books[day]) for day in sorted(books)]


def in_force(versions: list[Rules], day: date) -> Rules:
    """The version of a day."""
    return [rules for rules in versions if rules.since <= day][-1]


def _rules(book: dict[str, Any]) -> Rules:
    option = book["options"][0]
    categories = {category["code"]: category for category in book["categories"] if "price" in category}
    opening, cycle = book["opening"], book["cycle"]
    return Rules(
        since=book["from"],
        standard=book["standard"],
        months=option["months"],
        prices={code: category["price"][option["code"]] for code, category in categories.items()},
        others={code: category.get("others", []) for code, category in categories.items()},
        billed_as={code: category.get("billed_as", code) for code, category in categories.items()},
        evidence_months={code: category.get("evidence_months", 0) for code, category in categories.items()},
        most_people=book["household"]["people_max"],
        year_starts=cycle.get("starts"),
        ahead_days=cycle.get("ahead_days", 0),
        early=[(Fraction(str(part["paid"])), part["months"]) for part in opening.get("early", [])],
        monthly=opening.get("monthly", False),
        waiting_days=book["waiting"]["days"],
        whole=book["adjustment"]["prorata"] == "whole",
        at_once=book["adjustment"].get("tariff") == "at-once",
        joining_fee=book["joining"]["amount"],
        step=book["payment"]["step"],
        lead_days=max(book["reminders"]["before"]) + 1,
    )
