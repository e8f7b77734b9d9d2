"""The command line `mutuelle`. Commands print tables for people, or JSON with `--json`."""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from config.settings import load
from gateway import momo
from gateway.cli import (
    claims,
    households,
    indicators,
    logins,
    office_lists,
    rights,
    schemes,
    sponsors,
    true_movements,
)
from gateway.cli.common import as_json, boot, household_of, print_values
from gateway.cli.errors import Commands
from menus import fit, graph_checks
from menus.flow import FLOW
from mutuelle import db
from mutuelle.contributions import bills
from mutuelle.cover import cover_books
from mutuelle.households.households import Household, claim_of, members_of
from mutuelle.migrations.migrate import migrate
from mutuelle.organisation import tenants
from mutuelle.payments import payments
from mutuelle.verification import verify


@click.group(cls=Commands)
def main() -> None:
    """Enrolment and contributions of health mutuelles by USSD, SMS and mobile money."""


main.add_command(logins.group)
main.add_command(indicators.group)
main.add_command(claims.group)
main.add_command(schemes.group)
main.add_command(rights.command)
main.add_command(office_lists.registry_group)
main.add_command(households.group)
main.add_command(sponsors.group)


@main.command()
def release() -> None:
    """Bring the database schema to this version."""
    migrate(load().database_url)


@main.command()
@click.argument("queue", type=click.Choice(["money", "messages", "daily"]))
def work(queue: str) -> None:
    """Run a worker of one queue, as a program of its own that does not load the web."""
    _become_worker(queue)


@main.command()
def schedule() -> None:
    """Run the scheduler, which rings for what is due. Several may run; one acts."""
    _become_worker("schedule")


def _become_worker(role: str) -> None:
    """Replaces this process by `python -m workers ROLE`, which never loads the web."""
    command = [sys.executable, "-m", "workers", role]
    os.execv(sys.executable, command)  # noqa: S606  # our own interpreter, no shell


@main.command("verify")
@click.option("--against", metavar="URL|FILE", help="a list of true movements, such as the sandbox's /truth")
@as_json
def verify_books(against: str | None, as_json: bool) -> None:
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


@main.group()
def members() -> None:
    """Households and their members."""


members.add_command(office_lists.members_import)


@members.command("show")
@click.argument("number")
@as_json
def members_show(number: str, as_json: bool) -> None:
    """Show one household: its members, its category and what it owes."""
    boot()
    with db.transaction(db.Role.AUDITOR) as session:
        household = household_of(session, number)
        tenant = tenants.get(session, household.tenant_id)
        position = cover_books.position(session, household.tenant_id, household.id, tenant.today())
        people = members_of(session, household.tenant_id, household.id)
        values = {
            "number": household.number,
            "mutuelle": tenant.code,
            "scheme": tenant.scheme,
            "language": household.language,
            "category": _category(session, household),
            "members": [
                {"kind": member.kind, "born": member.birth_year, "provisional": member.provisional}
                for member in people
            ],
            "currency": tenant.currency,
            "owed": position.owed,
            "credit": position.credit,
            "state": position.right.state,
        }
    print_values(values, as_json)


def _category(session: Session, household: Household) -> dict[str, Any]:
    """The claimed category, the state of its proof, and the category of the last bill."""
    claim = claim_of(session, household.tenant_id, household.id)
    billed = bills.category_of(session, household.tenant_id, household.id)
    return {"claimed": claim and claim.category, "standing": claim and claim.standing, "billed": billed}


@main.group("payments")
def payments_group() -> None:
    """Payment requests."""


@payments_group.command("show")
@click.argument("ref", type=click.UUID)
@as_json
def payments_show(ref: UUID, as_json: bool) -> None:
    """Show one payment by our reference."""
    boot()
    with db.transaction(db.Role.AUDITOR) as session:
        payment = payments.by_ref(session, ref)
        if payment is None:
            raise click.ClickException("no payment has this reference")
        values = {
            "ref": payment.ref,
            "status": payment.status,
            "amount": payment.amount,
            "currency": payment.currency,
            "operator_ref": payment.operator_ref,
            "reason": payment.reason,
            "created_at": payment.created_at,
            "settled_at": payment.settled_at,
        }
    print_values(values, as_json)


@main.group("menus")
def menus_group() -> None:
    """The USSD dialogues."""


@menus_group.command("check")
def menus_check() -> None:
    """Check that every screen, at its longest, fits one USSD page in every language. Exit 1 if not."""
    problems = fit.check(FLOW)
    for problem in problems:
        click.echo(str(problem))
    click.echo(f"{len(FLOW.screens)} screens, {len(problems)} problems")
    sys.exit(1 if problems else 0)


@menus_group.command("draw")
def menus_draw() -> None:
    """Print the dialogues as a Mermaid graph."""
    click.echo(graph_checks.draw(FLOW))


@main.group()
def account() -> None:
    """Operator accounts."""


@account.command("add")
@click.option("--mutuelle", "code", required=True, help="the mutuelle's code")
@click.option("--operator", type=click.Choice(sorted(momo.OPERATORS)), required=True)
@click.option("--name", required=True, help="a code of your own for the account")
@click.option(
    "--credentials", type=click.Path(exists=True, dir_okay=False), required=True, help="a JSON file"
)
def account_add(code: str, operator: str, name: str, credentials: str) -> None:
    """Store a wallet's credentials, encrypted, and print the callback URL to register at the operator."""
    settings = boot()
    token = secrets.token_urlsafe(24)
    secrets_by_name = _read_credentials(Path(credentials))
    try:
        momo.connect(operator, settings, secrets_by_name)
    except KeyError as missing:
        raise click.ClickException(f"--credentials: {missing} is missing") from None
    proofs = momo.OPERATORS[operator].proofs
    if proofs and not any(secrets_by_name.get(name, "").strip(" ,") for name in proofs):
        raise click.ClickException(
            f"--credentials: {' or '.join(proofs)} is missing; every callback would be refused"
        )
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.by_code(session, code)
        if tenant is None:
            raise click.ClickException(f"there is no mutuelle {code}")
        if tenants.is_account(session, name):
            raise click.ClickException(f"there is an account {name} already")
        tenants.add_account(
            session,
            tenant.id,
            operator=operator,
            code=name,
            currency=tenant.currency,
            credentials=secrets_by_name | {"callback_token": token},
            token=token,
        )
    click.echo(f"{settings.public_url.rstrip('/')}/momo/{operator}/{token}/callback")


def _read_credentials(file: Path) -> dict[str, str]:
    """The texts by name in a JSON file. Ends the command when it holds anything else."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise click.ClickException("--credentials: the file is not JSON") from None
    if not isinstance(values, dict) or not all(isinstance(text, str) and text for text in values.values()):
        raise click.ClickException(
            '--credentials: the file holds no words by name, such as {"api_key": "..."}'
        )
    return values
