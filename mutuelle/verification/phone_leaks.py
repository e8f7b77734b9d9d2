"""The question whether a phone number is stored unencrypted (I10)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import crypto, phone
from mutuelle.errors import Malformed
from mutuelle.verification.question import Question

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
    "registry_number",
    "receipts",
}
_KEY = "coalesce(to_jsonb(t) ->> 'id', to_jsonb(t) ->> 'session_id', to_jsonb(t) ->> 'household_id')"
_TABLES = """
SELECT table_name, array_agg(column_name::text) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY')
GROUP BY 1 ORDER BY 1
"""
ROWS_PER_BATCH = 2_000  # bounds the memory, however large a table is
# Every value is a parameter, the table and column names are ours.
_KNOWN_INDEXES = " UNION ".join(
    f"SELECT {column} FROM {table} WHERE {column} = ANY(:indexes)"  # noqa: S608 - our own names
    for table, column in (
        ("phones", "blind_index"),
        ("payments", "payer_index"),
        ("receipts", "payer_index"),
        ("messages", "phone_index"),
        ("sms_stops", "blind_index"),
        ("ussd_sessions", "phone_index"),
    )
)


def _in_the_open(session: Session) -> Iterator[str]:
    """Checks I10 over every text that is stored unencrypted. Yields the rows that hold a phone number.

    A phone number is a text like an international number, or any spelling of a phone in the database. No
    stored phone is decrypted: digits are looked up by their blind index.
    """
    countries = session.scalars(text("SELECT DISTINCT country FROM tenants")).all()
    tables = session.execute(text(_TABLES)).all()
    query = text(" UNION ALL ".join(_numbers_in(table, columns) for table, columns in tables))
    leaks: set[tuple[str, str]] = set()
    for rows in session.execute(query, execution_options={"yield_per": ROWS_PER_BATCH}).partitions():
        leaks |= {(table, str(key)) for table, key, kind, _ in rows if kind == "international"}
        rows_of = defaultdict[bytes, set[tuple[str, str]]](set)
        for table, key, kind, digits in rows:
            if kind != "international":
                for index in _blind_indexes(digits, countries if kind == "national" else [None]):
                    rows_of[index].add((table, str(key)))
        if rows_of:
            for index in session.scalars(text(_KNOWN_INDEXES), {"indexes": list(rows_of)}):
                leaks |= rows_of[bytes(index)]
    yield from (f"{table} {key}" for table, key in sorted(leaks))


def _numbers_in(table: str, columns: Sequence[str]) -> str:
    """A query for what may be a phone number in these columns: table, key of the row, kind, digits.

    The kind is `international` (a text like one), `digits` (they may begin with the country code) or
    `national` (digits of a column in which a machine writes none). The names come from the catalogue.
    """
    free_text = [column for column in columns if column not in NAMES]
    kinds = [
        f"SELECT 'international', '' WHERE {_join_columns(columns)} ~ '[+][1-9][0-9]{{7}}'",
        f"SELECT 'digits', {_digits_in(columns)}",
        f"SELECT 'national', {_digits_in(free_text)}" if free_text else "",
    ]
    either = " UNION ALL ".join(filter(None, kinds))
    source = f"{table} t, LATERAL ({either}) number"
    return f"SELECT '{table}', {_KEY}, number.* FROM {source}"  # noqa: S608 - names of the catalogue


def _digits_in(columns: Sequence[str]) -> str:
    joined = _join_columns(columns)
    return f"(regexp_matches({joined}, '(?<![0-9])[0-9]{{8,15}}(?![0-9])', 'g'))[1]"


def _join_columns(columns: Sequence[str]) -> str:
    return "concat_ws(' ', " + ", ".join(f't."{column}"' for column in columns) + ")"


def _blind_indexes(digits: str, countries: Sequence[str | None]) -> Iterator[bytes]:
    """Yields the blind indexes of the phones that these digits may be, one for each country."""
    for country in countries:
        number = digits if country else "+" + digits.removeprefix("00")
        try:
            yield crypto.blind_index(phone.normalize(number, country))
        except Malformed:
            continue


QUESTIONS: tuple[Question, ...] = (
    Question("phone-open", "I10", "No text that is stored unencrypted holds a phone number.", _in_the_open),
)
