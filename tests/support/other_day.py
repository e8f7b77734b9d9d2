"""Prints the environment variables that move a test run and its servers to another day.

`make test ON='2027-02-28 22:30'` (UTC) uses it. Time goes on from that moment and is the same in every
process: libfaketime shifts the wall clock by a fixed number of seconds and leaves the monotonic clock of
timeouts alone.
"""

import importlib.util
import sys
from datetime import UTC, datetime
from pathlib import Path


def variables(moment: datetime, now: datetime) -> dict[str, str]:
    """Returns the environment variables of a run in which `now` is `moment`."""
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or spec.origin is None:
        raise SystemExit("libfaketime is not installed: run `make check` first.")
    library = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{round((moment - now).total_seconds()):+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",  # the servers run as another user and may not share memory with us
    }


def main() -> None:
    moment = datetime.fromisoformat(sys.argv[1]).replace(tzinfo=UTC)
    sys.stdout.write(
        " ".join(f"{name}={value}" for name, value in variables(moment, datetime.now(UTC)).items())
    )


if __name__ == "__main__":
    main()
