"""Records which tests run each line of the product, and chooses the tests that may find a fault.

The records of one state of the product's files stand in `STATE_DIR/mutants/DIGEST/`. Test files that are
new or were changed since are recorded when they are next asked for.
"""

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import coverage

from proving.mutants.recorder import SETUP
from proving.mutants.source import Fault

PRODUCT = ("config", "gateway", "menus", "mutuelle", "workers")
# Folders of tests that run the product in their own process, whose lines can be recorded.
TESTS = (
    "mutuelle",
    "workers",
    "gateway",
    "menus",
    "callbacks",
    "config",
    "test_examples.py",
    "proving/simulator",
)
Say = Callable[[str], None]


def digest(paths: Iterable[Path]) -> str:
    """Returns a short hash of the contents of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


@dataclass(frozen=True)
class Use:
    """The lines of a function's body, and every name that it uses."""

    path: str
    lines: range
    names: frozenset[str]


class Records:
    """What was recorded of the project at `root` into `folder`."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.seconds: dict[str, float] = {}  # by test
        self._read()

    @property
    def _files(self) -> Path:
        return self.folder / "files.json"

    def _read(self) -> None:
        self.digests: dict[str, str] = {}  # by test file
        if self._files.exists():
            stored = json.loads(self._files.read_text("utf-8"))
            self.digests, self.seconds = stored["digests"], stored["seconds"]
        self._lines = coverage.CoverageData(str(self.folder / "coverage"))
        self._lines.read()
        self._contexts_by_line: dict[str, dict[int, list[str]]] = {}  # by file, as far as it was asked for
        self._tests_by_file: dict[str, list[str]] = {}
        for test in self.seconds:
            self._tests_by_file.setdefault(_file_of(test), []).append(test)

    def update(self, folders: Iterable[str], say: Say) -> None:
        """Runs the tests that were never recorded, or changed since, and stores which lines they run.

        It stores folder by folder, so that an interrupted run goes on where it was.
        """
        files = [file for folder in folders for file in test_files(self.root / "tests" / folder)]
        by_folder: dict[Path, dict[str, str]] = {}
        for file in files:
            name, value = str(file.relative_to(self.root)), digest([file])
            if self.digests.get(name) != value:
                by_folder.setdefault(file.parent, {})[name] = value
        for folder, digests in by_folder.items():
            say(f"recording which lines {len(digests)} files of {folder.relative_to(self.root)} run ...")
            self._record(digests)

    def _record(self, digests: dict[str, str]) -> None:
        """Runs these test files under `coverage` and stores what they run."""
        durations = self.folder / "durations.json"
        sources = ",".join(str(self.root / name) for name in PRODUCT if (self.root / name).exists())
        measure = ["run", "--append", f"--data-file={self.folder / 'coverage'}", f"--source={sources}"]
        pytest = ["-m", "pytest", "-q", "-p", "proving.mutants.recorder", f"--durations-to={durations}"]
        command = [sys.executable, "-m", "coverage", *measure, *pytest, *digests]
        # The output goes to stderr: stdout is for the table.
        code = subprocess.run(command, cwd=self.root, stdout=2, check=False).returncode
        if code not in (0, 1, 5):  # all passed, some failed, or none is there
            raise RuntimeError(f"pytest ended with {code} while it recorded {', '.join(digests)}")
        kept = {test: s for test, s in self.seconds.items() if _file_of(test) not in digests}
        self.seconds = kept | json.loads(durations.read_text("utf-8"))
        stored = {"digests": self.digests | digests, "seconds": self.seconds}
        self._files.write_text(json.dumps(stored, indent=0), encoding="utf-8")
        self._read()

    def tests_of(self, fault: Fault) -> list[str]:
        """Returns the tests that run the line of a fault: the nearest files first, then the quickest.

        The tests of a file keep their order, because they may share a database.
        """
        if fault.statement is not None:
            contexts = self._contexts(fault.path, {fault.line}) or self._contexts(
                fault.path, {fault.statement}
            )
        else:
            contexts = self._contexts(fault.path, {fault.line}) | self._contexts_of_name(fault)
        tests = {test for context in contexts for test in self._tests_in(context)}
        by_file: dict[str, list[str]] = {}
        for test in (test for test in self.seconds if test in tests):
            by_file.setdefault(_file_of(test), []).append(test)
        near = f"tests/{Path(fault.path).parent}/"
        order = sorted(by_file, key=lambda file: (not file.startswith(near), self._cost(by_file[file])))
        return [test for file in order for test in by_file[file]]

    def within(self, tests: Iterable[str], limit_s: float) -> tuple[list[str], float]:
        """Returns the first of these tests that take `limit_s` together, at least one, and their seconds."""
        chosen: list[str] = []
        total = 0.0
        for test in tests:
            total += self.seconds[test]
            if chosen and total > limit_s:
                break
            chosen.append(test)
        return chosen, self._cost(chosen)

    def _cost(self, tests: list[str]) -> float:
        return sum(self.seconds[test] for test in tests)

    def _tests_in(self, context: str) -> Iterator[str]:
        """Yields the tests that a context stands for, if they passed."""
        if context.endswith(SETUP):
            yield from self._tests_by_file.get(_file_of(context), ())
        elif context in self.seconds:
            yield context

    def _contexts(self, path: str, lines: Iterable[int]) -> set[str]:
        if path not in self._contexts_by_line:
            self._contexts_by_line[path] = self._lines.contexts_by_lineno(str(self.root / path))
        by_line = self._contexts_by_line[path]
        return {context for line in lines for context in by_line.get(line, ()) if context}

    def _contexts_of_name(self, fault: Fault) -> set[str]:
        """Returns the contexts of the functions that use a constant, a class or a statement of SQL.

        Without such a function, those of every function of the same file.
        """
        names = {fault.scope.partition(".")[0]} if fault.scope else set()
        path = fault.path
        if path.endswith(".sql"):  # `metrics.py` reads `metrics.sql`
            names, path = {Path(path).name}, str(Path(path).with_suffix(".py"))
        for _ in range(3):  # a constant that a constant uses
            names |= {name for name, used in self._constants.get(path, ()) if used & names}
        own = [use for use in self._uses if use.path == path]
        public = {name for name in names if not name.startswith("_")}
        uses = [use for use in own if use.names & names] + [use for use in self._uses if use.names & public]
        return {c for use in uses or own for c in self._contexts(use.path, use.lines)}

    @cached_property
    def _trees(self) -> dict[str, ast.Module]:
        paths = [path for folder in PRODUCT for path in sorted((self.root / folder).rglob("*.py"))]
        return {str(path.relative_to(self.root)): ast.parse(path.read_text("utf-8")) for path in paths}

    @cached_property
    def _uses(self) -> list[Use]:
        return [
            Use(
                path,
                range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1),
                frozenset(_names(node)),
            )
            for path, tree in self._trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
        ]

    @cached_property
    def _constants(self) -> dict[str, list[tuple[str, set[str]]]]:
        """Returns the names assigned in each module, with the names that their values use."""
        return {
            path: [
                (target.id, set(_names(node)))
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            ]
            for path, tree in self._trees.items()
        }


def _names(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.endswith(".sql"):
            yield part.value


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def test_files(path: Path) -> list[Path]:
    """Returns the files of tests below a folder, or the file itself."""
    return sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
