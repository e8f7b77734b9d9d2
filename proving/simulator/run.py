"""One seed from the first day to the last franc."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from config.settings import Settings
from gateway import truth
from mutuelle import clock, db, verify
from proving import demo
from proving.programs import free_port
from proving.simulator import chance, scores
from proving.simulator.outside import FAULTS, Outside
from proving.simulator.people import Farmer, World
from proving.simulator.plan import START, Plan, Stranger
from proving.simulator.product import Product
from proving.simulator.timeline import Timeline

PUBLIC_URL = "http://mutuelle.simulated"  # callbacks name it; they are carried, not posted
QUIET = timedelta(days=4)  # at the end: longer than money may still come late
PULL_S, SWEEP_S = 600, 30
AFTER_BEATS, IDLE_BEATS = 3, 72  # pulls after money moved, though some may fail; and one in twelve hours
KEYS = {"SECRET_KEY": "simulator-" * 4, "PHONE_KEY": "telephone-" * 4}


@dataclass(frozen=True)
class Place:
    """Where a seed runs: a migrated database of its own, a Redis of its own, a folder."""

    database_url: str
    superuser_url: str
    redis_url: str
    state_dir: Path


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
    env = environment(where, f"http://127.0.0.1:{port}")
    seeded = demo.seed(env, f"http://127.0.0.1:{port}", PUBLIC_URL)
    config = seeded["sandbox"] | {
        "port": port,
        "journal": str(where.state_dir / f"sandbox-journal-{port}.jsonl"),
        "virtual": {"now": START.isoformat(), "seed": plan.seed},
    }
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    settings = Settings.model_validate({name.lower(): value for name, value in env.items()})
    try:
        with Outside(timeline, where.state_dir, port, config) as outside:
            product = Product(settings, timeline, chance.of("falls", plan.seed), where.superuser_url, plan.faults.falls)
            ussd = seeded["endpoints"]["ussd"]["africastalking"]["url"]
            world = World(timeline, outside, product, ussd, plan.seed)
            try:
                with product.seams.installed():
                    struck = Run(world, plan, tell).live()
                return _compared(where, world, plan, struck, complaints)
            finally:
                product.close()
    finally:
        logging.getLogger().removeHandler(complaints)


def environment(where: Place, sandbox_url: str) -> dict[str, str]:
    """The product's settings; heartbeats are the real ones but for the list, which is pulled every ten minutes."""
    return KEYS | {
        "DATABASE_URL": where.database_url,
        "REDIS_URL": where.redis_url,
        "PUBLIC_URL": PUBLIC_URL,
        "AT_USERNAME": "sandbox",
        "AT_API_KEY": "simulated",
        "AT_BASE_URL": f"{sandbox_url}/africastalking",
        "MTN_BASE_URL": f"{sandbox_url}/mtn",
        "MTN_TARGET_ENVIRONMENT": "mtnrwanda",
        "WAVE_BASE_URL": f"{sandbox_url}/wave",
        "PULL_S": str(PULL_S),
        "SWEEP_S": str(SWEEP_S),
        "LOG_LEVEL": "ERROR",
        "STATE_DIR": str(where.state_dir),
    }


class Run:
    """The loop: letters and events in the order of their time."""

    def __init__(self, world: World, plan: Plan, tell: Callable[[str], None]) -> None:
        self._world, self._plan, self._tell = world, plan, tell
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
        idle = beats % IDLE_BEATS and world.timeline.now > world.outside.moved_at + timedelta(seconds=AFTER_BEATS * PULL_S)
        if not idle:
            world.product.ring()
        world.timeline.after(PULL_S, lambda: self._pull(beats + 1))


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
