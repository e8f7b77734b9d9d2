"""Draws the plan of a seed: people, habits, the days they act on, and the rates of faults."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from proving.demo.demo import PLACES, DemoMutuelle
from proving.simulator import randomness

START = datetime(2026, 11, 2, tzinfo=UTC)
MARKET_DAYS, MARKET_S = 3, 300.0  # people act together, on every third day, within minutes
STEP = {"SN-CMU": 100, "RW-CBHI": 1000, "ML-5050": 25}
CATEGORIES = {"SN-CMU": (1, 1, 1, 2, 3), "RW-CBHI": (2, 3, 4), "ML-5050": (1, 1, 1, 2)}
PREFIX = {"SN": ("+22177", 7), "RW": ("+25078", 7), "ML": ("+22370", 6)}


@dataclass(frozen=True)
class FaultRates:
    """Shares of faults outside, and of jobs in which a worker crashes."""

    outside: dict[str, float | int]
    falls: float
    redis_lost: int  # times
    outages: int  # times no operator answers, for minutes or hours
    reversed: float  # share of the Wave payments


FAULTS = FaultRates(
    outside={
        "duplicate": 0.08,
        "drop": 0.1,
        "delay": 0.12,
        "delay_s": 5400,
        "reorder": 0.07,
        "timeout_before": 0.02,
        "timeout_after": 0.025,
        "http_500": 0.02,
        "timeout_s": 0,
    },
    falls=0.04,
    redis_lost=3,
    outages=1,
    reversed=0.06,
)


@dataclass(frozen=True)
class PersonPlan:
    """The plan of one head of household; `years` are birth years, two digits each."""

    phone: str
    place: DemoMutuelle
    relative: str
    category: int
    adults: int
    children: int
    years: str
    joins: datetime
    acts: tuple[datetime, ...]
    name: str
    second: DemoMutuelle | None = None  # another mutuelle, joined with the same phone


@dataclass(frozen=True)
class Stranger:
    """A payer unknown to every mutuelle, who pays once without a request."""

    when: datetime
    phone: str
    place: DemoMutuelle
    amount: int


@dataclass(frozen=True)
class Plan:
    """All that a seed decides before the first day."""

    seed: int
    days: int
    people: tuple[PersonPlan, ...]
    strangers: tuple[Stranger, ...]
    redis_lost: tuple[datetime, ...]
    outages: tuple[tuple[datetime, float], ...]
    faults: FaultRates
    end: datetime

    @classmethod
    def of(cls, seed: int, days: int, households: int, faults: FaultRates) -> "Plan":
        """Draws the plan; the same arguments give the same plan."""
        luck = randomness.of("plan", seed)
        markets = [
            START + timedelta(days=day, hours=luck.randrange(7, 19)) for day in range(0, days, MARKET_DAYS)
        ]
        people = [_person(luck, number, markets) for number in range(households)]
        waves = [place for place in PLACES if place.operator == "wave"]
        strangers = [_stranger(luck, number, markets, waves) for number in range(max(2, households // 12))]
        lost = [
            START + timedelta(seconds=luck.uniform(0, days * 86_400)) for _ in range(faults.redis_lost // 2)
        ]
        lost += [_moment(luck, markets) for _ in range(faults.redis_lost - len(lost))]
        outages = tuple((_moment(luck, markets), luck.uniform(600, 7200)) for _ in range(faults.outages))
        end = START + timedelta(days=days)
        return cls(seed, days, tuple(people), tuple(strangers), tuple(sorted(lost)), outages, faults, end)


def _moment(luck: random.Random, markets: list[datetime]) -> datetime:
    return luck.choice(markets) + timedelta(seconds=luck.uniform(0, MARKET_S))


def _other(place: DemoMutuelle) -> DemoMutuelle:
    """Returns another mutuelle with the same operator."""
    return next(other for other in PLACES if other.operator == place.operator and other is not place)


def _stranger(
    luck: random.Random, number: int, markets: list[datetime], places: list[DemoMutuelle]
) -> Stranger:
    return Stranger(
        _moment(luck, markets),
        _number(luck.choice(places), 900_000 + number),
        luck.choice(places),
        luck.randrange(1, 60) * 100,
    )


def _number(place: DemoMutuelle, serial: int) -> str:
    prefix, digits = PREFIX[place.country]
    return prefix + str(serial).zfill(digits)


def _person(luck: random.Random, number: int, markets: list[datetime]) -> PersonPlan:
    """Draws a person who joins in the first third of the days and acts on three to five later markets."""
    place = PLACES[number % len(PLACES)]
    first = luck.randrange(max(1, len(markets) // 3))
    adults, children = luck.randint(1, 3), luck.randint(0, 4)
    years = "".join(f"{luck.randint(55, 99)}" for _ in range(adults)) + "".join(
        f"{luck.randint(10, 25)}" for _ in range(children)
    )
    later = markets[first + 1 :] or markets[-1:]
    acts = sorted(_moment(luck, later) for _ in range(luck.randint(3, 5)))
    return PersonPlan(
        phone=_number(place, number + 1),
        place=place,
        relative=_number(place, 500_000 + number),
        category=luck.choice(CATEGORIES[place.scheme]),
        adults=adults,
        children=children,
        years=years,
        joins=markets[first] + timedelta(seconds=luck.uniform(0, MARKET_S)),
        acts=tuple(acts),
        name=f"person {number}",
        second=_other(place) if place.operator == "wave" and number % 9 == 0 else None,
    )
