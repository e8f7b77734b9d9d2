"""Applies a newer version of the rule book to a mutuelle's running bills, at the command line.

A transaction covers few households, so that payments go on meanwhile. After an interruption, run it again.
"""

import sys
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from uuid import UUID

import click

from gateway.cli.common import as_json, boot, mutuelle_of, of_mutuelle, print_values
from gateway.cli.office_lists import RehearsalRollback
from mutuelle import db
from mutuelle.billing import rule_changes
from mutuelle.billing.rule_changes import RuleChangeResult
from mutuelle.money import Money
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes
from mutuelle.schemes.version_rules import Version

PAGE = 50  # households in one transaction
BEFORE_FIRST = UUID(int=0)


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
    """Price running bills of older rules by the rules of a day, where the rule book provides for it.

    Bills are never edited: a difference is new lines, a payment beyond a smaller share becomes credit, open
    cover stays open, and each household whose part changes gets an SMS. Run again, it does what is left.
    Exit 1 when the rules could not be applied to some household; the console then shows a case for it. When a
    sponsor's cap runs out on the way, a rehearsal counts more of it than there is.
    """
    boot()
    tenant = mutuelle_of(code)
    today = tenant.today()
    rules_of = day.date() if day else today
    if rules_of > today:
        raise click.ClickException(
            "--on is to come; bills follow rules that are in force; nothing was changed"
        )
    rules = schemes.in_use(tenant.scheme).in_force(rules_of)
    result = _run(tenant, rules, today, rules_of, dry_run)
    tariff = rules.adjustment.tariff
    if tariff == "next-period":
        click.echo(
            f"{tenant.scheme}: the tariff from {rules.since} counts from the next period on;"
            " bills under way stay as they are, but for years that were sold before they begin under it",
            err=True,
        )
    _show(tenant, rules, tariff, result, as_json)
    if result.flags:
        sys.exit(1)


def _run(tenant: Tenant, rules: Version, today: date, rules_of: date, dry_run: bool) -> RuleChangeResult:
    """Applies the rules page by page, repeating a page after a deadlock. Returns the sums."""
    total, last_id = RuleChangeResult(), BEFORE_FIRST
    with db.transaction(db.Role.WORKER, tenant.id) as session:
        waiting = rule_changes.count_households(session, tenant.id, rules, today)
    with click.progressbar(length=waiting, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        while True:
            with db.transaction(db.Role.WORKER, tenant.id) as session:
                ids = rule_changes.next_households(session, tenant.id, rules, today, last_id, PAGE)
            if not ids:
                return total
            total.add(db.retry_crossed(partial(_apply_page, tenant, ids, today, rules_of, dry_run)))
            last_id = ids[-1]
            bar.update(len(ids))


def _apply_page(
    tenant: Tenant, household_ids: list[UUID], today: date, rules_of: date, dry_run: bool
) -> RuleChangeResult:
    result = RuleChangeResult()
    with suppress(RehearsalRollback), db.transaction(db.Role.WORKER, tenant.id) as session:
        result = rule_changes.apply(session, tenant.id, household_ids, today, rules_of)
        if dry_run:
            raise RehearsalRollback
    return result


def _show(tenant: Tenant, rules: Version, tariff: str, result: RuleChangeResult, as_json: bool) -> None:
    payers = sorted({*rules.payers, *result.shares}, key=[*rules.payers, *sorted(result.shares)].index)
    counts = {
        "scheme": tenant.scheme,
        "rules": rules.since,
        "tariff": tariff,
        "households": result.households,
        "bills": result.bills,
        "flags": result.flags,
    }
    if as_json:
        shares = {payer: result.shares[payer] for payer in payers}
        print_values(
            {**counts, "currency": tenant.currency, "shares": shares, "credit": result.credit}, as_json
        )
        return
    more = {f"of {payer}": _with_sign(result.shares[payer], tenant.currency) for payer in payers}
    print_values({**counts, **more, "credit": Money(result.credit, tenant.currency)}, as_json)


def _with_sign(units: int, currency: str) -> str:
    return f"{'-' if units < 0 else '+'} {Money(abs(units), currency)}"
