"""A change of rules at the command line: a mutuelle's bills under way follow the rule book's newer version.

Some households make a transaction, so that payments go on meanwhile and whatever is cut off is simply run
again.
"""

import sys
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from uuid import UUID

import click

from gateway.cli.common import as_json, boot, mutuelle_of, of_mutuelle, tell
from gateway.cli.office_lists import RehearsalRollback
from mutuelle import clock, db
from mutuelle.billing import rule_changes
from mutuelle.billing.rule_changes import RuleChangeResult
from mutuelle.money import Money
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes
from mutuelle.schemes.versions import Version

PAGE = 50  # households in one transaction
FIRST = UUID(int=0)


@click.command("apply")
@of_mutuelle
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="the rules of this day, from it on; today when left out",
)
@click.option("--dry-run", is_flag=True, help="tell what would happen, and change nothing")
@as_json
def apply_rules(code: str, day: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Price the bills under way that go by older rules by those of a day, where the rule book says that this
    is done.

    Bills are never edited: a difference is lines of its own, what was paid beyond a smaller share becomes
    credit, nothing that is open closes, and each household whose part changes is told by SMS. Run again, it
    does what is left. Exit 1 when the rules could not be applied to some household; a person then finds it in
    the console. Where a sponsor's cap is given away in the midst of it, a rehearsal counts more of it than
    there is.
    """
    boot()
    tenant = mutuelle_of(code)
    today = clock.today(tenant.zone)
    rules_of = day.date() if day else today
    if rules_of > today:
        raise click.ClickException(
            "--on is to come; bills follow rules that are in force; nothing was changed"
        )
    rules = schemes.in_use(tenant.scheme).in_force(rules_of)
    told = _run(tenant, rules, today, rules_of, dry_run)
    tariff = rules.adjustment.tariff
    if tariff == "next-period":
        click.echo(
            f"{tenant.scheme}: the tariff from {rules.since} counts from the next period on; bills under way stay as"
            " they are, but for years that were sold before they begin under it",
            err=True,
        )
    _show(tenant, rules, tariff, told, as_json)
    if told.flags:
        sys.exit(1)


def _run(tenant: Tenant, rules: Version, today: date, rules_of: date, dry_run: bool) -> RuleChangeResult:
    """All of it, page by page; a page that crosses another transaction is done again."""
    told, reached = RuleChangeResult(), FIRST
    with db.transaction(db.Role.WORKER, tenant.id) as session:
        waiting = rule_changes.waiting(session, tenant.id, rules, today)
    with click.progressbar(length=waiting, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        while True:
            with db.transaction(db.Role.WORKER, tenant.id) as session:
                homes = rule_changes.next_homes(session, tenant.id, rules, today, reached, PAGE)
            if not homes:
                return told
            told.add(db.retry_crossed(partial(_page, tenant, homes, today, rules_of, dry_run)))
            reached = homes[-1]
            bar.update(len(homes))


def _page(tenant: Tenant, homes: list[UUID], today: date, rules_of: date, dry_run: bool) -> RuleChangeResult:
    told = RuleChangeResult()
    with suppress(RehearsalRollback), db.transaction(db.Role.WORKER, tenant.id) as session:
        told = rule_changes.carry_out(session, tenant.id, homes, today, rules_of)
        if dry_run:
            raise RehearsalRollback
    return told


def _show(tenant: Tenant, rules: Version, tariff: str, told: RuleChangeResult, as_json: bool) -> None:
    payers = sorted({*rules.payers, *told.shares}, key=[*rules.payers, *sorted(told.shares)].index)
    counts = {"scheme": tenant.scheme, "rules": rules.since, "tariff": tariff, "households": told.households,
              "bills": told.bills, "flags": told.flags}  # fmt: skip
    if as_json:
        shares = {payer: told.shares[payer] for payer in payers}
        tell({**counts, "currency": tenant.currency, "shares": shares, "credit": told.credit}, as_json)
        return
    more = {f"of {payer}": _signed(told.shares[payer], tenant.currency) for payer in payers}
    tell({**counts, **more, "credit": Money(told.credit, tenant.currency)}, as_json)


def _signed(units: int, currency: str) -> str:
    return f"{'-' if units < 0 else '+'} {Money(abs(units), currency)}"
