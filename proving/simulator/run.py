"""Runs one seed from the first day until all money has settled."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import psycopg

from config.settings import Settings
from gateway.cli import true_movements, wallet_balances
from gateway.doorbell import QueueName
from mutuelle import clock, db
from mutuelle.verification import balances, verify
from proving.demo.demo import PLACES
from proving.simulator import claim_office, randomness, scores, treasury
from proving.simulator.crashes import CRASH_PLACES
from proving.simulator.database import SeedDatabase
from proving.simulator.outside import FAULTS, SandboxProcess
from proving.simulator.people import BrokenPromise, Farmer, Simulation
from proving.simulator.plan import OPERATOR_ACTS, Outage, Plan, PlannedAct, Stranger
from proving.simulator.product import Product
from proving.simulator.staff import HOUSEHOLD_ACTS, Office
from proving.simulator.timeline import Timeline
from proving.stage.programs import free_port
from workers import batch

COUNTED_EVENTS = ("redis_lost", *OPERATOR_ACTS, "repeated_hop", "listed_late", "other_amount")
ENOUGH, TOUCHED = 50, 0.2  # of so many payments this share must have met a fault
QUIET = timedelta(days=4)  # at the end: longer than money may still come late
# Operators hardly answer.
OUTAGE: dict[str, float | int | str] = {"http_500": 0.6, "timeout_before": 0.9, "timeout_s": 0, "drop": 0.5}
# One operator answers nothing, for most of a day.
SILENCE: dict[str, float | int | str] = {"timeout_before": 1.0, "drop": 1.0}
FEE_PERMILLE = 10
DAILY_EVERY_S = 6 * 3600
OFFICE_ACTS = {
    "attribute": treasury.attribute,
    "pay_back": treasury.pay_back,
    "claim": claim_office.claim,
    "decide": claim_office.decide_duplicates,
}
AFTER_BEATS, IDLE_BEATS = 1, 144  # beats that pull lists after money moved; without it, one beat in so many


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
        """Returns the line of contract §4, with later additions."""
        values = asdict(self.scores)
        del values["broken"]
        payments = values.pop("payments")
        first = {"seed": self.seed, "payments": payments, "faults": self.faults}
        return first | values | {"habits": self.habits, "digest": self.digest}


class LoggedErrors(logging.Handler):
    """Collects errors that our code logs: an unforeseen failure of a row is a broken promise."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"LOGGED {record.name}: {record.getMessage()}")


def simulate(
    database: SeedDatabase, plan: Plan, progress: Callable[[str], None] = lambda line: None
) -> Result:
    """Runs the plan and compares. Broken promises are in the result; BrokenPromise stops at once."""
    with live(database, plan, progress) as finished:
        return finished.compare()


@contextmanager
def live(
    database: SeedDatabase, plan: Plan, progress: Callable[[str], None] = lambda line: None
) -> Iterator["FinishedRun"]:
    """Runs the plan until everything has settled; the sandbox still answers inside the block."""
    timeline = Timeline(plan.start)
    luck = randomness.of("ids", plan.seed)
    ids = partial(randomness.new_id, luck)
    clock.install(clock.Source(now=lambda: timeline.now, ids=ids, chance=luck, ticks=timeline.seconds))
    batch.set_inline(True)
    port, errors = free_port(), LoggedErrors()
    logging.getLogger().addHandler(errors)
    try:
        with SandboxProcess(
            timeline, database.state_dir, port, _sandbox_config(database, plan, port)
        ) as outside:
            settings = _settings(database, outside.url)
            luck, share = randomness.of("falls", plan.seed), plan.faults.falls
            product = Product(settings, timeline, outside, luck, database.superuser_url, share)
            try:
                ussd = database.seeded["endpoints"]["ussd"]["africastalking"]["url"]
                world = Simulation(timeline, outside, product, ussd, plan.seed)
                with product.crash_points.installed():
                    struck = Run(world, plan, progress).live()
                yield FinishedRun(database, plan, world, struck, errors)
            except BrokenPromise as promise:
                raise BrokenPromise(f"{promise} {errors.lines[:1] or ''}") from promise
            finally:
                product.close()
    finally:
        logging.getLogger().removeHandler(errors)
        batch.set_inline(False)
        clock.install(clock.Source())


def _sandbox_config(database: SeedDatabase, plan: Plan, port: int) -> dict[str, Any]:
    """Returns the sandbox's configuration. SMS reports, half of all callbacks, come in every fifth seed."""
    config: dict[str, Any] = database.seeded["sandbox"] | {
        "port": port,
        # SMS contain links: they must not contain the port.
        "public_url": "http://wave.simulated",
        "journal": str(database.state_dir / f"sandbox-journal-{port}.jsonl"),
        "virtual": {"now": plan.start.isoformat(), "seed": plan.seed},
        "wave": [account | {"fee_permille": FEE_PERMILLE} for account in database.seeded["sandbox"]["wave"]],
    }
    if plan.seed % 5:
        config["africastalking"] = config["africastalking"] | {"sms": {}}
    return config


def _settings(database: SeedDatabase, sandbox_url: str) -> Settings:
    providers = {"AT_BASE_URL": "africastalking", "MTN_BASE_URL": "mtn", "WAVE_BASE_URL": "wave"}
    values = database.settings | {name: f"{sandbox_url}/{path}" for name, path in providers.items()}
    return Settings.model_validate({name.lower(): value for name, value in values.items()})


class Run:
    """The loop: callbacks and events in the order of their time."""

    def __init__(self, world: Simulation, plan: Plan, progress: Callable[[str], None]) -> None:
        self._world, self._plan, self._progress = world, plan, progress
        self._pull_s = world.product.settings.pull_s
        self._chance = randomness.of("run", plan.seed)
        self._struck: list[dict[str, Any]] = []
        self._plans = 0

    def live(self) -> list[dict[str, Any]]:
        """Runs all days, then QUIET without faults. Returns what each fault hit."""
        world, plan = self._world, self._plan
        self._set_faults(plan.faults.outside)
        for person in plan.people:
            world.timeline.follow(Farmer(world, person).live())
        for stranger in plan.strangers:
            world.timeline.at(stranger.when, partial(self._stranger, stranger))
        for outage in plan.outages:
            self._plan_outage(outage)
        for when in plan.redis_lost:
            world.timeline.at(when, self._empty_redis)
        offices = {place.code: Office(world, place) for place in PLACES}
        for act in plan.acts:
            office = offices[act.place.code] if act.place else None
            world.timeline.at(act.when, partial(self._act, act, office))
        self._ring_daily()
        self._pull()
        self._until(plan.end)
        self._set_faults({})
        world.product.stop_crashes()
        self._until(plan.end + QUIET)
        return self._struck

    def _until(self, end: datetime) -> None:
        world = self._world
        timeline, day = world.timeline, -1
        while (due := timeline.next_at()) is not None and due <= end:
            callback = world.outside.advance(due)
            if callback is None:
                timeline.take()()
            else:
                world.outside.record_answer(world.product.carry(callback))
            world.product.plan_work()
            if (today := int(timeline.seconds() // 86_400)) != day:
                day = today
                self._progress(f"seed {self._plan.seed}: day {day + 1}")

    def _plan_outage(self, outage: Outage) -> None:
        """Plans the begin and the end of an outage; other faults go on where only one operator is silent."""
        timeline, usual = self._world.timeline, self._plan.faults.outside
        faults = usual | SILENCE | {"only": outage.only} if outage.only else OUTAGE
        timeline.at(outage.when, partial(self._set_faults, faults))
        timeline.at(outage.when + timedelta(seconds=outage.seconds), partial(self._set_faults, usual))

    def _act(self, act: PlannedAct, office: Office | None) -> None:
        chance = randomness.of(act.name, self._plan.seed)
        self._world.counts[f"act {act.kind}"] += 1
        if office is None:
            self._correct_payment(act.kind, chance)
        elif act.kind in OFFICE_ACTS:
            self._world.timeline.follow(OFFICE_ACTS[act.kind](office, chance))
        elif (household_id := office.pick(chance)) is not None:
            self._world.timeline.follow(HOUSEHOLD_ACTS[act.kind](office, household_id, chance))

    def _set_faults(self, faults: dict[str, float | int | str]) -> None:
        """Sets other faults with new draws; keeps the strikes so far."""
        outside = self._world.outside
        self._struck += outside.struck()
        self._plans += 1
        outside.faults(faults | {"seed": self._plan.seed * 100 + self._plans})

    def _stranger(self, stranger: Stranger) -> None:
        transaction = self._world.outside.pay(
            stranger.place.operator, stranger.place.code, stranger.phone, stranger.amount
        )
        self._world.meant[transaction] = (stranger.phone, stranger.place, False)
        self._world.counts["stranger"] += 1

    def _correct_payment(self, kind: str, chance: Random) -> None:
        """Makes the operator take a random Wave payment back, whole or in part, or correct its fee."""
        outside = self._world.outside
        payments = [row for row in outside.truth() if row["operator"] == "wave" and not row["reversed"]]
        if kind == "correct_fee":  # in the list of an earlier day nobody would read it
            today = self._world.timeline.now.date().isoformat()
            payments = [row for row in payments if row["at"].startswith(today)]
        if not payments:
            return
        payment = chance.choice(payments)
        amount, left = payment["amount"], payment["amount"] - payment["returned"]
        if kind == "correct_fee":
            outside.correct_fee(
                "wave", payment["transaction"], max(1, amount * chance.randint(1, 30) // 1000)
            )
        elif kind == "reverse_part":
            outside.reverse("wave", payment["transaction"], chance.randint(1, left))
        else:
            outside.reverse("wave", payment["transaction"])
        self._world.counts[kind] += 1

    def _ring_daily(self) -> None:
        """Rings for the daily work every few hours; the scheduler does every hour."""
        self._world.product.ring(QueueName.DAILY)
        self._world.timeline.after(DAILY_EVERY_S, self._ring_daily)

    def _empty_redis(self) -> None:
        self._world.product.empty_redis()
        self._world.counts["redis_lost"] += 1

    def _pull(self, beats: int = 0) -> None:
        """Rings for the transaction lists at every beat; skips most beats without a change in the lists."""
        world = self._world
        changed = world.timeline.now <= world.outside.moved_at + timedelta(seconds=AFTER_BEATS * self._pull_s)
        if changed or beats % IDLE_BEATS == 0:
            world.product.ring()
        world.timeline.after(self._pull_s, lambda: self._pull(beats + 1))


@dataclass
class FinishedRun:
    """A run whose days are over; its books can be compared."""

    database: SeedDatabase
    plan: Plan
    world: Simulation
    struck: list[dict[str, Any]]
    errors: LoggedErrors

    def compare(self) -> Result:
        """Compares the books with the movements, by `mutuelle verify` and by what money was meant for."""
        outside = self.world.outside
        with db.transaction(db.Role.AUDITOR, within_s=600) as session:
            verified = verify.run(session, true_movements.read(outside.url + "/truth")).as_json()
        with psycopg.connect(self.database.superuser_url) as books:
            now = self.world.timeline.now
            result = scores.score(books, outside.truth(), self.world.meant, self.struck, verified, now)
            summary = scores.digest(books)
        result.broken += self.errors.lines + self._wallet_differences()
        if result.payments >= ENOUGH and result.touched < TOUCHED:
            result.broken.append(f"FAULTS touched {result.touched:.0%} of the payments only")
        habits = {
            name: times for name, times in sorted(self.world.counts.items()) if name not in COUNTED_EVENTS
        }
        return Result(self.plan.seed, result, self._faults(), habits, summary)

    def _wallet_differences(self) -> list[str]:
        """Compares each wallet's book balance with the operator's."""
        with db.transaction(db.Role.AUDITOR) as session:
            booked = balances.booked(session)
        wallets = wallet_balances.ask(self.world.product.settings, booked)
        return [
            f"WALLET {wallet.account.code}: {wallet.difference}" for wallet in wallets if wallet.difference
        ] + [f"WALLET {wallet.account.code}: {wallet.reason}" for wallet in wallets if wallet.answer is None]

    def _faults(self) -> dict[str, int]:
        """Counts every kind of fault."""
        faults = Counter(dict.fromkeys(FAULTS, 0))
        for strike in self.struck:
            faults[strike["fault"]] += strike["times"]
        for place in CRASH_PLACES:
            faults[f"fall_{place}"] = self.world.product.crash_points.crashes[place]
        faults["outage"] = len(self.plan.outages)
        for name in COUNTED_EVENTS:
            faults[name] = self.world.counts[name]
        return dict(faults)
