"""`python -m proving run|fresh --state-dir DIR --web-port N --sandbox-port N`: behind `make run` and `make
fresh`."""

import argparse
import io
import sys
from pathlib import Path

from proving.demo import demo, run
from proving.stage.server_files import CannotStart
from proving.stage.stage import Stage

# A visitor waits for nothing that no callback tells, such as a refusal or a reversal.
DEMO_PACE = {"SWEEP_S": "5", "PULL_S": "20"}


def main() -> None:
    """Read the command line, do it, and say in plain words what went wrong."""
    # A terminal that cannot show an accent shows a question mark; it never stops the gateway.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace", line_buffering=True)
    parser = argparse.ArgumentParser(prog="proving", description=__doc__)
    parser.add_argument("what", choices=("run", "fresh"))
    parser.add_argument("--state-dir", type=Path, default=Path("var"))
    parser.add_argument("--web-port", type=port, default=8000)
    parser.add_argument("--sandbox-port", type=port, default=8001)
    asked = parser.parse_args()
    try:
        if asked.what == "fresh":
            run.fresh(asked.state_dir)
        else:
            ports = {"web_port": asked.web_port, "sandbox_port": asked.sandbox_port}
            run.run(
                Stage(asked.state_dir, settings=DEMO_PACE, say=lambda line: print(f"  {line}"), **ports),
                demo.seed,
            )
    except CannotStart as error:
        sys.exit(f"\nArrêt / stopped: {error}")


def port(word: str) -> int:
    """A port number a person may choose."""
    number = int(word)
    if not 1 <= number <= 65535:
        raise ValueError(word)
    return number


if __name__ == "__main__":
    main()
