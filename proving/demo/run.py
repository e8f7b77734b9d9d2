"""Implements `make run` and `make fresh`: runs the gateway with a demo until Ctrl-C, and restarts what ends.

Messages are in French, then in English.
"""

import contextlib
import os
import signal
import time
from collections import deque
from pathlib import Path
from types import FrameType
from typing import NoReturn

from config import settings
from proving.demo import welcome_page
from proving.stage import server_files, state
from proving.stage.server_files import CannotStart
from proving.stage.stage import Seed, Stage

ENDPOINTS = "endpoints.json"
WATCH_S = 0.2
FALLS, WITHIN_S = 3, 60.0  # a program that ends more often is not restarted


class StopAskedError(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal."""


def run(stage: Stage, seed: Seed) -> None:
    """Starts everything, prints the welcome page, restarts what ends, and stops on a signal."""
    obey_signals(stage)
    with contextlib.suppress(StopAskedError):
        try:
            print("Démarrage / starting ...")
            with stage:
                stage.seed(seed)
                stage.start()
                state.write_private(stage.state_dir / settings.RUNNING, stage.settings)
                state.write_private(stage.state_dir / ENDPOINTS, stage.seeded["endpoints"])
                print(welcome_page.of(stage.seeded["endpoints"], stage.state_dir))
                try:
                    keep_up(stage)
                finally:
                    _forget_addresses(stage.state_dir)
        finally:
            stage.close()
    print("Tout est arrêté ; les données sont gardées. / Everything has stopped; the data are kept.")


def obey_signals(stage: Stage) -> None:
    """The first signal stops in order, the second kills."""
    stopping = False

    def obey(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            stage.kill_everything()
            _forget_addresses(stage.state_dir)
            os._exit(1)
        stopping = True
        print("\nArrêt en cours (encore une fois : tout de suite) / stopping (again: at once) ...")
        raise StopAskedError

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, obey)


def _forget_addresses(state_dir: Path) -> None:
    for name in (ENDPOINTS, settings.RUNNING):
        (state_dir / name).unlink(missing_ok=True)


def keep_up(stage: Stage) -> NoReturn:
    """Restarts programs that end. Raises CannotStart when one ends too often."""
    falls: dict[str, deque[float]] = {}
    while True:
        for name in stage.fallen():
            when = falls.setdefault(name, deque(maxlen=FALLS))
            when.append(time.monotonic())
            if len(when) == FALLS and when[-1] - when[0] < WITHIN_S:
                raise CannotStart(
                    f"{name} fell {FALLS} times in a minute. Its last words:\n{stage.last_words(name)}"
                )
            print(f"{name} est tombé, on le relance / has fallen and is started again: {stage.log_of(name)}")
            stage.restart(name)
        time.sleep(WATCH_S)


def fresh(state_dir: Path) -> None:
    """Deletes what `make run` keeps in that folder. Raises CannotStart while it runs there."""
    state_dir = state_dir.absolute()
    if not state_dir.exists():
        print(f"{state_dir}: rien à oublier / nothing to forget")
        return
    with state.only_one(state_dir, "make fresh"):
        server_files.forget(state_dir)
    print(f"{state_dir}: tout est oublié / all forgotten")
