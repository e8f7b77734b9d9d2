"""`python -m proving run|fresh --state-dir DIR --web-port N --sandbox-port N`: `make run`, `make fresh`."""

import argparse
import io
import sys
from pathlib import Path

from proving.demo import demo, run
from proving.stage.server_files import CannotStart
from proving.stage.stage import Stage

# Short intervals, so that a visitor soon sees what no callback reports, such as a refusal or a reversal.
DEMO_PACE = {"SWEEP_S": "5", "PULL_S": "20"}


def main() -> None:
    """Runs the command; a failure becomes one message."""
    # A terminal that cannot show an accent shows a question mark; it never stops the gateway.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace", line_buffering=True)
    parser = argparse.ArgumentParser(prog="proving", description=__doc__)
    parser.add_argument("what", choices=("run", "fresh"))
    parser.add_argument("--state-dir", type=Path, default=Path("var"))
    parser.add_argument("--web-port", type=port, default=8000)
    parser.add_argument("--sandbox-port", type=port, default=8001)
    options = parser.parse_args()
    try:
        if options.what == "fresh":
            run.fresh(options.state_dir)
        else:
            ports = {"web_port": options.web_port, "sandbox_port": options.sandbox_port}
            run.run(
                Stage(options.state_dir, settings=DEMO_PACE, say=lambda line: print(f"  {line}"), **ports),
                demo.seed,
            )
    except CannotStart as error:
        sys.exit(f"\nArrêt / stopped: {error}")


def port(word: str) -> int:
    """Parses a port number."""
    number = int(word)
    if not 1 <= number <= 65535:
        raise ValueError(word)
    return number


if __name__ == "__main__":
    main()
