"""Subsidy claims at the command line. `--by` is the login of the person who acts; claims have numbers."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from gateway import claim_documents
from gateway.cli.common import DatabaseGroup, as_json, mutuelle_of, of_mutuelle, print_values
from mutuelle import audit, db
from mutuelle.audit import Subject
from mutuelle.errors import Refused
from mutuelle.organisation import logins, sponsors, tenants
from mutuelle.organisation.logins import Login, Manager
from mutuelle.subsidies import claim_checks, claim_drafts, claim_steps, claim_store, claim_totals
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.subsidies.claim_store import Claim

ANSWERS = {"accepted": True, "rejected": False}
MESSAGES = {
    "claim.not-over": "--until is not over: name yesterday or an earlier day",
    "claim.sponsor": "name one of the sponsors with --sponsor CODE, and only with --payer sponsor",
    "claim.period": "--from is after --until",
    "claim.nothing": "nothing may be claimed of this payer by then ({left_out})",
    "claim.four-eyes": "who drafted it cannot check it: another person must",
    "claim.stale": "the books have changed since ({first}): cancel it and draft another one",
    "claim.moved": "it is {state}, so this cannot be done any more",
    "claim.not-sent": "its payer is not asked: it was not sent, or it is paid",
    "claim.no-line": "it has no line {line}",
    "claim.answered": "another answer is noted for line {line}",
    "claim.reason": "the rejection of line {line} needs a reason of 3 to 200 letters without a phone number",
    "claim.amount": "not that much is to come, or to go back; what is: {rest}",
    "claim.reference": "a bank's reference has 3 to 80 signs and is no phone number",
    "claim.reference-known": (
        "this reference of the bank is noted already, on {number}: one transfer counts once"
    ),
}
by = click.option("--by", "login", required=True, help="the login of the person who acts")
day = click.DateTime(["%Y-%m-%d"])


@click.group("claims", cls=DatabaseGroup)
def group() -> None:
    """Subsidy claims: what is asked of State, commune or sponsor, line by line."""


@group.command("draft")
@of_mutuelle
@click.option("--payer", type=click.Choice(sorted(claim_drafts.PAYERS)), required=True)
@click.option(
    "--sponsor", help="the sponsor's code, where the payer is a sponsor: each has claims of its own"
)
@click.option("--from", "since", type=day, required=True, help="first day of the period")
@click.option("--until", type=day, required=True, help="last day of the period")
@click.option("--again", is_flag=True, help="ask again for lines that were rejected")
@by
@as_json
def draft(
    code: str,
    payer: str,
    sponsor: str | None,
    since: datetime,
    until: datetime,
    again: bool,
    login: str,
    as_json: bool,
) -> None:
    """Draft a claim of all that a payer can be asked for by the end of the period; show what is left out."""
    with _transaction_of(login) as (session, person):
        if tenants.get(session, person.tenant_id).code != code:
            raise click.ClickException(f"{login} is not of the mutuelle {code}")
        period = Period(since.date(), until.date())
        claim = claim_drafts.draft(session, person, payer, period, sponsor=sponsor, again=again)
        values = _values(session, claim)
    print_values(values, as_json)


@group.command("check")
@click.argument("number")
@by
def check(number: str, login: str) -> None:
    """Agree to a draft of another person. Refused when the books have changed since."""
    _act(number, login, claim_steps.check)


@group.command("send")
@click.argument("number")
@by
def send(number: str, login: str) -> None:
    """Mark a checked claim as sent to its payer, who owes it from now on."""
    _act(number, login, claim_steps.send)


@group.command("cancel")
@click.argument("number")
@by
def cancel(number: str, login: str) -> None:
    """Cancel a claim that was not sent; its lines may be claimed by another one."""
    _act(number, login, claim_steps.cancel)


@group.command("answer")
@click.argument("number")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--accept-rest", is_flag=True, help="whatever has no answer is accepted")
@by
def answer(number: str, file: Path | None, accept_rest: bool, login: str) -> None:
    """Record the payer's answers from a CSV with the columns line, answer (accepted, rejected) and reason."""
    if file is None and not accept_rest:
        raise click.ClickException("name a file, or --accept-rest")
    answers = list(_read_answers(file)) if file else []
    with _transaction_of(login) as (session, person):
        claim = _claim(session, number)
        count = claim_steps.answer(session, person, claim, answers)
        count += claim_steps.accept_rest(session, person, claim) if accept_rest else 0
    click.echo(f"{count} answers")


@group.command("pay")
@click.argument("number")
@click.option(
    "--amount", type=int, required=True, help="smallest units; with a minus when it went back to the payer"
)
@click.option("--reference", required=True, help="the bank's")
@click.option("--on", "on_day", type=day, help="a local date; today when left out")
@by
def pay(number: str, amount: int, reference: str, on_day: datetime | None, login: str) -> None:
    """Record money of the payer that came to the bank."""

    def record(session: Session, person: Manager, claim: Claim) -> None:
        today = tenants.today(session, person.tenant_id)
        claim_steps.pay(session, person, claim, amount, reference, on_day.date() if on_day else today)

    _act(number, login, record)


@group.command("list")
@of_mutuelle
@as_json
def list_claims(code: str, as_json: bool) -> None:
    """List the claims of a mutuelle, newest first."""
    tenant = mutuelle_of(code)
    with db.transaction(db.Role.CONSOLE, tenant.id) as session:
        newest = claim_store.newest(session, tenant.id, limit=1_000)
        rests = claim_totals.rests(session, newest)
        rows = [{**_summary(claim), "rest": rests.get(claim.id, 0)} for claim in newest]
    if as_json:
        click.echo(json.dumps(rows, default=str))
        return
    for row in rows:
        click.echo("  ".join(str(cell) for cell in row.values()))


@group.command("show")
@click.argument("number")
@as_json
def show(number: str, as_json: bool) -> None:
    """Show one claim: its sums by category, what it leaves out and why, its answers and payments."""
    with _claim_to_read(number) as (session, claim):
        print_values(_values(session, claim), as_json)


@group.command("export")
@click.argument("number")
@click.option("--format", "kind", type=click.Choice(sorted(claim_documents.KINDS)), required=True)
@click.option("--to", type=click.Path(path_type=Path), help="a file; standard output when left out")
@by
def export(number: str, kind: str, to: Path | None, login: str) -> None:
    """Write the lines as CSV (its sha256sum is the claim's hash), as a workbook, or one page to sign.

    The audit trail records who exported it.
    """
    with _transaction_of(login) as (session, person):
        claim = _claim(session, number)
        audit.record(
            session,
            claim.tenant_id,
            person.actor,
            "claim-exported",
            audit.about(Subject.CLAIM, claim.id),
            kind=kind,
        )
        file = claim_documents.write(session, claim, kind)
    if to is None:
        sys.stdout.buffer.write(file)
    else:
        to.write_bytes(file)


@group.command("verify")
@click.argument("number")
@as_json
def verify(number: str, as_json: bool) -> None:
    """Make a claim again from the books as they were when it was drafted. Exit 1 when it differs."""
    with _claim_to_read(number) as (session, claim):
        remade = claim_checks.remake(session, claim)
    differences = remade.differences
    values = {"number": number, "ok": not differences, "differences": differences, "since": remade.since}
    print_values(values, as_json)
    if differences:
        click.echo(f"DIFFERENT {differences[0]}", err=True)
        sys.exit(1)


@contextmanager
def _transaction_of(login: str) -> Iterator[tuple[Session, Manager]]:
    """Opens a transaction of this person in their mutuelle. A refusal rolls it back and ends the command."""
    with db.transaction(db.Role.CONSOLE) as session:
        key = logins.find_login(session, login)
    if key is None:
        raise click.ClickException("nobody has this login")
    try:
        with db.transaction(db.Role.CONSOLE, key[0], within_s=3600) as session:
            row = session.get_one(Login, key)
            if not row.active:
                raise click.ClickException("this login is closed")
            yield session, Manager(row.tenant_id, row.id, row.name)
    except Refused as refused:
        message = MESSAGES[refused.key].format(**refused.values)
        raise click.ClickException(f"{refused.key}: {message}; nothing was changed") from None


@contextmanager
def _claim_to_read(number: str) -> Iterator[tuple[Session, Claim]]:
    """Opens a transaction that sees only the claim's mutuelle. Yields it and the claim."""
    with db.transaction(db.Role.AUDITOR) as session:
        tenant_id = _claim(session, number).tenant_id
    with db.transaction(db.Role.CONSOLE, tenant_id, within_s=3600) as session:
        yield session, _claim(session, number)


def _act(number: str, login: str, act: Callable[[Session, Manager, Claim], None]) -> None:
    with _transaction_of(login) as (session, person):
        act(session, person, _claim(session, number))


def _claim(session: Session, number: str) -> Claim:
    claim = claim_store.by_number(session, number)
    if claim is None:
        raise click.ClickException("no claim has this number")
    return claim


def _read_answers(file: Path) -> Iterator[PayerAnswer]:
    """Yields the answers of a CSV file. Ends the command at a row that cannot be read."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"line", "answer"} <= set(rows.fieldnames or ()):
            raise click.ClickException(
                "the file needs the columns line and answer, and reason for what is rejected"
            )
        for row in rows:
            if not row["line"].isdecimal() or row["answer"] not in ANSWERS:
                raise click.ClickException(
                    f"row {rows.line_num}: line is a number, answer is accepted or rejected"
                )
            reason = " ".join((row.get("reason") or "").split())
            yield PayerAnswer(int(row["line"]), ANSWERS[row["answer"]], reason)


def _summary(claim: Claim) -> dict[str, Any]:
    return {
        "number": claim.number,
        "from": claim.period_from,
        "until": claim.period_until,
        "state": claim.state,
        "lines": claim.lines,
        "total": claim.total,
        "currency": claim.currency,
    }


def _values(session: Session, claim: Claim) -> dict[str, Any]:
    sums = claim_totals.sums(session, claim)
    names = logins.names(session, claim.tenant_id)
    sponsor = sponsors.get(session, claim.tenant_id, claim.sponsor_id) if claim.sponsor_id else None

    def stamp(login_id: UUID | None, at: datetime | None) -> str | None:
        return f"{names[login_id]} {at:%Y-%m-%d %H:%M}" if login_id and at else None

    return {
        **_summary(claim),
        "payer": claim.payer,
        "sponsor": sponsor and sponsor.code,
        "hash": claim.lines_hash.hex(),
        "drafted": stamp(claim.made_by, claim.made_at),
        "checked": stamp(claim.checked_by, claim.checked_at),
        "sent": stamp(claim.sent_by, claim.sent_at),
        "ended": stamp(claim.ended_by, claim.ended_at),
        "categories": {row.name: row.units for row in claim_totals.by_category(session, claim)},
        "left_out": {row.name: row.units for row in claim_totals.by_reason(session, claim)},
        "accepted": sums.accepted,
        "rejected": sums.rejected,
        "unanswered": sums.waiting,
        "paid": sums.paid,
        "rest": sums.rest if claim.state in ("sent", "paid") else 0,
    }
