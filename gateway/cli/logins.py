"""Logins for the console, at the command line. Passwords are generated and printed once, never arguments."""

import click
from sqlalchemy.exc import IntegrityError

from gateway.cli.common import DatabaseGroup, of_mutuelle
from mutuelle import db
from mutuelle.organisation import logins, tenants


@click.group("accounts", cls=DatabaseGroup)
def group() -> None:
    """People who log in to the console."""


@group.command("add")
@of_mutuelle
@click.option("--login", required=True, help="3 to 40 of a-z, 0-9, point, dash")
@click.option("--name", help="how the pages call this person; the login when left out")
def add(code: str, login: str, name: str | None) -> None:
    """Create a login for a mutuelle and print its password, once."""
    password = logins.new_password()
    try:
        with db.transaction(db.Role.LOGIN) as session:
            tenant = tenants.by_code(session, code)
            if tenant is None:
                raise click.ClickException(f"there is no mutuelle {code}")
            logins.add(session, tenant.id, login=login, name=name or login, password=password)
    except IntegrityError:
        raise click.ClickException(
            "this login is taken, or not made of 3 to 40 of a-z, 0-9, point and dash"
        ) from None
    click.echo(f"{login} {password}")


@group.command("password")
@click.option("--login", required=True)
def password(login: str) -> None:
    """Replace a password, print the new one once, and end the open sessions."""
    new_password = logins.new_password()
    with db.transaction(db.Role.LOGIN) as session:
        row = _require_login(logins.by_login(session, login))
        row.password = logins.hash_password(new_password)
        logins.end_sessions(session, row)
    click.echo(f"{login} {new_password}")


@group.command("close")
@click.option("--login", required=True)
def close(login: str) -> None:
    """Close a login; its open sessions end at once."""
    with db.transaction(db.Role.LOGIN) as session:
        logins.close(session, _require_login(logins.by_login(session, login)))


def _require_login(row: logins.Login | None) -> logins.Login:
    if row is None:
        raise click.ClickException("nobody has this login")
    return row
