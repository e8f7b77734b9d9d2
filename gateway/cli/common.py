"""What every command does: read the settings, open the database, print figures, find a household."""

import json
from typing import Any

import click

from config.settings import Settings, load
from mutuelle import db, startup
from mutuelle.errors import Refused
from mutuelle.households import households, member_numbers
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant

as_json = click.option("--json", "as_json", is_flag=True, help="figures as JSON")
of_mutuelle = click.option("--mutuelle", "code", required=True, help="the mutuelle's code")


def boot() -> Settings:
    """Prepares this process to work on the database. Returns the settings."""
    settings = load()
    startup.boot(settings, wait_s=5)
    return settings


class DatabaseCommand(click.Command):
    """A command that works on the database. The settings are read when it runs: its help needs none."""

    def invoke(self, ctx: click.Context) -> Any:
        boot()
        return super().invoke(ctx)


class DatabaseGroup(click.Group):
    """A group of such commands."""

    command_class = DatabaseCommand


def mutuelle_of(code: str) -> Tenant:
    """The mutuelle with this code; that there is none is said so."""
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.by_code(session, code)
    if tenant is None or tenant.kind != "mutuelle":
        raise click.ClickException(f"there is no mutuelle {code}")
    return tenant


def tell(told: dict[str, Any], as_json: bool) -> None:
    """Print figures for a machine or for a person."""
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    for name, value in told.items():
        click.echo(f"{name:<18} {_said(value)}")


def _said(value: Any) -> str:
    """A value as a person reads it: parts of one thing after commas, several things after semicolons."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items())
    return "; ".join(map(_said, value)) or "none" if isinstance(value, list) else str(value)


def number_of(typed: str) -> str:
    """A member number as stored. A wrong one is said so."""
    try:
        return member_numbers.check(typed)
    except Refused:
        raise click.ClickException(
            "this is not a member number: ten digits, the last a check digit"
        ) from None


def household(session: Any, number: str) -> households.Household:
    """The household with this member number. A wrong or unknown one is said so."""
    home = households.by_number(session, number_of(number))
    if home is None:
        raise click.ClickException("no household has this member number")
    return home
