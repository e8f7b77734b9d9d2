"""Draws the timetable of faults from a seed: three lanes of events. Pure: it touches no process."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proving.simulator import randomness

MONEY, MESSAGES = ("worker-money", "worker-money-2"), ("worker-messages", "worker-messages-2")
DAILY = ("worker-daily", "worker-daily-2")
SCHEDULERS = ("scheduler", "scheduler-2")
OURS = ("web", *MONEY, *MESSAGES, *DAILY, *SCHEDULERS)
FREEZE_S = 96.0  # RQ considers a worker lost after 90 s
REDIS_DOWN_S, REDIS_FULL_S, OUTAGE_S = 120.0, 45.0, 20.0
CALM_S = 5.0  # people can start first


@dataclass(frozen=True)
class Event:
    """`kind` hits `victim` at `at_s` seconds after the beginning, for `lasts_s`."""

    at_s: float
    kind: str
    victim: str
    lasts_s: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A fault: its possible victims, duration and weight."""

    name: str
    victims: Sequence[str]
    lasts_s: float = 0.0
    weight: int = 1


LONG_FAULTS = (Kind("freeze", (*MONEY, *MONEY, *MESSAGES, *DAILY, *SCHEDULERS), FREEZE_S),)
REDIS_FAULTS = (
    Kind("down", ["redis"], REDIS_DOWN_S),
    Kind("full", ["redis"], REDIS_FULL_S),
    Kind("emptied", ["redis"]),
)
QUICK_FAULTS = (
    Kind("kill -9", OURS, weight=5),
    Kind("cut before COMMIT", ("web", *MONEY, *MESSAGES, *DAILY), weight=3),
    Kind("cut after COMMIT", ("web", *MONEY, *MESSAGES, *DAILY), weight=3),
    Kind("cut", OURS, weight=2),
    Kind("restart", ["postgres"]),
    Kind("kill -9", ["postgres"]),
    Kind("deploy", ["everything"]),
    Kind("outage", ["operators"], OUTAGE_S),
)


def lanes(seed: int, minutes: float) -> list[list[Event]]:
    """Returns three ordered lists of events without overlap: freezes, Redis, and short events."""
    until_s = minutes * 60
    return [
        list(_in_turn(randomness.of("freeze", seed), LONG_FAULTS, until_s, rest_s=(5, 30))),
        list(_in_turn(randomness.of("redis", seed), REDIS_FAULTS, until_s, rest_s=(5, 30))),
        list(_by_weight(randomness.of("quick", seed), until_s, rest_s=(4, 12))),
    ]


def _in_turn(
    dice: random.Random, kinds: Sequence[Kind], until_s: float, rest_s: tuple[float, float]
) -> Iterator[Event]:
    """Yields each kind once, in a drawn order, and again; skips events that would end too late."""
    now = CALM_S
    while now < until_s:
        before = now
        for kind in dice.sample(kinds, len(kinds)):
            at = now + dice.uniform(*rest_s)
            if at + kind.lasts_s <= until_s:
                yield Event(at, kind.name, dice.choice(kind.victims), kind.lasts_s)
                now = at + kind.lasts_s
        if now == before:
            return


def _by_weight(dice: random.Random, until_s: float, rest_s: tuple[float, float]) -> Iterator[Event]:
    """Yields each kind once in a drawn order, then by weight."""
    remaining = dice.sample(QUICK_FAULTS, len(QUICK_FAULTS))
    now = CALM_S
    while True:
        kind = (
            remaining.pop()
            if remaining
            else dice.choices(QUICK_FAULTS, [option.weight for option in QUICK_FAULTS])[0]
        )
        now += dice.uniform(*rest_s)
        if now + kind.lasts_s > until_s:
            return
        yield Event(now, kind.name, dice.choice(kind.victims), kind.lasts_s)
        now += kind.lasts_s
