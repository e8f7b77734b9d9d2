"""One seed from the first day to the last franc."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg

from config.settings import Settings
from gateway.cli import true_movements
from mutuelle import clock, db
from mutuelle.verification import verify
from proving.simulator import randomness, scores
from proving.simulator.crashes import PLACES_TO_FALL
from proving.simulator.database import Place
from proving.simulator.outside import FAULTS, Outside
from proving.simulator.people import Broken, Farmer, World
from proving.simulator.plan import START, Plan, Stranger
from proving.simulator.product import Product
from proving.simulator.timeline import Timeline
from proving.stage.programs import free_port
from workers import batch

HAPPENED = ("redis_lost", "reversed", "repeated_hop")  # counted with the faults
ENOUGH, TOUCHED = 50, 0.2  # of so many payments this share must have met a fault
QUIET = timedelta(days=4)  # at the end: longer than money may still come late
OUTAGE: dict[str, float | int] = {
    "http_500": 0.6,
    "timeout_before": 0.9,
    "timeout_s": 0,
    "drop": 0.5,
}  # nearly nobody answers
AFTER_BEATS, IDLE_BEATS = 1, 144  # pulls after money moved, though that one may fail; and one a day


@dataclass
class Result:
    seed: int
    scores: scores.Scores
    faults: dict[str, int]
    habits: dict[str, int]
    digest: str

    @property
    def broken(self) -> list[str]:
        return self.scores.broken

    def as_json(self) -> dict[str, Any]:
        """The line of contract §4, and what it grew by."""
        told = asdict(self.scores)
        del told["broken"]
        payments = told.pop("payments")
        return {"seed": self.seed, "payments": payments, "faults": self.faults, **told, "habits": self.habits,
                "digest": self.digest}  # fmt: skip


class Complaints(logging.Handler):
    """What our own code logs as an error: a row that failed in a way nobody foresaw is a broken promise."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"LOGGED {record.name}: {record.getMessage()}")


def simulate(where: Place, plan: Plan, tell: Callable[[str], None] = lambda line: None) -> Result:
    """Live the plan, let everything settle, compare. Broken promises are in the result; a Broken stops at
    once."""
    with lived(where, plan, tell) as over:
        return over.compared()


@contextmanager
def lived(where: Place, plan: Plan, tell: Callable[[str], None] = lambda line: None) -> Iterator["Over"]:
    """The plan is lived and everything has settled; the pretend world still answers."""
    timeline = Timeline(START)
    luck = randomness.of("ids", plan.seed)
    ids = partial(randomness.new_id, luck)
    clock.install(clock.Source(now=lambda: timeline.now, ids=ids, chance=luck, ticks=timeline.seconds))
    batch.set_inline(True)
    port, complaints = free_port(), Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        with Outside(timeline, where.state_dir, port, _world_of(where, plan, port)) as outside:
            settings = _settings(where, outside.url)
            luck, share = randomness.of("falls", plan.seed), plan.faults.falls
            product = Product(settings, timeline, outside, luck, where.superuser_url, share)
            try:
                ussd = where.seeded["endpoints"]["ussd"]["africastalking"]["url"]
                world = World(timeline, outside, product, ussd, plan.seed)
                with product.seams.installed():
                    struck = Run(world, plan, tell).live()
                yield Over(where, plan, world, struck, complaints)
            except Broken as broken:
                raise Broken(f"{broken} {complaints.said[:1] or ''}") from broken
            finally:
                product.close()
    finally:
        logging.getLogger().removeHandler(complaints)
        batch.set_inline(False)
        clock.install(clock.Source())


def _world_of(where: Place, plan: Plan, port: int) -> dict[str, Any]:
    """The pretend world's own configuration. Delivery reports of SMS, half of all letters, come in every
    fifth seed only."""
    told: dict[str, Any] = (
        where.seeded["sandbox"]
        | {
            "port": port,
            "public_url": "http://wave.simulated",  # links are told by SMS: the port of the day must not be in them
            "journal": str(where.state_dir / f"sandbox-journal-{port}.jsonl"),
            "virtual": {"now": START.isoformat(), "seed": plan.seed},
        }
    )
    if plan.seed % 5:
        told["africastalking"] = told["africastalking"] | {"sms": {}}
    return told


def _settings(where: Place, sandbox_url: str) -> Settings:
    providers = {"AT_BASE_URL": "africastalking", "MTN_BASE_URL": "mtn", "WAVE_BASE_URL": "wave"}
    given = where.settings | {name: f"{sandbox_url}/{path}" for name, path in providers.items()}
    return Settings.model_validate({name.lower(): value for name, value in given.items()})


class Run:
    """The loop: letters and events in the order of their time."""

    def __init__(self, world: World, plan: Plan, tell: Callable[[str], None]) -> None:
        self._world, self._plan, self._tell = world, plan, tell
        self._pull_s = world.product.settings.pull_s
        self._chance = randomness.of("run", plan.seed)
        self._struck: list[dict[str, Any]] = []
        self._plans = 0

    def live(self) -> list[dict[str, Any]]:
        """All the days, then quiet without faults until nothing is late any more; what each fault befell."""
        world, plan = self._world, self._plan
        self._go_wrong(plan.faults.outside)
        for person in plan.people:
            world.timeline.follow(Farmer(world, person).live())
        for stranger in plan.strangers:
            world.timeline.at(stranger.when, partial(self._stranger, stranger))
        for when, seconds in plan.outages:
            world.timeline.at(when, partial(self._go_wrong, OUTAGE))
            world.timeline.at(when + timedelta(seconds=seconds), partial(self._go_wrong, plan.faults.outside))
        for when in plan.redis_lost:
            world.timeline.at(when, self._lose_redis)
        for _ in range(round(len(plan.people) * 3 * plan.faults.reversed)):
            when = START + timedelta(days=plan.days) * self._chance.uniform(0.2, 1)
            world.timeline.at(when, self._reverse)
        self._pull()
        self._until(plan.end)
        self._go_wrong({})
        world.product.calm()
        self._until(plan.end + QUIET)
        return self._struck

    def _until(self, end: datetime) -> None:
        world = self._world
        timeline, day = world.timeline, -1
        while (due := timeline.next_at()) is not None and due <= end:
            letter = world.outside.go_on(due)
            if letter is None:
                timeline.take()()
            else:
                world.outside.answered(world.product.carry(letter))
            world.product.look()
            if (today := int(timeline.seconds() // 86_400)) != day:
                day = today
                self._tell(f"seed {self._plan.seed}: day {day + 1}")

    def _go_wrong(self, faults: dict[str, float | int]) -> None:
        """Other faults from now on. What struck until now is kept, and the draws are others."""
        outside = self._world.outside
        self._struck += outside.struck()
        self._plans += 1
        outside.faults(faults | {"seed": self._plan.seed * 100 + self._plans})

    def _stranger(self, one: Stranger) -> None:
        transaction = self._world.outside.pay(one.place.operator, one.place.code, one.phone, one.amount)
        self._world.meant[transaction] = (one.phone, one.place, False)
        self._world.counts["stranger"] += 1

    def _reverse(self) -> None:
        """The operator takes a payment back, whoever's it was."""
        taken = [
            row for row in self._world.outside.truth() if row["operator"] == "wave" and not row["reversed"]
        ]
        if taken:
            self._world.outside.reverse("wave", self._chance.choice(taken)["transaction"])
            self._world.counts["reversed"] += 1

    def _lose_redis(self) -> None:
        self._world.product.empty_redis()
        self._world.counts["redis_lost"] += 1

    def _pull(self, beats: int = 0) -> None:
        """The scheduler rings for the lists at every beat. Most beats at which no list can have changed are
        passed over."""
        world = self._world
        changed = world.timeline.now <= world.outside.moved_at + timedelta(seconds=AFTER_BEATS * self._pull_s)
        if changed or beats % IDLE_BEATS == 0:
            world.product.ring()
        world.timeline.after(self._pull_s, lambda: self._pull(beats + 1))


@dataclass
class Over:
    """All days are over; what is left is to compare."""

    where: Place
    plan: Plan
    world: World
    struck: list[dict[str, Any]]
    complaints: Complaints

    def compared(self) -> Result:
        """The books against the pretend world's own record, by `mutuelle verify` and by what money was meant
        for."""
        outside = self.world.outside
        with db.transaction(db.Role.AUDITOR, within_s=600) as session:
            verified = verify.run(session, true_movements.read(outside.url + "/truth")).as_json()
        with psycopg.connect(self.where.superuser_url) as books:
            told = scores.score(books, outside.truth(), self.world.meant, self.struck, verified)
            summary = scores.digest(books)
        told.broken += self.complaints.said
        if told.payments >= ENOUGH and told.touched < TOUCHED:
            told.broken.append(f"FAULTS touched {told.touched:.0%} of the payments only")
        habits = {name: times for name, times in sorted(self.world.counts.items()) if name not in HAPPENED}
        return Result(self.plan.seed, told, self._faults(), habits, summary)

    def _faults(self) -> dict[str, int]:
        """How often everything that went wrong went wrong."""
        faults = Counter(dict.fromkeys(FAULTS, 0))
        for one in self.struck:
            faults[one["fault"]] += one["times"]
        for place in PLACES_TO_FALL:
            faults[f"fall_{place}"] = self.world.product.seams.fallen[place]
        faults["outage"] = len(self.plan.outages)
        for name in HAPPENED:
            faults[name] = self.world.counts[name]
        return dict(faults)
