"""The command `mutuelle verify`: checks the books."""

import sys

import click

from gateway.cli import true_movements
from gateway.cli.common import as_json, boot, print_values
from mutuelle import db
from mutuelle.verification import verify


@click.command("verify")
@click.option("--against", metavar="URL|FILE", help="a list of true movements, such as the sandbox's /truth")
@as_json
def command(against: str | None, as_json: bool) -> None:
    """Recompute every balance and right and check the invariants.

    Exit 1, and print the first broken record, when one is broken.
    """
    boot()
    try:
        movements = true_movements.read(against) if against else None
    except ValueError as error:
        raise click.ClickException(f"--against: {error}") from None
    with db.transaction(db.Role.AUDITOR, within_s=3600) as session:
        report = verify.run(session, movements)
    print_values(report.as_json(), as_json)
    if report.broken:
        click.echo(f"BROKEN {report.broken[0]}", err=True)
        sys.exit(1)
