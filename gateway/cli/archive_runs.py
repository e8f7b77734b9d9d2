"""`mutuelle archive`: what the daily job took out of the working tables."""

import json

import click

from gateway.cli.common import DatabaseGroup, as_json
from mutuelle import archive, db
from mutuelle.archive import ArchiveRun


@click.group("archive", cls=DatabaseGroup)
def group() -> None:
    """What the daily job took out of the working tables."""


@group.command("list")
@click.option(
    "--last", default=60, show_default=True, type=click.IntRange(1, 10_000), help="at most this many"
)
@as_json
def list_runs(last: int, as_json: bool) -> None:
    """List the batches, the newest first: when, table, number of rows, the day before which they ended."""
    with db.transaction(db.Role.AUDITOR) as session:
        rows = [_values(row) for row in archive.runs(session, limit=last)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
        return
    for row in rows:
        ran_at, before = f"{row['ran_at']:%Y-%m-%d %H:%M}", f"{row['ended_before']:%Y-%m-%d}"
        more = "" if row["is_last"] else "  and more"
        click.echo(f"{ran_at}  {row['table']}  {row['rows']}  {before}{more}")
    if not rows:
        click.echo("nothing was taken out yet")


def _values(row: ArchiveRun) -> dict[str, object]:
    return {
        "ran_at": row.ran_at,
        "table": row.archived,
        "rows": row.row_count,
        "ended_before": row.ended_before,
        "is_last": row.is_last,
    }
