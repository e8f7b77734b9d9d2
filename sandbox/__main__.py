"""`python -m sandbox CONFIG.json`: run the pretend outside world until Ctrl-C or SIGTERM."""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sandbox.journal import Damaged
from sandbox.server import Running
from sandbox.settings import BadConfig, read

USAGE = "usage: python -m sandbox CONFIG.json   (its form: sandbox/settings.py)"


def main(arguments: list[str]) -> int:
    """Exit 0 when asked to stop, 2 when it cannot start; the reason goes to stderr."""
    if len(arguments) != 1:
        sys.stderr.write(USAGE + "\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="sandbox %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        running = Running(read(Path(arguments[0])))
    except (BadConfig, Damaged, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    sys.stderr.write(f"sandbox: {running.url}/ (phone page), {running.url}/truth\n")
    asked_to_stop.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
