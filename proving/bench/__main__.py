"""`python -m proving.bench [--state-dir DIR] [--quick] [--parts doors|many]`: print the table and write
bench.json."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from proving.bench import figures, people, rights
from proving.bench.figures import Figure
from proving.bench.setup import place
from proving.stage import server_files

PARTS = ("doors", "many")  # turns, callbacks and payments; the rights and bills of many households


def main() -> None:
    """Make every figure on a throw-away stage."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=Path("var"))
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="which figures; all when left out"
    )
    parser.add_argument("--quick", action="store_true", help="small runs, for trying the bench itself")
    parser.add_argument(
        "--members", type=int, default=1_000_000, help="whose rights are recomputed and whose bills written"
    )
    asked = parser.parse_args()
    sessions, requests, credits, repeats = (5, 50, 20, 1) if asked.quick else (200, 2000, 600, 5)
    folder = server_files.make_state_dir(Path(tempfile.mkdtemp(prefix="mutuelle-bench-")))
    try:
        with place(folder) as here:
            found: list[Figure] = []
            if "doors" in asked.parts:
                found += figures.turns(here, sessions, repeats)
                found += figures.callbacks(here, requests, repeats)
                here.stage.stop("bare")
                found += figures.credits(here, credits, min(repeats, 3))
                for program in ("scheduler", "worker-money", "worker-money-2", "web", "operator"):
                    here.stage.stop(program)
            if "many" in asked.parts:
                members = 200 if asked.quick else asked.members
                found += rights.rights(here, members) + rights.bills(here, members // people.EACH)
    finally:
        server_files.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)
    asked.state_dir.mkdir(parents=True, exist_ok=True)
    (asked.state_dir / "bench.json").write_text(
        json.dumps([one.as_json() for one in found], indent=1), encoding="utf-8"
    )
    for one in found:
        print(_line(one))


def _line(one: Figure) -> str:
    against = f"bare {one.baseline:8.0f}   ratio {one.ratio:5.2f}" if one.baseline and one.ratio else " " * 26
    reached = one.ratio if one.ratio is not None else one.value
    met = (
        ""
        if one.goal is None
        else f"goal {one.goal:g} "
        + ("met" if (reached <= one.goal if one.lower_is_better else reached >= one.goal) else "NOT MET")
    )
    return f"{one.name:20s} {one.value:8.1f} {one.unit:12s} {against}   {met}"


if __name__ == "__main__":
    main()
