"""Sponsors at the command line: their promises, their households, and what is left of their caps."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import DatabaseGroup, as_json, mutuelle_of
from mutuelle import db
from mutuelle.billing import sponsorships
from mutuelle.errors import Refused, UnreadableBooks
from mutuelle.households import households, member_numbers
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import KINDS, Kind, Sponsor, SponsorTerms
from mutuelle.organisation.tenants import Tenant

ACTOR = "command"  # the actor of the command line in the audit trail
a_mutuelle = click.option("--mutuelle", "mutuelle_code", required=True, help="the mutuelle's code")
a_day = click.DateTime(["%Y-%m-%d"])
MESSAGES = {
    "number.wrong": "is not a member number: ten digits, the last of which checks the others",
    "sponsor.code": "a code is made of 2 to 30 of a-z, 0-9 and dash; nothing was changed",
    "sponsor.known": "there is a sponsor with this code already; nothing was changed",
    "sponsor.other": "another sponsor helps this household; end that first (`mutuelle sponsors end`)",
    "sponsor.over": "this sponsor's time is over; nothing was changed",
}


@click.group("sponsors", cls=DatabaseGroup)
def group() -> None:
    """A commune, an association or a relative who pays a part of households' own dues."""


@group.command("add")
@a_mutuelle
@click.argument("code")
@click.option("--name", required=True, help="as households read it in their SMS: 2 to 24 letters")
@click.option("--kind", type=click.Choice(KINDS), required=True)
@click.option(
    "--percent", type=click.IntRange(1, 100), required=True, help="of the member's part of each dues bill"
)
@click.option("--cap", type=click.IntRange(1), required=True, help="whole units, in all")
@click.option("--per-bill", type=click.IntRange(1), help="whole units of one bill at most")
@click.option("--since", type=a_day, help="first day; today when left out")
@click.option("--until", type=a_day, help="last day on which it may promise")
def add(
    mutuelle_code: str,
    code: str,
    name: str,
    kind: Kind,
    percent: int,
    cap: int,
    per_bill: int | None,
    since: Any,
    until: Any,
) -> None:
    """Add a sponsor to a mutuelle under a CODE of a-z, 0-9 and dashes."""
    tenant = mutuelle_of(mutuelle_code)
    first: date = since.date() if since else tenant.today()
    if not sponsors.NAME_MIN <= len(name) <= sponsors.NAME_MAX:
        raise click.ClickException(
            "--name takes 2 to 24 letters, because it stands in an SMS; nothing was changed"
        )
    try:
        with db.transaction(db.Role.CONSOLE, tenant.id) as session:
            sponsors.add(
                session,
                tenant.id,
                code=code,
                name=name,
                kind=kind,
                terms=SponsorTerms(
                    percent=percent,
                    cap=cap,
                    per_bill=per_bill,
                    since=first,
                    until=until.date() if until else None,
                ),
                by=ACTOR,
            )
    except Refused as refused:
        raise click.ClickException(MESSAGES[refused.key]) from None
    click.echo(f"{code}: {percent} % of the member's part, at most {Money(cap, tenant.currency)} in all")


@group.command("list")
@a_mutuelle
@as_json
def list_sponsors(mutuelle_code: str, as_json: bool) -> None:
    """List the sponsors: promised sums, what is left of the caps, and how many households they help."""
    tenant = mutuelle_of(mutuelle_code)
    with db.transaction(db.Role.CONSOLE, tenant.id) as session:
        rows = [
            {
                "code": balance.sponsor.code,
                "name": balance.sponsor.name,
                "kind": balance.sponsor.kind,
                "percent": balance.sponsor.percent,
                "cap": balance.sponsor.cap,
                "promised": balance.promised,
                "left": balance.left,
                "households": balance.households,
                "currency": tenant.currency,
            }
            for balance in sponsors.balances(session, tenant.id)
        ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row['code']:<20} {row['percent']:>3} %  promised {row['promised']:>12} of {row['cap']:>12} "
            f"{tenant.currency}, {row['households']} households  {row['name']}"
        )


@group.command("help")
@a_mutuelle
@click.argument("code")
@click.argument("member_numbers", nargs=-1)
@click.option("--numbers", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="a file of member numbers, one a line")  # fmt: skip
def help_households(
    mutuelle_code: str, code: str, member_numbers: tuple[str, ...], file: Path | None
) -> None:
    """Let the sponsor CODE help households from today on, each told by SMS. Exit 1 when one could not be."""
    tenant = mutuelle_of(mutuelle_code)
    from_file = file.read_bytes().decode("utf-8-sig", errors="replace").split() if file else []
    numbers = [*member_numbers, *from_file]
    if not numbers:
        raise click.ClickException(
            "name member numbers, or a file of them with --numbers; nothing was changed"
        )
    with db.transaction(db.Role.CONSOLE, tenant.id) as session:
        sponsor = sponsors.by_code(session, tenant.id, code)
    if sponsor is None:
        raise click.ClickException(
            f"{mutuelle_code} has no sponsor {code}; `mutuelle sponsors add` notes one"
        )
    outcomes = [(number, _help_household(tenant, sponsor, number)) for number in dict.fromkeys(numbers)]
    for number, (_, text) in outcomes:
        click.echo(f"{number} {text}")
    if not all(done for _, (done, _) in outcomes):
        sys.exit(1)


def _help_household(tenant: Tenant, sponsor: Sponsor, number: str) -> tuple[bool, str]:
    """Starts the help in a transaction of its own. Returns whether it succeeded, and the outcome in words."""
    try:
        number = member_numbers.check(number)
        with db.transaction(db.Role.CONSOLE, tenant.id) as session:
            household = households.by_number(session, number)
            if household is None:
                return False, f"is nobody's in {tenant.code}"
            today = tenant.today()
            promised = sponsorships.help_household(session, sponsor, household.id, today, ACTOR)
    except Refused as refused:
        return False, MESSAGES.get(
            refused.key, f"was refused by the rules ({refused.key}); nothing was changed"
        )
    except UnreadableBooks:
        return False, "has bills or money that cannot be read; nothing was changed"
    if promised is None:
        return True, "was helped already"
    return True, f"{Money(promised, tenant.currency)} promised for the bill under way"


@group.command("end")
@a_mutuelle
@click.argument("member_numbers", nargs=-1, required=True)
def end(mutuelle_code: str, member_numbers: tuple[str, ...]) -> None:
    """End the help for households' coming bills. Exit 1 when one had no sponsor.

    Promises stay. Help that began today was noted by mistake: its promise is taken back.
    """
    tenant = mutuelle_of(mutuelle_code)
    today: date = tenant.today()
    missing = False
    for number in member_numbers:
        with db.transaction(db.Role.CONSOLE, tenant.id) as session:
            household = households.by_number(session, number)
            ended = household is not None and sponsorships.end_help(
                session, tenant.id, household.id, today, ACTOR
            )
        outcome = (
            "is helped no more with bills to come" if ended else "is helped by nobody; nothing was changed"
        )
        click.echo(f"{number} {outcome}")
        missing = missing or not ended
    if missing:
        sys.exit(1)
