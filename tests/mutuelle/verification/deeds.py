"""The words of SQL in which a superuser whose triggers sleep breaks the story."""

ASKED = "(SELECT household_id FROM payments)"
BY_PHONE = "payer''s phone is registered to this household only"
PHONED = f"(SELECT household_id FROM allocations WHERE reason = '{BY_PHONE}' ORDER BY at LIMIT 1)"
LINE_COLUMNS = (
    "household_id, number, member_id, name, born, category, scheme, version, rule, evidence, days_from,"
    " days_until, on_day, amount, bill_line_id, corrects"
)
CLAIMED = f"(SELECT id FROM households WHERE id NOT IN ({ASKED}, {PHONED}))"


def receipt(transaction: str) -> str:
    return f"(SELECT id FROM receipts WHERE transaction = '{transaction}')"


def vanished(transaction: str) -> tuple[str, ...]:
    """Deletes a receipt with its allocations and ledger entries."""
    id_ = receipt(transaction)
    entries = f"(SELECT id FROM entries WHERE split_part(reference, ':', 2) = {id_}::text)"
    return (
        f"DELETE FROM postings WHERE entry_id IN {entries}",
        f"DELETE FROM entries WHERE split_part(reference, ':', 2) = {id_}::text",
        f"DELETE FROM allocations WHERE receipt_id = {id_}",
        f"DELETE FROM receipts WHERE id = {id_}",
    )


def moved(transaction: str, household: str) -> tuple[str, ...]:
    """Moves the money of a receipt to another household, in the allocations and in the ledger."""
    id_ = receipt(transaction)
    line = (
        "(SELECT l.id FROM bill_lines l JOIN bills b ON b.id = l.bill_id WHERE l.payer = 'member'"
        f" AND b.kind = 'dues' AND b.household_id = {household} AND l.adjustment_id IS NULL LIMIT 1)"
    )
    old = (
        f"(SELECT 'household:' || household_id FROM allocations WHERE receipt_id = {id_}"
        " AND household_id IS NOT NULL LIMIT 1)"
    )
    of = f"entry_id IN (SELECT id FROM entries WHERE split_part(reference, ':', 2) = {id_}::text)"
    return (
        f"CREATE TEMP TABLE old ON COMMIT DROP AS SELECT {old} AS address, {household} AS target",
        f"UPDATE postings SET source = 'household:' || old.target FROM old WHERE source = address AND {of}",
        "UPDATE postings SET target = 'household:' || old.target FROM old"
        f" WHERE postings.target = address AND {of}",
        f"UPDATE allocations SET household_id = (SELECT target FROM old),"
        f" bill_line_id = CASE WHEN bill_line_id IS NOT NULL THEN {line} END"
        f" WHERE receipt_id = {id_} AND household_id IS NOT NULL",
    )


RIGHTS = "rights-computed"
LEDGER = "ledger-balance"
Break = tuple[str, tuple[str, ...], set[str]]  # the question, the orders, other questions that they break
