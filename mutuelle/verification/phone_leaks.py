"""Leaks: phone numbers that stand in the open (I10), in whatever is stored unencrypted."""

from collections.abc import Iterator, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import crypto, phone
from mutuelle.errors import Malformed

# Columns of names given by machines: digits in them that look like a national number mostly are none.
NAMES = {
    "transaction",
    "reference",
    "operator_ref",
    "provider_id",
    "foreign_id",
    "number",
    "subject",
    "source",
    "target",
    "key",
    "effect_key",
    "link",
    "text",
    "facts",
    "opening",
    "heard",
    "cursor",
    "overlap_cursor",
}
_KEY = "coalesce(to_jsonb(t) ->> 'id', to_jsonb(t) ->> 'session_id', to_jsonb(t) ->> 'household_id')"
ROWS = 2_000  # looked at together: memory does not grow with the books
KNOWN = " UNION ".join(
    f"SELECT {column} FROM {table} WHERE {column} = ANY(:asked)"  # noqa: S608  # our own names
    for table, column in (
        ("phones", "blind_index"),
        ("payments", "payer_index"),
        ("receipts", "payer_index"),
        ("messages", "phone_index"),
        ("sms_stops", "blind_index"),
        ("ussd_sessions", "phone_index"),
    )
)


def phones(session: Session) -> Iterator[str]:
    """I10 over whatever is stored unencrypted: nothing like an international number, and no phone we know in
    any form."""
    columns = (
        "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY') GROUP BY 1 ORDER BY 1"
    )
    countries = session.scalars(text("SELECT DISTINCT country FROM tenants")).all()
    for name, open_columns in session.execute(text(columns)).all():
        free = [column for column in open_columns if column not in NAMES]
        written = f"SELECT {_KEY} FROM {name} t WHERE {_words(open_columns)} ~ '[+][1-9][0-9]{{7}}'"  # noqa: S608  # our own names
        spoken = {str(row) for row in session.scalars(text(written))}
        spoken |= _known_phones(session, name, open_columns, [None])
        if free:
            spoken |= _known_phones(session, name, free, countries)
        yield from (f"I10 {name} {row}: holds a phone number in the open" for row in sorted(spoken))


def _words(columns: Sequence[str]) -> str:
    return "concat_ws(' ', " + ", ".join(f'"{column}"' for column in columns) + ")"


def _known_phones(
    session: Session, table: str, columns: Sequence[str], countries: Sequence[str | None]
) -> set[str]:
    """The rows that hold the digits of a phone we know, with its country code (None) or as its country writes
    it.

    No phone is opened for it: whatever looks like one is looked up by its blind index.
    """
    query = (
        f"SELECT {_KEY}, digits[1] FROM {table} t,"  # noqa: S608  # our own names
        f" regexp_matches({_words(columns)}, '(?<![0-9])[0-9]{{8,15}}(?![0-9])', 'g') digits"
    )
    found: set[str] = set()
    for rows in session.execute(text(query), execution_options={"yield_per": ROWS}).partitions():
        asked = {index: str(row) for row, digits in rows for index in _indices(digits, countries)}
        if asked:
            known = session.scalars(text(KNOWN), {"asked": list(asked)})
            found |= {asked[bytes(index)] for index in known}
    return found


def _indices(digits: str, countries: Sequence[str | None]) -> Iterator[bytes]:
    """The blind indices of the phones these digits may be."""
    for country in countries:
        try:
            yield crypto.blind_index(
                phone.normalize(digits if country else "+" + digits.removeprefix("00"), country)
            )
        except Malformed:
            continue
