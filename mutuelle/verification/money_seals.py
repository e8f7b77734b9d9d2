"""Questions about seals: nobody changed what a receipt, reversal, outflow, refund or archive run says.

The key is not in the database, so the rows are read here. Rows of before the seals were introduced have none.
"""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle import seals
from mutuelle.verification.question import Find, Question

ROWS_PER_BATCH = 2_000  # bounds the memory, however many rows there are
# When each table's rows were written.
WRITTEN = {
    "receipts": "recorded_at",
    "reversals": "recorded_at",
    "outflows": "recorded_at",
    "refunds": "asked_at",
    "archive_runs": "ran_at",
}


def unsealed(session: Session) -> int:
    """Returns how many rows of money were written before rows had seals."""
    counts = " + ".join(
        f"(SELECT count(*) FROM {table} WHERE seal IS NULL)"  # noqa: S608 - our own table names
        for table in seals.FACTS
    )
    return int(session.scalar(text(f"SELECT {counts}")) or 0)


def _changed(table: str) -> Find:
    """Returns the check that every row's seal is that of its facts, and that no later row lacks one."""
    moment = WRITTEN[table]
    query = text(
        f"SELECT *, {moment} >= (SELECT min({moment}) FROM {table}"  # noqa: S608 - our own names
        f" WHERE seal IS NOT NULL) AS must_be_sealed FROM {table} ORDER BY id"
    )
    record = table.removesuffix("s").replace("_", " ")

    def find(session: Session) -> Iterator[str]:
        for rows in (
            session.execute(query, execution_options={"yield_per": ROWS_PER_BATCH}).mappings().partitions()
        ):
            for row in rows:
                if row["seal"] is None:
                    if row["must_be_sealed"]:
                        yield f"{record} {row['id']}: has no seal"
                elif bytes(row["seal"]) != seals.seal(table, dict(row)):
                    yield f"{record} {row['id']}"

    return find


QUESTIONS: tuple[Question, ...] = (
    Question(
        "receipt-seal",
        "I8",
        "Nobody changed the amount, payer, reference or moment of a receipt.",
        _changed("receipts"),
    ),
    Question("reversal-seal", "I8", "Nobody changed what a reversal says.", _changed("reversals")),
    Question("outflow-seal", "I8", "Nobody changed what an outflow says.", _changed("outflows")),
    Question("refund-seal", "I8", "Nobody changed what a refund was asked for.", _changed("refunds")),
    Question(
        "archive-seal",
        "I8",
        "Nobody changed what a run of the archive says, or invented one.",
        _changed("archive_runs"),
    ),
)
