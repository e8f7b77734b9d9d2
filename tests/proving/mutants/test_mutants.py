"""The small faults that the mutation tool plants, how it draws them, and what it finds in a toy project."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from proving.mutants import explained, faults, python_faults, sql_faults
from proving.mutants.__main__ import ROOT, try_all
from proving.mutants.report import summary
from proving.mutants.source import SourceText
from proving.mutants.trial import Result, Trial

TOY = {
    "mutuelle/__init__.py": "",
    "mutuelle/dues.py": '''
"""What a household owes."""

GRACE = 3


def late(days: int) -> bool:
    """Whether a payment came after the days of grace."""
    return days > GRACE


def unused(days: int) -> int:
    return days + 1
''',
    "tests/test_dues.py": """
import pytest

from mutuelle import dues


@pytest.fixture(scope="module")
def fourth_day():
    return dues.late(4)


def test_the_fourth_day_is_late(fourth_day):
    assert fourth_day


def test_any_day_is_early_or_late():
    assert dues.late(0) in (True, False)
""",
}


def changes(code: str) -> set[tuple[str, str]]:
    """Returns the first line that each fault changes, before and after."""
    all_faults = python_faults.faults(
        SourceText("x.py", code), ast.parse(code), python_faults.defaults_of([])
    )
    return {(fault.before, fault.after) for fault in all_faults}


def afters(statement: str) -> set[str]:
    """Returns what becomes of one statement in a function, by each of its faults."""
    return {after for _, after in changes(f"def f():\n    {statement}\n")}


def sql_afters(sql: str) -> set[str]:
    return {SourceText("x.sql", sql).edited(edit) for edit in sql_faults.edits(sql, 0, len(sql))}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("return a < b", {"return a <= b", "return a >= b"}),
        ("return a == b", {"return a != b"}),
        ("return a not in b", {"return a in b"}),
        ("return (a) - (b)", {"return (a) + (b)"}),
        ("return a and b", {"return a or b", "return True and b", "return a and True"}),
        ("return a or b", {"return a and b", "return False or b", "return a or None"}),
        ("return not a", {"return a"}),
        ("return 12", {"return 13", "return 11"}),
        ("return True", {"return False"}),
        ("return min(a)", {"return max(a)"}),
        ("return a[0]", {"return a[-1]"}),
        ("return [a for a in b if a.due]", {"return [a for a in b if True]"}),
        ("return sorted(a)", {"return list(reversed(sorted(a)))"}),
        (
            "return sorted(a, reverse=True)",
            {
                "return list(reversed(sorted(a, reverse=True)))",
                "return sorted(a)",
                "return sorted(a, reverse=False)",
            },
        ),
        (
            "return q.with_for_update(skip_locked=True)",
            {"return q", "return q.with_for_update()", "return q.with_for_update(skip_locked=False)"},
        ),
        ("return q.where(a == b)", {"return q.where(a != b)", "return q.where(True)"}),
        ("return q.order_by(T.a, T.id)", {"return q", "return q.order_by(T.a.desc(), T.id)"}),
        ("return f(day=a.day, since=a.since)", {"return f(day=a.since, since=a.day)"}),
        ("audit.record(session)", {"pass"}),
        ("payment.status = status", {"pass"}),
        ("total += part", {"pass", "total -= part"}),
        ("raise Refused(key, most=-1)", {"pass"}),
        ("if a: return", {"if not (a): return", "if False: return", "if True: return", "pass"}),
    ],
)
def test_a_statement_yields_its_small_faults(statement: str, expected: set[str]):
    assert afters(statement) - {"if a: pass"} == expected - {"pass"} if "if a" in statement else expected


def test_the_faults_of_a_statement_are_those():
    assert afters("return a <= 1") == {"return a < 1", "return a > 1", "return a <= 2", "return a <= 0"}


def test_an_argument_is_dropped_only_where_the_function_has_a_default():
    code = "def put(a, *, at=None, key): ...\ndef f():\n    return put(1, at=now, key=k)\n"
    tree = ast.parse(code)
    all_faults = python_faults.faults(SourceText("x.py", code), tree, python_faults.defaults_of([tree]))
    dropped = {fault.after for fault in all_faults if fault.family == "argument-dropped"}
    assert dropped == {"return put(1, key=k)"}


@pytest.mark.parametrize(
    "code",
    [
        '"""1 < 2"""',
        'def f():\n    """1 < 2"""',
        "def f():\n    log.warning('day %s', 1)",
        "def f(a: 'int | 1' = None) -> 'x < 1': ...",
        "import typing\nif typing.TYPE_CHECKING:\n    a = 1",
        "if __name__ == '__main__':\n    run(1)",
        "class A:\n    def __repr__(self):\n        return 1",
        "class A(Row):\n    id: Mapped[int] = mapped_column(primary_key=True, length=3)",
        "def f():\n    assert a < b",
        "def f():\n    return 'Pay 1 and go'",
    ],
)
def test_no_fault_is_planted_in_words_annotations_or_what_never_runs(code: str):
    assert changes(code) == set()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM t WHERE a < :b", {"SELECT a FROM t WHERE a <= :b", "SELECT a FROM t WHERE true"}),
        ("SELECT a FROM t ORDER BY a", {"SELECT a FROM t ORDER BY a DESC"}),
        ("SELECT a FROM t ORDER BY a DESC", {"SELECT a FROM t ORDER BY a"}),
        (
            "SELECT a FROM t ORDER BY a.b, c DESC, d",
            {
                "SELECT a FROM t ORDER BY a.b DESC, c DESC, d",
                "SELECT a FROM t ORDER BY a.b, c, d",
                "SELECT a FROM t ORDER BY a.b, c DESC, d DESC",
            },
        ),
        ("SELECT a FROM t ORDER BY t.a, t.id", {"SELECT a FROM t ORDER BY t.a DESC, t.id"}),
        ("SELECT a FROM t ORDER BY state = 'x', b", {"SELECT a FROM t ORDER BY state <> 'x', b"}),
        ("SELECT a FROM t FOR UPDATE SKIP LOCKED", {"SELECT a FROM t ", "SELECT a FROM t FOR UPDATE"}),
        ("SELECT min(a)", {"SELECT max(a)"}),
        ("SELECT sum(a)", {"SELECT count(a)"}),
        ("SELECT coalesce(a, 0)", {"SELECT coalesce(a, 1)"}),
        ("SELECT a + b", {"SELECT a - b"}),
        ("UPDATE t SET a = 'x', b = :b", {"UPDATE t SET a = 'x', b = :b"}),
        ("SELECT a, sum(b) FROM t GROUP BY 1", {"SELECT a, count(b) FROM t GROUP BY 1"}),
    ],
)
def test_a_statement_of_sql_yields_its_small_faults(sql: str, expected: set[str]):
    assert sql_afters(sql) == expected - {sql}


def test_each_condition_of_sql_is_dropped_alone():
    sql = "SELECT a FROM t WHERE a BETWEEN 1 AND 2 AND b IS NULL OR c IN (SELECT d FROM u WHERE e) ORDER BY a"
    dropped = {
        SourceText("x.sql", sql).edited(edit)
        for edit in sql_faults.edits(sql, 0, len(sql))
        if edit.kind == "sql-condition"
    }
    assert dropped >= {
        sql.replace("a BETWEEN 1 AND 2 AND", "true AND"),
        sql.replace("AND b IS NULL ", " "),
        sql.replace("OR c IN (SELECT d FROM u WHERE e) ", " "),
        sql.replace("WHERE e", "WHERE true"),
    }


def test_sql_in_a_string_of_python_is_changed_but_not_its_words():
    code = (
        '_DUE = text("""\nSELECT a FROM t -- since 1 < 2\nWHERE b = \'a < 1 AND b\' AND until IS NULL\n""")\n'
    )
    assert changes(code) == {
        ("WHERE b = 'a < 1 AND b' AND until IS NULL", after)
        for after in (
            "WHERE b <> 'a < 1 AND b' AND until IS NULL",
            "WHERE b = 'a < 1 AND b' AND until IS NOT NULL",
            "WHERE b = 'a < 1 AND b' OR until IS NULL",
            "WHERE b = 'a < 1 AND b'",
            "WHERE true AND until IS NULL",
        )
    }


def test_every_fault_of_a_room_has_its_own_id_and_changes_its_file():
    all_faults = faults.list_faults(ROOT, faults.files(ROOT, "contributions"))
    assert len(all_faults) > 200
    assert len({fault.id for fault in all_faults}) == len(all_faults)
    for fault in all_faults[::20]:
        source = SourceText(fault.path, (ROOT / fault.path).read_text("utf-8"))
        changed = source.edited(fault.edit)
        ast.parse(changed)
        assert changed != source.text
        assert fault.before != fault.after


def test_a_seed_draws_the_same_faults_evenly_and_a_larger_count_goes_on():
    by_room = {
        room: faults.list_faults(ROOT, faults.files(ROOT, room)) for room in ("messaging", "households")
    }
    first = faults.sample(by_room, 1, 20)
    assert first == faults.sample(by_room, 1, 30)[:20]
    assert first != faults.sample(by_room, 2, 20)
    assert [fault.path.split("/")[1] for fault in first] == ["messaging", "households"] * 10
    assert len({fault.family for fault in first}) > 8


def test_every_explanation_names_a_fault_of_the_code_and_gives_a_reason():
    explanations = explained.load()
    paths = {ROOT / each.path for each in explanations}
    all_faults = faults.list_faults(ROOT, sorted(paths))
    missing = [each for each in explanations if not any(each.explains(fault) for fault in all_faults)]
    assert missing == []
    assert [each for each in explanations if len(each.reason.split()) < 5] == []
    assert len(set(explanations)) == len(explanations)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one module and two tests."""
    root = tmp_path_factory.mktemp("toy")
    for name, content in TOY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", root)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def test_a_toy_project_shows_which_faults_its_tests_find(toy: Path, tmp_path: Path):
    all_faults = faults.list_faults(toy, [toy / "mutuelle/dues.py"])
    afters_to_try = {"GRACE = 4", "GRACE = 2", "return days <= GRACE", "return days - 1"}
    drawn = [fault for fault in all_faults if fault.after in afters_to_try]
    trials = {fault.after: result for fault, result in try_all(toy, drawn, tmp_path, ["test_dues.py"], 60)}
    fourth_day = "tests/test_dues.py::test_the_fourth_day_is_late"
    assert {after: (result.result, result.by) for after, result in trials.items()} == {
        "GRACE = 4": (Result.FOUND, fourth_day),  # only a fixture of the module runs the line that uses it
        "GRACE = 2": (Result.SURVIVED, ""),
        "return days <= GRACE": (Result.FOUND, fourth_day),
        "return days - 1": (Result.NOT_RUN, ""),
    }
    assert "GRACE = 3" in (toy / "mutuelle/dues.py").read_text("utf-8")
    again = try_all(toy, drawn, tmp_path, ["test_dues.py"], 60)
    assert [result for _, result in again] == list(
        trials.values()
    )  # nothing ran again: the times are the same


def test_the_summary_counts_by_room_and_lists_what_stays_open():
    (first, second, third) = faults.list_faults(
        ROOT, [ROOT / "mutuelle/startup.py", ROOT / "mutuelle/money.py"]
    )[:3]
    explanation = explained.Explanation(
        second.path, second.scope, second.before, second.after, "it makes no difference at all"
    )
    trials = [("hall", first, Trial(Result.FOUND)), ("hall", second, Trial(Result.SURVIVED))]
    text, complete = summary(trials, [explanation])
    assert complete
    assert text.splitlines()[-1].split() == ["all", "1", "1", "100.0%", "1", "0"]
    text, complete = summary([*trials, ("hall", third, Trial(Result.NOT_RUN))], [explanation])
    assert not complete
    assert text.splitlines()[2].split() == ["all", "1", "2", "50.0%", "1", "0"]
    assert text.splitlines()[3].startswith(f"not run: {third.id}")
