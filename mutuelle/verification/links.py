"""The question whether every row that names another one finds it: foreign keys hold while triggers sleep."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from mutuelle.verification.question import Question

# The foreign keys between tables that the transaction may read whole.
_KEYS = text("""
SELECT c.conname, r.relname AS referring, f.relname AS referred,
    (SELECT array_agg(quote_ident(a.attname) ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
    (SELECT array_agg(quote_ident(a.attname) ORDER BY k.place)
        FROM unnest(c.confkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS keys
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_class f ON f.oid = c.confrelid
WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
    AND has_table_privilege(r.oid, 'SELECT') AND has_table_privilege(f.oid, 'SELECT')
ORDER BY r.relname, c.conname
""")


def _dangling(session: Session) -> Iterator[str]:
    """Yields each table with rows whose foreign key finds no row, and how many. One statement asks all."""
    keys = session.execute(_KEYS).all()
    counts = text(" UNION ALL ".join(_count(place, key) for place, key in enumerate(keys)))
    for place, count in sorted(map(tuple, session.execute(counts))):
        key = keys[place]
        if count:
            yield f"{key.referring}: {count} rows name no row of {key.referred} ({', '.join(key.columns)})"


def _count(place: int, key: Row[Any]) -> str:
    """Returns the query that counts rows whose key is whole and finds nothing, after the key's `place`."""
    whole = " AND ".join(f"a.{column} IS NOT NULL" for column in key.columns)
    same = " AND ".join(f"b.{k} = a.{column}" for column, k in zip(key.columns, key.keys, strict=True))
    return (
        f"SELECT {place}, count(*) FROM {key.referring} a WHERE {whole}"  # noqa: S608 - catalogue names
        f" AND NOT EXISTS (SELECT FROM {key.referred} b WHERE {same})"
    )


QUESTIONS: tuple[Question, ...] = (
    Question("row-link", "I6", "A row that names another one finds it.", _dangling),
)
