"""One stage per module of stories; when its stories are over the books must be true and the logs silent about people."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import World, logged, running


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs. Afterwards: `mutuelle verify` is content, no secret in a log, no traceback where nothing was felled."""
    with running(Path(tmp_path_factory.mktemp("stories")) / "var") as one:
        yield one
        one.verify()
        said = logged(one)
    tokens = {str(address).split("/")[5] for address in _addresses(one.endpoints) if address.count("/") > 4}
    assert tokens
    assert not [token for token in tokens if token in said]
    assert not re.findall(r"\+?(?:22177|25078|22370)\d{6,7}", said)
    assert getattr(request.module, "THINGS_FALL", False) or "Traceback" not in said


def _addresses(told: object) -> Iterator[str]:
    if isinstance(told, dict):
        for inner in told.values():
            yield from _addresses(inner)
    elif isinstance(told, str) and told.startswith("http"):
        yield told
