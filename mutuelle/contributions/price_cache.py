"""Caches prices in a billing run: households with the same age mix and category share one computation.

Pure; the price itself is `quotes.quote_period`.
"""

from collections.abc import Sequence
from datetime import date

from mutuelle.contributions.quotes import AGE_MAX, PeriodQuote, age, quote_period
from mutuelle.schemes.money_rules import Category
from mutuelle.schemes.schemes import Scheme
from mutuelle.schemes.version_rules import Version

PersonPrices = tuple[int, ...]  # the prices that one person adds to a household's: one, or none if it is free


class Tariff:
    """The prices of households of one category and option, on one day, with the same last day of cover."""

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
        self._people_max = version.household.people_max
        self._by_birth_year: dict[int, PersonPrices | None] = {}
        self._quotes: dict[tuple[tuple[PersonPrices | None, ...], tuple[int, ...]], PeriodQuote] = {}

    def quote(self, born: Sequence[int]) -> PeriodQuote:
        """The quote for people born in these years. Raises Refused as `quotes.quote_period` does."""
        by_year = self._by_birth_year
        for year in born:
            if year not in by_year:
                by_year[year] = self._person_prices(year)
        # Households have the same bill if their people are charged the same and the same are over the limit.
        key = (tuple([by_year[year] for year in born[: self._people_max]]), tuple(born[self._people_max :]))
        quote = self._quotes.get(key)
        if quote is None:
            quote = quote_period(
                self._scheme,
                self._version,
                self._category,
                born,
                self._option,
                on=self._on,
                covered_until=self._covered_until,
            )
            if None not in key[0]:
                self._quotes[key] = quote
        return quote

    def _person_prices(self, year: int) -> PersonPrices | None:
        """Returns the prices for a person born in `year`, None for an impossible year, which is refused."""
        if not 0 <= age(year, self._on) <= AGE_MAX:
            return None
        return tuple(self._version.pricing.prices_for(self._category, [age(year, self._on)], self._option))


class PriceCache:
    """The tariffs of one day in one scheme that a billing run has needed so far."""

    def __init__(self, scheme: Scheme, on: date) -> None:
        self.scheme, self.on = scheme, on
        self._tariffs: dict[tuple[date, str, str, date | None], Tariff] = {}

    def of(self, version: Version, category: Category, option: str, covered_until: date | None) -> Tariff:
        """The tariff for these rules, category, option and last day of cover."""
        key = (version.since, category.code, option, covered_until)
        tariff = self._tariffs.get(key)
        if tariff is None:
            tariff = Tariff(self.scheme, version, category, option, self.on, covered_until)
            self._tariffs[key] = tariff
        return tariff
