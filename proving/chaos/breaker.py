"""Applies the timetable to real processes, and logs one line per event."""

import json
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import httpx
import redis

from proving.chaos.timetable import OURS, Event
from proving.stage.server_files import CannotStart
from proving.stage.stage import Stage
from proving.stage.wire_tap import Moment, Tap, Trap

COMMIT_WITHIN_S = 20.0  # a program that commits nothing for so long is not cut
SUPERVISE_S = 0.5

# Faults of the sandbox during the whole run.
OUTSIDE_FAULTS = {
    "duplicate": 0.2,
    "drop": 0.15,
    "delay": 0.3,
    "delay_s": 20,
    "reorder": 0.15,
    "timeout_before": 0.04,
    "timeout_after": 0.04,
    "http_500": 0.04,
    "timeout_s": 2,
}


class ProcessControl:
    """Starts and stops processes by one thread: on Linux a process dies with the thread that started it."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Callable[[], None], Future[None]]] = queue.Queue()

    def do(self, act: Callable[[], None]) -> None:
        """Runs `act` in the serving thread and waits for it. Raises what `act` raises."""
        done: Future[None] = Future()
        self._waiting.put((act, done))
        done.result()

    def serve(self, meanwhile: Callable[[], None], over: Callable[[], bool]) -> None:
        """Runs the acts of other threads until `over`, and `meanwhile` while there are none."""
        while not over():
            try:
                act, done = self._waiting.get(timeout=SUPERVISE_S)
            except queue.Empty:
                meanwhile()
                continue
            try:
                act()
                done.set_result(None)
            except CannotStart as error:
                done.set_exception(error)


class Breaker:
    """Breaks the programs of a stage, and counts the events."""

    def __init__(self, stage: Stage, taps: Mapping[str, Tap], seed: int, say: Callable[[str], None]) -> None:
        self.stage, self.taps, self.seed, self._say = stage, taps, seed, say
        self.events: Counter[str] = Counter()
        self.falls: Counter[str] = Counter()
        self._began = time.monotonic()
        self.processes = ProcessControl()
        self._frozen: set[str] = set()

    def note(self, line: str) -> None:
        """Logs one line with the seconds since the beginning."""
        self._say(f"{time.monotonic() - self._began:7.1f} s  {line}")

    def carry_out(self, lane: Sequence[Event], over: threading.Event) -> None:
        """Carries out one lane in order, until its end or `over`."""
        for event in lane:
            if over.wait(max(0.0, self._began + event.at_s - time.monotonic())):
                return
            lasts = f" for {event.lasts_s:.0f} s" if event.lasts_s else ""
            self.note(f"{event.kind:18s} {event.victim}{lasts}")
            try:
                done = self._do(event, over)
            except CannotStart as error:
                self.note(f"  {event.victim} does not come back: {str(error).splitlines()[0]}")
                done = True
            if done:
                self.events[
                    f"{event.victim} {event.kind}" if event.victim in ("redis", "postgres") else event.kind
                ] += 1

    def _do(self, event: Event, over: threading.Event) -> bool:
        match event.kind:
            case "freeze":
                self._freeze(event, over)
            case "down" | "full" | "emptied":
                self._redis(event, over)
            case "kill -9":
                return self._kill(event.victim)
            case "restart":
                self.processes.do(lambda: self.stage.restart(event.victim))
            case "deploy":
                self._deploy()
            case "cut":
                self.taps[event.victim].cut_all()
            case "cut before COMMIT":
                return self._cut(event.victim, "before")
            case "cut after COMMIT":
                return self._cut(event.victim, "after")
            case "outage":
                self.set_outside_faults({**OUTSIDE_FAULTS, "timeout_before": 0.5, "timeout_after": 0.5})
                over.wait(event.lasts_s)
                self.set_outside_faults(OUTSIDE_FAULTS)
        return True

    def _freeze(self, event: Event, over: threading.Event) -> None:
        self._frozen.add(event.victim)
        self.stage.kill(event.victim, signal.SIGSTOP)
        over.wait(event.lasts_s)
        self.stage.kill(event.victim, signal.SIGCONT)
        self._frozen.discard(event.victim)
        self.note(f"  {event.victim} goes on")

    def _redis(self, event: Event, over: threading.Event) -> None:
        if event.kind == "down":
            self.processes.do(lambda: self.stage.stop("redis"))
            over.wait(event.lasts_s)
            self.processes.do(lambda: self.stage.start("redis"))
            self.note("  redis is back")
            return
        with redis.Redis.from_url(self.stage.redis.url) as client:
            if event.kind == "emptied":
                client.flushall()
                return
            client.config_set("maxmemory", "1")
            over.wait(event.lasts_s)
            client.config_set("maxmemory", "0")
        self.note("  redis has room")

    def _kill(self, victim: str) -> bool:
        if victim in self._frozen:
            self.note(f"  {victim} is frozen and spared")
            return False

        def again() -> None:
            self.stage.kill(victim)
            self.stage.restart(victim)

        self.processes.do(again)
        return True

    def _deploy(self) -> None:
        """Restarts one program after the other by SIGTERM; skips frozen ones, which cannot react."""

        def anew(name: str) -> None:
            self.stage.stop(name)
            if code := self.stage.exit_code(name):
                self.note(f"  {name} left with {code}")
            self.stage.start(name)

        for name in OURS:
            if name not in self._frozen:
                self.processes.do(partial(anew, name))

    def _cut(self, victim: str, moment: Moment) -> bool:
        trap = Trap(moment=moment)
        self.taps[victim].arm(trap)
        try:
            trap.wait(COMMIT_WITHIN_S)
        except TimeoutError:
            self.note(f"  {victim} commits nothing, and is spared")
            return False
        trap.cut()
        return True

    def set_outside_faults(self, shares: Mapping[str, float]) -> None:
        """Sets the faults of the sandbox from now on."""
        with httpx.Client(timeout=30, trust_env=False) as http:
            http.post(
                f"{self.stage.sandbox_url}/faults", json={"seed": self.seed, **shares}
            ).raise_for_status()

    def restart_fallen(self) -> None:
        """Restarts programs that ended, as a supervisor does; a frozen one has not ended."""
        for name in self.stage.fallen():
            self.falls[name] += 1
            self.note(f"  {name} has fallen by itself: {self._why(name)}")
            try:
                self.stage.restart(name)
            except CannotStart as error:
                self.note(f"  {name} does not come back: {str(error).splitlines()[0]}")

    def _why(self, name: str) -> str:
        """Returns the last message of its log."""
        last = self.stage.last_words(name).splitlines()[-1:]
        try:
            entry: Any = json.loads(last[0])
            return str(entry["said"])[:100]
        except (ValueError, KeyError, IndexError, TypeError):
            return (last or ["?"])[0][:100]

    def heal(self) -> None:
        """Restarts what ended and clears all faults."""
        self.restart_fallen()
        self.set_outside_faults({})
        self.note("healed")
