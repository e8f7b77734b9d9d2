"""What commands share: boot, options, printing, and finding a mutuelle or household."""

import json
from typing import Any

import click
from sqlalchemy.orm import Session

from config.settings import Settings, load
from mutuelle import db, startup
from mutuelle.errors import Refused
from mutuelle.households import households, member_numbers
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant, TenantKind

as_json = click.option("--json", "as_json", is_flag=True, help="figures as JSON")
of_mutuelle = click.option("--mutuelle", "code", required=True, help="the mutuelle's code")


def boot() -> Settings:
    """Prepares this process to work on the database. Returns the settings."""
    settings = load()
    startup.boot(settings, wait_s=5)
    return settings


class DatabaseCommand(click.Command):
    """A command on the database. It boots only when it runs, so that its help needs no settings."""

    def invoke(self, ctx: click.Context) -> Any:
        boot()
        return super().invoke(ctx)


class DatabaseGroup(click.Group):
    """A group of commands that work on the database."""

    command_class = DatabaseCommand


def mutuelle_of(code: str) -> Tenant:
    """The mutuelle with this code. Ends the command when there is none."""
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.by_code(session, code)
    if tenant is None or tenant.kind != TenantKind.MUTUELLE:
        raise click.ClickException(f"there is no mutuelle {code}")
    return tenant


def print_values(values: dict[str, Any], as_json: bool) -> None:
    """Prints values by name, as one line of JSON or as a table for people."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, default=str))
        return
    for name, value in values.items():
        click.echo(f"{name:<18} {_as_text(value)}")


def _as_text(value: Any) -> str:
    """A value as text: commas between the parts of a dict, semicolons between the items of a list."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(part)}" for name, part in value.items())
    return "; ".join(map(_as_text, value)) or "none" if isinstance(value, list) else str(value)


def number_of(typed: str) -> str:
    """A member number as it is stored. Ends the command when `typed` is none."""
    try:
        return member_numbers.check(typed)
    except Refused:
        raise click.ClickException(
            "this is not a member number: ten digits, the last a check digit"
        ) from None


def household_of(session: Session, number: str) -> households.Household:
    """The household with this member number. Ends the command when there is none."""
    household = households.by_number(session, number_of(number))
    if household is None:
        raise click.ClickException("no household has this member number")
    return household
