"""One stage for all faults; after each of them the books must be true."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.faults.world import FaultWorld, broken_ground


@pytest.fixture(scope="package")
def whole_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    """Everything runs, from the first fault to the last. At the end the real command says once more that the
    books are true."""
    with broken_ground(Path(tmp_path_factory.mktemp("faults")) / "var") as ground:
        yield ground
        code, told = ground.mutuelle("verify", "--against", f"{ground.stage.sandbox_url}/truth")
        assert (code, told["ok"], told["truth"]["matched"]) == (0, True, told["truth"]["movements"]), told


@pytest.fixture
def ground(whole_ground: FaultWorld) -> Iterator[FaultWorld]:
    """The stage for one fault. Afterwards what fell is up again, and not one franc is lost, doubled or
    invented."""
    yield whole_ground
    whole_ground.faults()
    whole_ground.mend()
    whole_ground.must_be_true()
