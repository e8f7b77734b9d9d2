"""The jobs behind a ring: one per queue, each taking all that is due there. Called by RQ by name, with no argument."""

from collections.abc import Callable

from workers import batch, collect, deliver, hear, hub, poll, pull, reconcile
from workers.hub import Hub

ROUNDS = 20  # full batches one job takes before it lets the worker breathe


def money() -> None:
    """Ask for payments, understand callbacks, poll, read transaction lists."""
    here = hub.current()
    for step in (reconcile.run, collect.run, poll.run):
        _until_empty(step)
    pull.run(here)


def messages() -> None:
    """Send messages, understand delivery reports and STOP."""
    for step in (deliver.run, hear.run):
        _until_empty(step)


def _until_empty(step: Callable[[Hub], int]) -> None:
    for _ in range(ROUNDS):
        if step(hub.current()) < batch.LIMIT:
            return
    hub.current().doorbell.ring("money", "messages")
