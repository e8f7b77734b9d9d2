"""Rights at the command line: what a household or one of its members may claim on a day, why, and how that
was worked out."""

from datetime import date
from typing import Any

import click

from gateway.cli.common import as_json, boot, household, number_of, tell
from gateway.cli.recompute import run as recompute_rights
from menus import texts
from mutuelle import clock, db
from mutuelle.cover import cover_books, explain_facts, member_rights
from mutuelle.cover import rights as rules
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
    """What a household, or one member, may claim on a day, why, and the next step."""
    boot()
    if recompute:
        tell(recompute_rights(code, after, processes), as_json)
        return
    if number is None:
        raise click.UsageError("a member number is missing, or --recompute")
    _one(number, day, member, explained, language, as_json)


def _one(number: str, day: Any, member: int | None, explained: bool, language: str, as_json: bool) -> None:
    asked = day.date() if day else None
    if member is None and not explained:
        tell(_household(number, asked), as_json)
        return
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, number_of(number))
    if case is None:
        raise click.ClickException("no household has this member number")
    on = asked or clock.today(case.zone)
    person = _person(case, member)
    told = _member(case, person, on) if person else {"number": case.number, "on": on}
    if not explained:
        tell(told, as_json)
        return
    lines = explain(case, on, texts.read(language, "rights"), person)
    if as_json:
        tell(told | {"lines": lines}, as_json)
    else:
        click.echo("\n".join(lines))


def _household(number: str, asked: date | None) -> dict[str, Any]:
    with db.transaction(db.Role.AUDITOR) as session:
        home = household(session, number)
        tenant = tenants.get(session, home.tenant_id)
        on = asked or clock.today(tenant.zone)
        now = cover_books.position(session, home.tenant_id, home.id, on)
    return {
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


def _person(case: ExplainFacts, member: int | None) -> InsuredPerson | None:
    if member is None:
        return None
    people = member_rights.in_rank_order(case.people)
    if member > len(people):
        raise click.ClickException(f"this household has {len(people)} members")
    return people[member - 1]


def _member(case: ExplainFacts, person: InsuredPerson, on: date) -> dict[str, Any]:
    dues = case.books.bills
    timeline = member_rights.timeline(case.books.version_of, dues, case.books.paid, case.people, person)
    found = rules.on(timeline, on)
    return {
        "number": case.number,
        "on": on,
        "member": member_rights.in_rank_order(case.people).index(person) + 1,
        "born": person.born,
        "state": found.state,
        "since": found.since,
        "until": found.until,
        "reason": found.reason,
        "next_step": found.next_step,
    }
