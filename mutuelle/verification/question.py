"""One question of `mutuelle verify`: what it asks of the books, and the records that break it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

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
    statement = text(sql)

    def find(session: Session) -> list[str]:
        rows = session.execute(statement, _called(values)).all()
        return sorted(record.format(*row) for row in rows)

    return Question(name, invariant, text_, find)


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}
