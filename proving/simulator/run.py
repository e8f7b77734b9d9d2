"""One seed from the first day to the last franc."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg

from config.settings import Settings
from gateway import truth
from mutuelle import clock, db, verify
from proving.programs import free_port
from proving.simulator import chance, scores
from proving.simulator.ground import Place
from proving.simulator.outside import FAULTS, Outside
from proving.simulator.people import Farmer, World
from proving.simulator.plan import START, Plan, Stranger
from proving.simulator.product import Product
from proving.simulator.timeline import Timeline

QUIET = timedelta(days=4)  # at the end: longer than money may still come late
AFTER_BEATS, IDLE_BEATS = 1, 72  # pulls after money moved, though some may fail; and one in twelve hours


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
    """Live the plan, let everything settle, compare. Broken promises are in the result; a Broken stops at once."""
    timeline = Timeline(START)
    luck = chance.of("ids", plan.seed)
    ids = partial(chance.new_id, luck)
    clock.install(clock.Source(now=lambda: timeline.now, ids=ids, chance=luck, ticks=timeline.seconds))
    port = free_port()
    sandbox_url = f"http://127.0.0.1:{port}"
    config = _world_of(where, plan) | {
        "port": port,
        "public_url": "http://wave.simulated",  # links are told by SMS: the port of the day must not be in them
        "journal": str(where.state_dir / f"sandbox-journal-{port}.jsonl"),
        "virtual": {"now": START.isoformat(), "seed": plan.seed},
    }
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    settings = _settings(where, sandbox_url)
    try:
        with Outside(timeline, where.state_dir, port, config) as outside:
            product = Product(settings, timeline, chance.of("falls", plan.seed), where.superuser_url, plan.faults.falls)
            ussd = where.seeded["endpoints"]["ussd"]["africastalking"]["url"]
            world = World(timeline, outside, product, ussd, plan.seed)
            try:
                with product.seams.installed():
                    struck = Run(world, plan, tell).live()
                return _compared(where, world, plan, struck, complaints)
            finally:
                product.close()
    finally:
        logging.getLogger().removeHandler(complaints)


def _world_of(where: Place, plan: Plan) -> dict[str, Any]:
    """The pretend world's own configuration. Delivery reports of SMS, half of all letters, come in every fifth seed only."""
    told = dict(where.seeded["sandbox"])
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
        self._chance = chance.of("run", plan.seed)

    def live(self) -> list[dict[str, Any]]:
        """All the days, then quiet without faults until nothing is late any more; what each fault befell."""
        world, plan = self._world, self._plan
        world.outside.faults(plan.faults.outside)
        for person in plan.people:
            world.timeline.follow(Farmer(world, person).live())
        for stranger in plan.strangers:
            world.timeline.at(stranger.when, partial(self._stranger, stranger))
        for when in plan.redis_lost:
            world.timeline.at(when, self._lose_redis)
        for _ in range(round(len(plan.people) * 3 * plan.faults.reversed)):
            when = START + timedelta(days=plan.days) * self._chance.uniform(0.2, 1)
            world.timeline.at(when, self._reverse)
        self._pull()
        self._until(plan.end)
        struck = world.outside.struck()
        world.outside.faults({"seed": plan.seed})
        world.product.calm()
        self._until(plan.end + QUIET)
        return struck

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

    def _stranger(self, one: Stranger) -> None:
        transaction = self._world.outside.pay(one.place.operator, one.place.code, one.phone, one.amount)
        self._world.meant[transaction] = (one.phone, one.place, False)
        self._world.counts["stranger"] += 1

    def _reverse(self) -> None:
        """The operator takes a payment back, whoever's it was."""
        taken = [row for row in self._world.outside.truth() if row["operator"] == "wave" and not row["reversed"]]
        if taken:
            self._world.outside.reverse("wave", self._chance.choice(taken)["transaction"])
            self._world.counts["reversed"] += 1

    def _lose_redis(self) -> None:
        self._world.product.empty_redis()
        self._world.counts["redis_lost"] += 1

    def _pull(self, beats: int = 0) -> None:
        """The scheduler rings for the lists at every beat. Most beats at which no list can have changed are passed over."""
        world = self._world
        changed = world.timeline.now <= world.outside.moved_at + timedelta(seconds=AFTER_BEATS * self._pull_s)
        if changed or beats % IDLE_BEATS == 0:
            world.product.ring()
        world.timeline.after(self._pull_s, lambda: self._pull(beats + 1))


def _compared(where: Place, world: World, plan: Plan, struck: list[dict[str, Any]], complaints: Complaints) -> Result:
    """The books against the pretend world's own record, by `mutuelle verify` and by what money was meant for."""
    with db.transaction(db.Role.AUDITOR, within_s=600) as session:
        verified = verify.run(session, truth.read(world.outside.url + "/truth")).as_json()
    with psycopg.connect(where.superuser_url) as books:
        told = scores.score(books, world.outside.truth(), world.meant, struck, verified)
        summary = scores.digest(books)
    told.broken += complaints.said
    faults = Counter(dict.fromkeys(FAULTS, 0))
    for one in struck:
        faults[one["fault"]] += one["times"]
    for place, times in world.product.seams.fallen.items():
        faults[f"fall_{place}"] = times
    for name in ("redis_lost", "reversed", "repeated_hop"):
        faults[name] = world.counts.pop(name, 0)
    return Result(plan.seed, told, dict(faults), dict(sorted(world.counts.items())), summary)
