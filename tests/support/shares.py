"""Distributes the tests among the processes of `make test`: tests of one stage or database stay together."""

import pytest
from xdist.scheduler import LoadScopeScheduling

# One stage for each folder: starting a stage takes seconds.
ONE_STAGE = (
    "tests/end_to_end/faults/",
    "tests/end_to_end/stories/",
)
LONG_FIRST = ("tests/proving/simulator/test_seeds.py", *ONE_STAGE, "tests/proving/", "tests/gateway/console/")


class Shares(LoadScopeScheduling):
    """Gives all tests of a folder with a stage, or else of a file, to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in ONE_STAGE if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


def in_order(items: list[pytest.Item]) -> None:
    """Sorts the long tests first, so that no process waits for another at the end."""
    items.sort(
        key=lambda item: next(
            (at for at, start in enumerate(LONG_FIRST) if item.nodeid.startswith(start)), len(LONG_FIRST)
        )
    )
