"""Lists the small faults of SQL: in the text of a `.sql` file, or of a string of a Python file."""

import re
from collections.abc import Iterator

from proving.mutants.source import Edit

_SQL = re.compile(
    r"\b(SELECT|INSERT INTO|DELETE FROM|FOR UPDATE|FOR NO KEY UPDATE|ORDER BY|GROUP BY|WHERE|UNION|SET)\b"
)
# What no fault is planted in: comments, quoted words, placeholders of an f-string.
_CLOSED = re.compile(r"--[^\n]*|'[^'\n]*'|\{[^{}]*\}")

# Kind, what is replaced, by what. A row with groups keeps them.
_SWAPS = [
    ("compare.<=", r"(?<= )<(?= )", "<="),
    ("compare.<", r"(?<= )<=(?= )", "<"),
    ("compare.>=", r"(?<= )>(?= )", ">="),
    ("compare.>", r"(?<= )>=(?= )", ">"),
    ("compare.=", r"(?<= )<>(?= )", "="),
    ("null.not", r"\bIS NULL\b", "IS NOT NULL"),
    ("null.is", r"\bIS NOT NULL\b", "IS NULL"),
    ("null.distinct", r"\bIS NOT DISTINCT FROM\b", "IS DISTINCT FROM"),
    ("null.same", r"\bIS DISTINCT FROM\b", "IS NOT DISTINCT FROM"),
    ("order.asc", r" DESC\b", ""),
    ("aggregate.max", r"\bmin\(", "max("),
    ("aggregate.min", r"\bmax\(", "min("),
    ("aggregate.count", r"\bsum\(", "count("),
    ("aggregate.greatest", r"\bleast\(", "greatest("),
    ("aggregate.least", r"\bgreatest\(", "least("),
    ("lock", r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)\b(?: OF \w+)?(?: SKIP LOCKED| NOWAIT)?", ""),
    ("skip-locked", r" SKIP LOCKED\b", ""),
    ("conflict", r"\bON CONFLICT[^\n\"]* DO NOTHING\b", ""),
    ("boolean.or", r"\bAND\b", "OR"),
    ("boolean.and", r"\bOR\b(?! REPLACE)", "AND"),
    ("not", r"\bNOT (?=EXISTS|IN\b|\(|[a-z])", ""),
    ("exists", r"(?<!NOT )\bEXISTS(?= \()", "NOT EXISTS"),
    ("distinct", r"(?<=SELECT )DISTINCT (?!ON)", ""),
    ("outer-join", r"\bLEFT JOIN\b", "JOIN"),
    ("sign.-", r"(?<= )\+(?= )", "-"),
    ("sign.+", r"(?<= )-(?= )", "+"),
    ("truth", r"\btrue\b", "false"),
    ("truth", r"\bfalse\b", "true"),
    ("assignment", r",\s*\w+ = [\w:.]+(?=,|\s+(?:WHERE|FROM|RETURNING)\b)", ""),
]
_ORDER = re.compile(r"(?<=ORDER BY )[\w.:]+(?: DESC)?(?:, [\w.:]+(?: DESC)?)*(?![\w.:(]| [=<>+*|-]| I[SN] )")
_ASCENDING = re.compile(r"(?<![\w.])[a-z_][\w.:]*(?!\()(?=,|$)")
_EQUALS = re.compile(r"(?<= )=(?= )")
_NUMBER = re.compile(r"(?<![\w.:$%'])\d+(?![\w.'])")
_CLAUSE = re.compile(
    r"\b(SET|WHERE|FROM|RETURNING|SELECT|ON|HAVING|WHEN|AND|OR|GROUP BY|ORDER BY|LIMIT|OFFSET)\b"
)
_CONDITION = re.compile(r"\b(AND|OR|WHERE|HAVING)\s+")
_ENDS_CONDITION = re.compile(
    r"[(),;\"]|\b(?:AND|OR|BETWEEN|ORDER BY|GROUP BY|LIMIT|OFFSET|FOR|RETURNING|HAVING|UNION|WHERE|ON|FROM"
    r"|LEFT|CROSS|JOIN|THEN|ELSE|WHEN|AS|CASE|END|SELECT|SET)\b"
)


def is_sql(text: str) -> bool:
    """Whether a string holds a statement of SQL, or a part of one."""
    return bool(_SQL.search(text))


def edits(text: str, start: int, end: int) -> Iterator[Edit]:
    """Yields every small fault of the SQL that stands between two positions of a text."""
    sql = _CLOSED.sub(lambda closed: "\0" * len(closed[0]), text[start:end])
    for kind, pattern, replacement in _SWAPS:
        for match in re.finditer(pattern, sql):
            if "\0" not in match[0] or kind == "conflict":
                yield Edit(
                    f"sql-{kind}", start + match.start(), start + match.end(), match.expand(replacement)
                )
    for match in _EQUALS.finditer(sql):
        if _clause(sql, match.start()) != "SET":
            yield Edit("sql-compare.<>", start + match.start(), start + match.end(), "<>")
    for order in _ORDER.finditer(sql):
        for term in _ASCENDING.finditer(order[0]):
            if term.start() and re.fullmatch(r"(?:\w+\.)?id", term[0]):
                continue  # ids are random: as a later term they only make the order the same each time
            at = start + order.start() + term.end()
            yield Edit("sql-order.desc", at, at, " DESC")
    for match in _NUMBER.finditer(sql):
        if not _names_a_column(sql, match):
            number = str(int(match[0]) + 1)
            yield Edit("sql-number.+1", start + match.start(), start + match.end(), number)
    for first, last, replacement in _conditions(sql):
        yield Edit("sql-condition", start + first, start + last, replacement)


def _clause(sql: str, position: int) -> str:
    """Returns the last key word before a position."""
    words = _CLAUSE.findall(sql, 0, position)
    return str(words[-1]) if words else ""


def _names_a_column(sql: str, number: re.Match[str]) -> bool:
    """Whether a number is that of a column (`GROUP BY 1, 2`) or is not read (`EXISTS (SELECT 1`)."""
    clause = _clause(sql, number.start())
    return clause in ("GROUP BY", "ORDER BY") or sql[: number.start()].endswith("SELECT ")


def _conditions(sql: str) -> Iterator[tuple[int, int, str]]:
    """Yields every condition to drop: where it begins and ends, and what stands there instead."""
    for match in _CONDITION.finditer(sql):
        condition = sql[match.end() : _end_of_condition(sql, match.end())].rstrip()
        end = match.end() + len(condition)
        if condition:
            first = match[1] in ("WHERE", "HAVING")
            yield (match.end(), end, "true") if first else (match.start(), end, "")


def _end_of_condition(sql: str, start: int) -> int:
    """Returns where the condition that begins at `start` ends: at the next key word outside parentheses."""
    depth, between = 0, False
    for match in _ENDS_CONDITION.finditer(sql, start):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")" and depth:
            depth -= 1
        elif depth or (match[0] == "FROM" and sql[: match.start()].endswith("DISTINCT ")):
            continue
        elif match[0] == "BETWEEN":
            between = True
        elif match[0] == "AND" and between:
            between = False
        else:
            return match.start()
    return len(sql)
