"""One question of `mutuelle verify`: what it asks of the books, and the records that break it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.organisation import mutuelle_day

# PostgreSQL refuses a whole statement for one time zone that it does not know. That mutuelle's days are then
# NULL, so that they break nothing; the question `time-zone` names it.
_IN_ZONE = re.compile(r"AT TIME ZONE (coalesce\(h\.zone, t\.zone\)|\w+\.zone)")
_KNOWN_ZONE = r"AT TIME ZONE CASE WHEN \1 = ANY(:zones) THEN \1 END"
Find = Callable[[Session], Iterable[str]]


@dataclass(frozen=True)
class Question:
    """A check with a name. `text` says in one sentence what must hold, `find` yields what breaks it.

    `invariant` is the one it belongs to (I1 to I15). Where a record breaks a `decisive` question, the later
    questions cannot be asked.
    """

    name: str
    invariant: str
    text: str
    find: Find
    decisive: bool = False

    def broken(self, session: Session) -> Iterator[str]:
        """Yields a line for each record that breaks it: invariant, name, record.

        Books that are broken elsewhere may make a question impossible: that is a line as well.
        """
        try:
            with session.begin_nested():
                records = list(self.find(session))
        except Exception as error:  # of any kind: the other questions must still be asked
            records = [f"cannot be asked ({type(error).__name__})"]
        yield from (f"{self.invariant} {self.name}: {record}" for record in records)


def query(name: str, invariant: str, text_: str, record: str, sql: str, **values: Any) -> Question:
    """Returns the question that `sql` answers: each row it finds breaks it.

    `record` names a row: `{}` stands for each of its columns in turn. `values` are parameters of `sql`; a
    callable is called when the question is asked.
    """
    statement = text(_IN_ZONE.sub(_KNOWN_ZONE, sql))

    def find(session: Session) -> list[str]:
        zones = {"zones": mutuelle_day.known_zones(session)} if _IN_ZONE.search(sql) else {}
        rows = session.execute(statement, _called(values) | zones).all()
        return sorted(record.format(*row) for row in rows)

    return Question(name, invariant, text_, find)


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}
