"""Draws the plan of a seed: people, staff and operators, the moments they act at, and the rates of faults."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from proving.demo.demo import PLACES, DemoMutuelle
from proving.simulator import randomness

START = datetime(2026, 11, 2, tzinfo=UTC)
# The first day of a seed: an ordinary month, a new year, the end of Rwanda's fiscal year, a leap day.
STARTS = (
    START,
    datetime(2026, 12, 14, tzinfo=UTC),
    datetime(2027, 6, 7, tzinfo=UTC),
    datetime(2028, 2, 7, tzinfo=UTC),
)
MARKET_DAYS, MARKET_S = 3, 300.0  # people act together, on every third day, within minutes
STEP = {"SN-CMU": 100, "RW-CBHI": 1000, "ML-5050": 25}
CATEGORIES = {"SN-CMU": (1, 1, 1, 2, 3), "RW-CBHI": (2, 3, 4), "ML-5050": (1, 1, 1, 2)}
# Days in the middle of a seed on which only the daily work is done: waiting days end, years and bills end.
PAUSES = (0, 95, 340)
# What staff do, and how often beside the others.
STAFF_ACTS = {
    "name": 6,
    "add": 3,
    "remove": 2,
    "correct": 3,
    "prove": 3,
    "refuse": 1,
    "sponsor": 2,
    "attribute": 4,
    "pay_back": 3,
    "decide": 2,
}
CLAIM_EVERY = 11  # days
OPERATOR_ACTS = {"reverse": 3, "reverse_part": 2, "correct_fee": 1}
PREFIX = {"SN": ("+22177", 7), "RW": ("+25078", 7), "ML": ("+22370", 6)}


@dataclass(frozen=True)
class FaultRates:
    """Shares of faults outside, and of jobs in which a worker crashes."""

    outside: dict[str, float | int | str]
    falls: float
    redis_lost: int  # times
    outages: int  # times no operator answers, for minutes or hours
    silences: int  # times one operator does not answer for most of a day
    corrected: float  # share of the Wave payments that the operator takes back, or corrects the fee of
    staff: float  # what staff do for each household


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
        "unreadable": 0.05,
        "misordered": 0.1,
    },
    falls=0.04,
    redis_lost=3,
    outages=1,
    silences=1,
    corrected=0.09,
    staff=3,
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

    def act_name(self, act: datetime) -> str:
        """Returns the name of what this person does on the day of `act`."""
        return f"{self.name} at {act:%Y-%m-%d}"


@dataclass(frozen=True)
class Stranger:
    """A payer unknown to every mutuelle, who pays once without a request."""

    when: datetime
    phone: str
    place: DemoMutuelle
    amount: int


@dataclass(frozen=True)
class PlannedAct:
    """What staff, or an operator (`place` is None), do at a moment. `name` decides the draws."""

    when: datetime
    kind: str
    name: str
    place: DemoMutuelle | None = None

    @property
    def title(self) -> str:
        """Its name among the events of a plan."""
        where = f" in {self.place.code}" if self.place else ""
        return f"{self.name}: {self.kind}{where} at {self.when:%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Outage:
    """Operators do not answer for so many seconds: only one of them, or all (`only` is empty)."""

    when: datetime
    seconds: float
    only: str = ""


@dataclass(frozen=True)
class Calendar:
    """The days of a seed: `days` on which things happen, half of them before a pause of `pause` days."""

    start: datetime
    days: int
    pause: int

    def moment(self, day: float) -> datetime:
        """Returns the moment of a day, 0 being the begin of the first one."""
        return self.start + timedelta(days=day + (self.pause if day >= self.days / 2 else 0))


@dataclass(frozen=True)
class Plan:
    """All that a seed decides before the first day."""

    seed: int
    days: int
    people: tuple[PersonPlan, ...]
    strangers: tuple[Stranger, ...]
    redis_lost: tuple[datetime, ...]
    outages: tuple[Outage, ...]
    acts: tuple[PlannedAct, ...]
    faults: FaultRates
    start: datetime
    end: datetime

    @classmethod
    def of(cls, seed: int, days: int, households: int, faults: FaultRates) -> "Plan":
        """Draws the plan; the same arguments give the same plan."""
        luck = randomness.of("plan", seed)
        calendar = Calendar(STARTS[seed % len(STARTS)], days, PAUSES[seed // len(STARTS) % len(PAUSES)])
        markets = [
            calendar.moment(day) + timedelta(hours=luck.randrange(7, 19))
            for day in range(0, days, MARKET_DAYS)
        ]
        people = [_person(luck, number, markets) for number in range(households)]
        waves = [place for place in PLACES if place.operator == "wave"]
        strangers = [_stranger(luck, number, markets, waves) for number in range(max(2, households // 12))]
        lost = [calendar.moment(luck.uniform(0, days)) for _ in range(faults.redis_lost // 2)]
        lost += [_moment(luck, markets) for _ in range(faults.redis_lost - len(lost))]
        outages = [Outage(_moment(luck, markets), luck.uniform(600, 7200)) for _ in range(faults.outages)]
        outages += [
            Outage(_moment(luck, markets), luck.uniform(20_000, 80_000), luck.choice(("wave", "mtn")))
            for _ in range(faults.silences)
        ]
        return cls(
            seed=seed,
            days=days,
            people=tuple(people),
            strangers=tuple(strangers),
            redis_lost=tuple(sorted(lost)),
            outages=tuple(outages),
            acts=tuple(_acts(seed, calendar, households, faults)),
            faults=faults,
            start=calendar.start,
            end=calendar.moment(days),
        )

    def events(self) -> list[str]:
        """Returns the names of all events that `only` can leave out, acts of people before the people."""
        people = [person.act_name(act) for person in self.people for act in person.acts]
        return [
            *(f"fault {name}" for name, share in self.faults.outside.items() if share),
            *(["crashes"] if self.faults.falls else []),
            *(f"outage {outage.when:%m-%d %H:%M}" for outage in self.outages),
            *(f"redis lost {when:%m-%d %H:%M}" for when in self.redis_lost),
            *(f"stranger {stranger.phone[-4:]}" for stranger in self.strangers),
            *(act.title for act in self.acts),
            *dict.fromkeys(people),
            *(person.name for person in self.people),
        ]

    def only(self, events: Collection[str]) -> "Plan":
        """Returns this plan with only these of its `events`; who does not join does nothing else either."""
        shares = {
            name: share if f"fault {name}" in events or name in ("delay_s", "timeout_s") else 0
            for name, share in self.faults.outside.items()
        }
        people = [
            replace(person, acts=tuple(act for act in person.acts if person.act_name(act) in events))
            for person in self.people
            if person.name in events
        ]
        falls = self.faults.falls if "crashes" in events else 0.0
        return replace(
            self,
            faults=replace(self.faults, outside=shares, falls=falls),
            outages=tuple(row for row in self.outages if f"outage {row.when:%m-%d %H:%M}" in events),
            redis_lost=tuple(row for row in self.redis_lost if f"redis lost {row:%m-%d %H:%M}" in events),
            strangers=tuple(row for row in self.strangers if f"stranger {row.phone[-4:]}" in events),
            acts=tuple(act for act in self.acts if act.title in events),
            people=tuple(people),
        )


def _acts(seed: int, calendar: Calendar, households: int, faults: FaultRates) -> Iterator[PlannedAct]:
    """Draws what staff and operators do; in the last two days nothing begins, so that all of it ends."""
    luck = randomness.of("acts", seed)
    last = max(1, calendar.days - 2)
    for number in range(round(households * faults.staff)):
        when = calendar.moment(luck.randrange(last)) + timedelta(hours=luck.uniform(8, 17))
        kind = luck.choices(tuple(STAFF_ACTS), tuple(STAFF_ACTS.values()))[0]
        yield PlannedAct(when, kind, f"staff {number}", luck.choice(PLACES))
    for place in PLACES if faults.staff else ():
        for number in range(1, last // CLAIM_EVERY + 1):
            when = calendar.moment(CLAIM_EVERY * number) + timedelta(hours=luck.uniform(8, 17))
            yield PlannedAct(when, "claim", f"claim {place.code} {number}", place)
    for number in range(round(households * 3 * faults.corrected)):
        when = calendar.moment(last * luck.uniform(0.2, 1))
        kind = luck.choices(tuple(OPERATOR_ACTS), tuple(OPERATOR_ACTS.values()))[0]
        yield PlannedAct(when, kind, f"operator {number}")


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
        f"{markets[0].year - 2000 - luck.randint(1, 16):02}" for _ in range(children)
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
