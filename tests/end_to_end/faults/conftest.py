"""One stage for all faults; after each fault the books must match the true movements."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.faults.world import FaultWorld, fault_world


@pytest.fixture(scope="package")
def running_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    """Runs everything, from the first fault to the last, and ends with the real command `mutuelle verify`."""
    with fault_world(Path(tmp_path_factory.mktemp("faults")) / "var") as ground:
        yield ground
        code, report = ground.mutuelle("verify", "--against", f"{ground.stage.sandbox_url}/truth")
        assert (code, report["ok"], report["truth"]["matched"]) == (0, True, report["truth"]["movements"]), (
            report
        )


@pytest.fixture
def ground(running_ground: FaultWorld) -> Iterator[FaultWorld]:
    """The stage for one fault. Afterwards restarts what fell, and checks the books."""
    yield running_ground
    running_ground.faults()
    running_ground.mend()
    running_ground.must_be_true()
