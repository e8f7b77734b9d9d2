"""Finds phone numbers that are stored unencrypted (I10)."""

from collections.abc import Iterator, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import crypto, phone
from mutuelle.errors import Malformed

# Columns of names made by machines: most digits in them that look like a national number are none.
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
ROWS_PER_BATCH = 2_000  # bounds the memory, however large a table is
# Every value is a parameter, the table and column names are ours.
_KNOWN_INDEXES = " UNION ".join(
    f"SELECT {column} FROM {table} WHERE {column} = ANY(:indexes)"  # noqa: S608
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
    """Checks I10 over every text that is stored unencrypted. Yields the rows that hold a phone number.

    A phone number is a text like an international number, or any spelling of a phone in the database.
    """
    columns = (
        "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY') GROUP BY 1 ORDER BY 1"
    )
    countries = session.scalars(text("SELECT DISTINCT country FROM tenants")).all()
    for table, text_columns in session.execute(text(columns)).all():
        free_text = [column for column in text_columns if column not in NAMES]
        # The table and column names come from the catalogue.
        has_number = f"{_join_columns(text_columns)} ~ '[+][1-9][0-9]{{7}}'"
        international = f"SELECT {_KEY} FROM {table} t WHERE {has_number}"  # noqa: S608
        rows = {str(key) for key in session.scalars(text(international))}
        rows |= _rows_with_known_phones(session, table, text_columns, [None])
        if free_text:
            rows |= _rows_with_known_phones(session, table, free_text, countries)
        yield from (f"I10 {table} {row}: holds a phone number in the open" for row in sorted(rows))


def _join_columns(columns: Sequence[str]) -> str:
    return "concat_ws(' ', " + ", ".join(f'"{column}"' for column in columns) + ")"


def _rows_with_known_phones(
    session: Session, table: str, columns: Sequence[str], countries: Sequence[str | None]
) -> set[str]:
    """Returns the keys of rows with the digits of a phone in the database.

    The digits begin with the country code (country None), or are written as in one of the countries. No
    stored phone is decrypted: the digits are looked up by their blind index.
    """
    query = (
        f"SELECT {_KEY}, digits[1] FROM {table} t,"  # noqa: S608  # our own names
        f" regexp_matches({_join_columns(columns)}, '(?<![0-9])[0-9]{{8,15}}(?![0-9])', 'g') digits"
    )
    keys: set[str] = set()
    for rows in session.execute(text(query), execution_options={"yield_per": ROWS_PER_BATCH}).partitions():
        key_of = {index: str(key) for key, digits in rows for index in _blind_indexes(digits, countries)}
        if key_of:
            matches = session.scalars(text(_KNOWN_INDEXES), {"indexes": list(key_of)})
            keys |= {key_of[bytes(index)] for index in matches}
    return keys


def _blind_indexes(digits: str, countries: Sequence[str | None]) -> Iterator[bytes]:
    """Yields the blind indexes of the phones that these digits may be, one for each country."""
    for country in countries:
        number = digits if country else "+" + digits.removeprefix("00")
        try:
            yield crypto.blind_index(phone.normalize(number, country))
        except Malformed:
            continue
