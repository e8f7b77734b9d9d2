"""The command line, `mutuelle`: release, workers, books and rule books. Figures come as words, or as JSON with `--json`."""

import json
import os
import secrets as chance
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from config import logs
from config.settings import Settings, load
from gateway import cli_accounts, cli_claims, cli_schemes, momo, truth
from gateway.stops import Commands
from menus import fit, graph
from menus.flow import FLOW
from mutuelle import bills, clock, cover, db, households, numbers, payments, schemes, secrets, tenants, verify
from mutuelle.errors import Refused


@click.group(cls=Commands)
def main() -> None:
    """Enrolment and contributions of health mutuelles by USSD, SMS and mobile money."""


main.add_command(cli_accounts.group)
main.add_command(cli_claims.group)
main.add_command(cli_schemes.group)


def _boot() -> Settings:
    settings = load()
    logs.set_up(settings.log_level)
    clock.install(clock.Source(shift_s=settings.clock_shift))
    secrets.use(settings.phone_key, settings.secret_key)
    schemes.allow_drafts(settings.pretend_world)
    db.connect(settings.database_url, wait_s=5)
    return settings


def _tell(told: dict[str, Any], as_json: bool) -> None:
    """Print figures for a machine or for a person."""
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    for name, value in told.items():
        click.echo(f"{name:<18} {value}")


as_json = click.option("--json", "as_json", is_flag=True, help="figures as JSON")


@main.command()
def release() -> None:
    """Bring the database schema to this version."""
    db.migrate(load().database_url)


@main.command()
@click.argument("queue", type=click.Choice(["money", "messages"]))
def work(queue: str) -> None:
    """Be a worker of one queue. It becomes another program, so that a worker never loads the web."""
    os.execv(sys.executable, [sys.executable, "-m", "workers", queue])  # noqa: S606  # our own interpreter, no shell


@main.command()
def schedule() -> None:
    """Be the scheduler: ring for whatever is due. Several may run; one acts."""
    os.execv(sys.executable, [sys.executable, "-m", "workers", "schedule"])  # noqa: S606  # our own interpreter, no shell


@main.command("verify")
@click.option("--against", metavar="URL|FILE", help="a list of true movements, such as the sandbox's /truth")
@as_json
def verify_books(against: str | None, as_json: bool) -> None:
    """Recompute every balance and right and check the invariants. Exit 1 and the first broken record when one is broken."""
    _boot()
    try:
        movements = truth.read(against) if against else None
    except ValueError as error:
        raise click.ClickException(f"--against: {error}") from None
    with db.transaction(db.Role.AUDITOR, within_s=3600) as session:
        found = verify.run(session, movements)
    _tell(found.as_json(), as_json)
    if found.broken:
        click.echo(f"BROKEN {found.broken[0]}", err=True)
        sys.exit(1)


@main.group()
def members() -> None:
    """Households and their members."""


@members.command("show")
@click.argument("number")
@as_json
def members_show(number: str, as_json: bool) -> None:
    """One household: who is in it, its category and what it owes."""
    _boot()
    with db.transaction(db.Role.AUDITOR) as session:
        home = _household(session, number)
        tenant = tenants.get(session, home.tenant_id)
        now = cover.position(session, home.tenant_id, home.id, clock.today(tenant.zone))
        people = households.members_of(session, home.tenant_id, home.id)
        told = {
            "number": home.number,
            "mutuelle": tenant.code,
            "scheme": tenant.scheme,
            "language": home.language,
            "category": _category(session, home),
            "members": [{"kind": one.kind, "born": one.birth_year, "provisional": one.provisional} for one in people],
            "currency": tenant.currency,
            "owed": now.owed,
            "credit": now.credit,
            "state": now.right.state,
        }
    _tell(told, as_json)


def _category(session: Any, home: households.Household) -> dict[str, Any]:
    """What the household says it is, what came of its evidence, and what its last bill was made for."""
    claim = households.claim_of(session, home.tenant_id, home.id)
    billed = bills.category_of(session, home.tenant_id, home.id)
    return {"claimed": claim and claim.category, "standing": claim and claim.standing, "billed": billed}


@main.command()
@click.argument("number")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="a local date; today when left out")
@as_json
def rights(number: str, day: Any, as_json: bool) -> None:
    """What a household may claim on a day, why, and the next step."""
    _boot()
    with db.transaction(db.Role.AUDITOR) as session:
        home = _household(session, number)
        tenant = tenants.get(session, home.tenant_id)
        on = day.date() if day else clock.today(tenant.zone)
        now = cover.position(session, home.tenant_id, home.id, on)
    told = {
        "number": home.number,
        "on": on,
        "state": now.right.state,
        "since": now.right.since,
        "until": now.right.until,
        "reason": now.right.reason,
        "next_step": now.right.next_step,
        "owed": now.owed,
        "left_to_open": now.ahead.left_to_open,
    }
    _tell(told, as_json)


def _household(session: Any, number: str) -> households.Household:
    try:
        home = households.by_number(session, numbers.check(number))
    except Refused:
        raise click.ClickException("this is not a member number: ten digits, the last a check digit") from None
    if home is None:
        raise click.ClickException("no household has this member number")
    return home


@main.group("payments")
def payments_group() -> None:
    """Requests to collect."""


@payments_group.command("show")
@click.argument("ref", type=click.UUID)
@as_json
def payments_show(ref: UUID, as_json: bool) -> None:
    """One payment by our reference."""
    _boot()
    with db.transaction(db.Role.AUDITOR) as session:
        payment = payments.by_ref(session, ref)
        if payment is None:
            raise click.ClickException("no payment has this reference")
        told = {
            "ref": payment.ref,
            "status": payment.status,
            "amount": payment.amount,
            "currency": payment.currency,
            "operator_ref": payment.operator_ref,
            "reason": payment.reason,
            "created_at": payment.created_at,
            "settled_at": payment.settled_at,
        }
    _tell(told, as_json)


@main.group("menus")
def menus_group() -> None:
    """The dialogues."""


@menus_group.command("check")
def menus_check() -> None:
    """Every screen fits one USSD page in every language, at its longest. Exit 1 when one does not."""
    problems = fit.check(FLOW)
    for problem in problems:
        click.echo(str(problem))
    click.echo(f"{len(FLOW.screens)} screens, {len(problems)} problems")
    sys.exit(1 if problems else 0)


@menus_group.command("draw")
def menus_draw() -> None:
    """The dialogues as a Mermaid graph."""
    click.echo(graph.draw(FLOW))


@main.group()
def account() -> None:
    """Operator accounts."""


@account.command("add")
@click.option("--mutuelle", "code", required=True, help="the mutuelle's code")
@click.option("--operator", type=click.Choice(sorted(momo.OPERATORS)), required=True)
@click.option("--name", required=True, help="a code of your own for the account")
@click.option("--credentials", type=click.Path(exists=True, dir_okay=False), required=True, help="a JSON file")
def account_add(code: str, operator: str, name: str, credentials: str) -> None:
    """Store a merchant wallet's credentials, sealed, and print the callback address to register at the operator."""
    settings = _boot()
    token = chance.token_urlsafe(24)
    told = _credentials(Path(credentials))
    try:
        momo.connect(operator, settings, told)
    except KeyError as missing:
        raise click.ClickException(f"--credentials: {missing} is missing") from None
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.by_code(session, code)
        if tenant is None:
            raise click.ClickException(f"there is no mutuelle {code}")
        if tenants.is_account(session, name):
            raise click.ClickException(f"there is an account {name} already")
        sealed = told | {"callback_token": token}
        tenants.add_account(
            session, tenant.id, operator=operator, code=name, currency=tenant.currency, credentials=sealed, token=token
        )
    click.echo(f"{settings.public_url.rstrip('/')}/momo/{operator}/{token}/callback")


def _credentials(file: Path) -> dict[str, str]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise click.ClickException("--credentials: the file is not JSON") from None
    if not isinstance(told, dict) or not all(isinstance(word, str) and word for word in told.values()):
        raise click.ClickException('--credentials: the file holds no words by name, such as {"api_key": "..."}')
    return told


if __name__ == "__main__":
    main()
