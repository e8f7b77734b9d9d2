"""`mutuelle pull`: reads a day of an operator's transaction list again, from its first line."""

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

import click
from sqlalchemy import select

from gateway import momo
from gateway.cli.common import as_json, boot, print_values
from mutuelle import clock, db
from mutuelle.organisation.tenants import OperatorAccount


@click.command("pull")
@click.option("--account", "code", required=True, help="the code of an operator account")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="a day in UTC, as 2026-11-30")
@as_json
def command(code: str, day: datetime, as_json: bool) -> None:
    """Read a day of an account's transaction list again, and print what it holds.

    Exit 1 when a line could not be read or booked, or the list did not come to its end.
    """
    boot()
    with db.transaction(db.Role.LOGIN) as session:
        operator = session.scalar(select(OperatorAccount.operator).where(OperatorAccount.code == code))
    if operator is None:
        raise click.ClickException(f"there is no account {code}; nothing was read")
    if not momo.OPERATORS[operator].lists:
        raise click.ClickException(
            f"{operator} offers no transaction list; nothing was read (its payments are queried one by one)"
        )
    if day.date() > clock.now().date():
        raise click.ClickException(f"{day.date()} has not begun (days are in UTC); nothing was read")
    values = _read(code, day.date().isoformat())
    failure = values.pop("failure")
    print_values(values, as_json)
    if failure:
        raise click.ClickException(f"{failure}; what came before is in the books. Run the command again.")
    if not values["whole"]:
        raise click.ClickException(
            "the day stays open: the lines named above are not in the books. They have a case in the console,"
            " and are read again by themselves."
        )


def _read(code: str, day: str) -> dict[str, Any]:
    """Reads the list in a worker program of its own, which never loads the web. Returns what it reports."""
    order = [sys.executable, "-m", "workers", "pull", code, day]
    program = subprocess.run(order, stdout=subprocess.PIPE, text=True, check=False)
    try:
        values: dict[str, Any] = json.loads(program.stdout)
    except ValueError:
        raise click.ClickException("the list was not read to its end; the reason stands above") from None
    return values
