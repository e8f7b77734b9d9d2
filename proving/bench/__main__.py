"""`python -m proving.bench [--state-dir DIR] [--quick] [--parts doors|many]`: writes bench.json."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from proving.bench import measurements, pages, people, rights
from proving.bench.measurements import Measurement
from proving.bench.setup import start_bench
from proving.stage import server_files

PARTS = ("doors", "many")  # turns, callbacks, payments; the rights, bills and pages of many households


def main() -> None:
    """Makes every measurement on a temporary stage, prints the table and writes bench.json."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=Path("var"))
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="which figures; all when left out"
    )
    parser.add_argument("--quick", action="store_true", help="small runs, for trying the bench itself")
    parser.add_argument(
        "--members", type=int, default=1_000_000, help="whose rights are recomputed and whose bills written"
    )
    options = parser.parse_args()
    sessions, requests, credits, repeats = (5, 50, 20, 1) if options.quick else (200, 2000, 600, 5)
    folder = server_files.make_state_dir(Path(tempfile.mkdtemp(prefix="mutuelle-bench-")))
    try:
        with start_bench(folder) as setup:
            results: list[Measurement] = []
            if "doors" in options.parts:
                results += measurements.turns(setup, sessions, repeats)
                results += measurements.callbacks(setup, requests, repeats)
                setup.stage.stop("bare")
                results += measurements.credits(setup, credits, min(repeats, 3))
                for program in ("scheduler", "worker-money", "worker-money-2", "web", "operator"):
                    setup.stage.stop(program)
            if "many" in options.parts:
                members = 200 if options.quick else options.members
                pages.fill_suspense(setup)
                few = pages.seconds(setup)
                results += rights.rights(setup, members) + rights.bills(setup, members // people.EACH)
                results += pages.compare(few, pages.seconds(setup))
    finally:
        server_files.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)
    options.state_dir.mkdir(parents=True, exist_ok=True)
    (options.state_dir / "bench.json").write_text(
        json.dumps([measurement.as_json() for measurement in results], indent=1), encoding="utf-8"
    )
    for measurement in results:
        print(_line(measurement))


def _line(measurement: Measurement) -> str:
    name, value, goal, ratio = measurement.name, measurement.value, measurement.goal, measurement.ratio
    comparison, verdict = " " * 26, ""
    if measurement.baseline and ratio:
        comparison = f"bare {measurement.baseline:8.0f}   ratio {ratio:5.2f}"
    if goal is not None:
        result = ratio if ratio is not None else value
        met = result <= goal if measurement.lower_is_better else result >= goal
        verdict = f"goal {goal:g} {'met' if met else 'NOT MET'}"
    return f"{name:20s} {value:8.1f} {measurement.unit:12s} {comparison}   {verdict}"


if __name__ == "__main__":
    main()
