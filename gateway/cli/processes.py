"""The commands that become a worker or the scheduler. They load nothing of ours, and so start at once."""

import os
import sys

import click


@click.command("work")
@click.argument("queue", type=click.Choice(["money", "messages", "daily"]))
def work(queue: str) -> None:
    """Run a worker of one queue, as a program of its own that does not load the web."""
    _become_worker(queue)


@click.command("schedule")
def schedule() -> None:
    """Run the scheduler, which rings for what is due. Several may run; one acts."""
    _become_worker("schedule")


def _become_worker(role: str) -> None:
    """Replaces this process by `python -m workers ROLE`, which never loads the web."""
    command = [sys.executable, "-m", "workers", role]
    os.execv(sys.executable, command)  # noqa: S606  # our own interpreter, no shell
