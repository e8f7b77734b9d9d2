"""`python -m proving.mutants --seed N --count N`, for `make mutants`: how many small faults the tests find.

Exits with 1 when a fault stays that no test found and nobody explained. A run that is interrupted goes on
where it was; faults that survived are tried again after a change of the tests.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from proving.mutants import explained, faults, records, report, trial
from proving.mutants.records import PRODUCT, TESTS, Records
from proving.mutants.source import Fault

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str]) -> int:
    """Returns 0 when every fault was found or explained."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--room", type=_rooms, default=tuple(faults.ROOMS), help="such as billing,cover")
    parser.add_argument("--only", help="the faults whose ids begin so, such as FILE:LINE, instead of a draw")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files and folders below tests/")
    parser.add_argument("--limit-s", type=float, default=300, help="most seconds of tests on one fault")
    parser.add_argument("--list", action="store_true", help="show the faults, try none")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project, this one unless given")
    parser.add_argument("--state-dir", type=Path, default=Path("var"))
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    by_room: dict[str, Sequence[Fault]] = {
        room: faults.list_faults(root, faults.files(root, room)) for room in options.room
    }
    rooms = {fault.id: room for room, listed in by_room.items() for fault in listed}
    drawn = faults.sample(by_room, options.seed, options.count)
    if options.only:
        only = tuple(options.only.split(","))
        drawn = [fault for listed in by_room.values() for fault in listed if fault.id.startswith(only)]
    if options.list:
        print(*map(report.as_diff, drawn), sep="\n")
        return 0
    trials = try_all(root, drawn, options.state_dir.resolve(), options.tests, options.limit_s)
    text, complete = report.summary(
        [(rooms[fault.id], fault, result) for fault, result in trials], explained.load()
    )
    print(text)
    return 0 if complete else 1


def _rooms(words: str) -> tuple[str, ...]:
    rooms = tuple(words.split(","))
    if unknown := set(rooms) - set(faults.ROOMS):
        raise argparse.ArgumentTypeError(f"no room {', '.join(unknown)}; rooms: {', '.join(faults.ROOMS)}")
    return rooms


def try_all(
    root: Path, drawn: Sequence[Fault], state_dir: Path, tests: Sequence[str], limit_s: float
) -> list[tuple[Fault, trial.Trial]]:
    """Tries every fault on the tests in these files and folders, and returns how each trial ended."""
    product = [
        path for folder in PRODUCT for path in (root / folder).rglob("*") if path.suffix in (".py", ".sql")
    ]
    folder = state_dir / "mutants" / records.digest(product)
    folder.mkdir(parents=True, exist_ok=True)
    recorded = Records(root, folder)
    recorded.update(tests, _say)
    state = records.digest(path for path in (root / "tests").rglob("*.py"))
    results = report.Results(folder / "results.jsonl")
    trials = []
    trial.load_libraries()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        copy = trial.ScratchCopy(root, Path(scratch))
        for at, fault in enumerate(drawn, 1):
            result = results.of(fault, state)
            if result is None:
                chosen, seconds = recorded.within(recorded.tests_of(fault), limit_s)
                result = trial.run(copy, fault, chosen, seconds)
                results.add(fault, result, state)
            _say(f"{at}/{len(drawn)} {result.result} {result.seconds:.0f} s: {fault.id} {result.by}")
            trials.append((fault, result))
    return trials


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
