"""The command `mutuelle verify`: checks the books."""

import json
import sys

import click

from gateway.cli import true_movements, wallet_balances
from gateway.cli.common import as_json, boot, print_values
from mutuelle import db
from mutuelle.verification import balances, questions, verify


@click.command("verify")
@click.option("--list", "only_list", is_flag=True, help="print the questions, and ask none")
@click.option("--against", metavar="URL|FILE", help="a list of true movements, such as the sandbox's /truth")
@click.option("--balance", is_flag=True, help="also ask each operator what its wallet holds, and compare")
@as_json
def command(only_list: bool, against: str | None, balance: bool, as_json: bool) -> None:
    """Recompute every balance and right and check the invariants.

    Exit 1, and print the first broken record with what its question asks, when one is broken.
    """
    if only_list:
        _print_questions(as_json)
        return
    settings = boot()
    try:
        movements = true_movements.read(against) if against else None
    except ValueError as error:
        raise click.ClickException(f"--against: {error}") from None
    with db.transaction(db.Role.AUDITOR, within_s=3600) as session:
        report = verify.run(session, movements)
        wallets = balances.booked(session) if balance else []
    if balance:
        wallets = wallet_balances.ask(settings, wallets)
        report.totals["balances"] = [wallet.as_json() for wallet in wallets]
        report.broken += balances.broken(wallets)
    print_values(report.as_json(), as_json)
    if report.broken:
        click.echo(f"BROKEN {report.broken[0]}", err=True)
        if (question := questions.of_line(report.broken[0])) is not None:
            click.echo(question.text, err=True)
        sys.exit(1)


def _print_questions(as_json: bool) -> None:
    if as_json:
        rows = [
            {"name": row.name, "invariant": row.invariant, "asks": row.text} for row in questions.QUESTIONS
        ]
        click.echo(json.dumps(rows))
        return
    for row in questions.QUESTIONS:
        click.echo(f"{row.invariant:<4} {row.name:<24} {row.text}")
