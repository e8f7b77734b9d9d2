"""Shows at the command line what a household or member may claim on a day, why, and how it is derived."""

import sys
from datetime import date
from typing import Any

import click

from gateway.cli.common import as_json, boot, household_of, number_of, print_values
from gateway.cli.recompute import run as recompute_rights
from menus import texts
from mutuelle import clock, db
from mutuelle.cover import cover_books, explain_facts, member_rights
from mutuelle.cover import household_rights as rules
from mutuelle.cover.explain import explain
from mutuelle.cover.explain_facts import ExplainFacts
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.organisation import tenants


@click.command("rights")
@click.argument("number", required=False)
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="a local date; today when left out")
@click.option(
    "--member",
    type=click.IntRange(min=1),
    help="one member: 1 is the head, then by the day they came and by age",
)
@click.option("--explain", "explained", is_flag=True, help="how it was worked out, line by line")
@click.option(
    "--language", type=click.Choice(texts.LANGUAGES), default=texts.LANGUAGES[0], help="of --explain"
)
@click.option(
    "--recompute", is_flag=True, help="compute the rights of all households anew, and write what differs"
)
@click.option("--mutuelle", "code", help="of --recompute: only this mutuelle's")
@click.option("--after", help="of --recompute: go on behind this member number")
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="of --recompute")
@as_json
def command(
    number: str | None,
    day: Any,
    member: int | None,
    explained: bool,
    language: str,
    as_json: bool,
    recompute: bool,
    code: str | None,
    after: str | None,
    processes: int,
) -> None:
    """Show what a household, or one member, may claim on a day, why, and the next step."""
    boot()
    if recompute:
        counts = recompute_rights(code, after, processes)
        print_values(counts, as_json)
        sys.exit(1 if "set_aside" in counts else 0)
    if number is None:
        raise click.UsageError("a member number is missing, or --recompute")
    _show(number, day, member, explained, language, as_json)


def _show(number: str, day: Any, member: int | None, explained: bool, language: str, as_json: bool) -> None:
    on_day = day.date() if day else None
    if member is None and not explained:
        print_values(_household_values(number, on_day), as_json)
        return
    with db.transaction(db.Role.AUDITOR) as session:
        facts = explain_facts.read(session, number_of(number))
    if facts is None:
        raise click.ClickException("no household has this member number")
    on = on_day or clock.today(facts.zone)
    person = _person(facts, member)
    values = _member_values(facts, person, on) if person else {"number": facts.number, "on": on}
    if not explained:
        print_values(values, as_json)
        return
    lines = explain(facts, on, texts.read(language, "rights"), person)
    if as_json:
        print_values(values | {"lines": lines}, as_json)
    else:
        click.echo("\n".join(lines))


def _household_values(number: str, on_day: date | None) -> dict[str, Any]:
    with db.transaction(db.Role.AUDITOR) as session:
        household = household_of(session, number)
        tenant = tenants.get(session, household.tenant_id)
        on = on_day or tenant.today()
        position = cover_books.position(session, household.tenant_id, household.id, on)
    return {
        "number": household.number,
        "on": on,
        "state": position.right.state,
        "since": position.right.since,
        "until": position.right.until,
        "reason": position.right.reason,
        "next_step": position.right.next_step,
        "owed": position.owed,
        "left_to_open": position.next_opening.left_to_open,
    }


def _person(facts: ExplainFacts, member: int | None) -> InsuredPerson | None:
    """The member at this rank, counted from 1. Ends the command when there are fewer members."""
    if member is None:
        return None
    people = member_rights.in_rank_order(facts.people)
    if member > len(people):
        raise click.ClickException(f"this household has {len(people)} members")
    return people[member - 1]


def _member_values(facts: ExplainFacts, person: InsuredPerson, on: date) -> dict[str, Any]:
    dues = facts.books.bills
    timeline = member_rights.timeline(facts.books.version_of, dues, facts.books.paid, facts.people, person)
    right = rules.on(timeline, on)
    return {
        "number": facts.number,
        "on": on,
        "member": member_rights.in_rank_order(facts.people).index(person) + 1,
        "born": person.born,
        "state": right.state,
        "since": right.since,
        "until": right.until,
        "reason": right.reason,
        "next_step": right.next_step,
    }
