"""Tariffs: the bills of many households priced at once. What the rules said about one is told again of the
next that costs the same, so each price is worked out once. Pure; the rules are `quotes.dues` alone."""

from collections.abc import Sequence
from datetime import date

from mutuelle.contributions.quotes import AGE_MAX, PeriodQuote, age, quote_period
from mutuelle.schemes.money_rules import Category
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.versions import Version

Charged = tuple[int, ...]  # what one person adds to a price: nothing, or one price


class Tariff:
    """What households of one category pay that buy one option on one day and have the same last day of
    cover."""

    def __init__(
        self,
        scheme: Scheme,
        version: Version,
        category: Category,
        option: str,
        on: date,
        covered_until: date | None,
    ) -> None:
        self._scheme, self._version, self._category, self._option = scheme, version, category, option
        self._on, self._covered_until = on, covered_until
        self._most = version.household.people_max
        self._charged: dict[int, Charged | None] = {}
        self._known: dict[tuple[tuple[Charged | None, ...], tuple[int, ...]], PeriodQuote] = {}

    def dues(self, born: Sequence[int]) -> PeriodQuote:
        """The bill of people born in these years. Refused as `quotes.dues` says."""
        charged = self._charged
        for year in born:
            if year not in charged:
                charged[year] = self._charge(year)
        # Two households whose people are charged the same, with the same people over the limit, have the same
        # bill.
        key = (tuple([charged[year] for year in born[: self._most]]), tuple(born[self._most :]))
        known = self._known.get(key)
        if known is None:
            known = quote_period(self._scheme, self._version, self._category, born, self._option, on=self._on,
                         covered_until=self._covered_until)  # fmt: skip
            if None not in key[0]:
                self._known[key] = known
        return known

    def _charge(self, year: int) -> Charged | None:
        """None for an impossible year, which the rules refuse."""
        if not 0 <= age(year, self._on) <= AGE_MAX:
            return None
        return tuple(self._version.pricing.charged(self._category, [age(year, self._on)], self._option))


class PriceCache:
    """The tariffs that the bills of one day in one scheme have met so far."""

    def __init__(self, scheme: Scheme, on: date) -> None:
        self.scheme, self.on = scheme, on
        self._met: dict[tuple[date, str, str, date | None], Tariff] = {}

    def of(self, version: Version, category: Category, option: str, covered_until: date | None) -> Tariff:
        """The tariff of a household, by what it is and has."""
        key = (version.since, category.code, option, covered_until)
        found = self._met.get(key)
        if found is None:
            found = self._met[key] = Tariff(self.scheme, version, category, option, self.on, covered_until)
        return found
