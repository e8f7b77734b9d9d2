"""`python -m sandbox CONFIG.json`: runs the sandbox until Ctrl-C or SIGTERM."""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sandbox.journal import DamagedJournal
from sandbox.server import SandboxServer
from sandbox.settings import BadConfig, read

USAGE = "usage: python -m sandbox CONFIG.json   (its form: sandbox/settings.py)"


def main(arguments: list[str]) -> int:
    """Returns 0 after a stop signal, 2 when the sandbox cannot start; the reason goes to stderr."""
    if len(arguments) != 1:
        sys.stderr.write(USAGE + "\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="sandbox %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop_signal = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stop_signal.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        server = SandboxServer(read(Path(arguments[0])))
    except (BadConfig, DamagedJournal, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    sys.stderr.write(f"sandbox: {server.url}/ (phone page), {server.url}/truth\n")
    stop_signal.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
