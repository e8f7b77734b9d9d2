"""How `make test` shares the tests out among its processes: what uses one stage or one database stays
together."""

import pytest
from xdist.scheduler import LoadScopeScheduling

ONE_STAGE = (
    "tests/end_to_end/faults/",
    "tests/end_to_end/stories/",
)  # one stage each, and starting one takes seconds
LONG_FIRST = ("tests/proving/simulator/test_seeds.py", *ONE_STAGE, "tests/proving/", "tests/gateway/console/")


class Shares(LoadScopeScheduling):
    """A folder with a stage, or else a file, is one process's."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in ONE_STAGE if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


def in_order(items: list[pytest.Item]) -> None:
    """What takes long is begun first, so that no process waits for another at the end."""
    items.sort(
        key=lambda item: next(
            (at for at, start in enumerate(LONG_FIRST) if item.nodeid.startswith(start)), len(LONG_FIRST)
        )
    )
