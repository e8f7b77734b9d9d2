"""Imports office lists at the command line: members' names, and the lines of a social registry.

Rows that cannot be imported are reported by their number, with what is wrong and what to do, and the command
exits with 1; the others are imported. No row is ever printed, because rows hold names, numbers and phones.
"""

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.orm import Session

from gateway.cli.common import as_json, boot, mutuelle_of, of_mutuelle, print_values
from mutuelle import db, set_aside
from mutuelle.enrolment import member_names, office_list_csv, pending_proofs, social_registry
from mutuelle.enrolment.office_list_csv import RowProblem
from mutuelle.enrolment.registry_matching import Match
from mutuelle.errors import Malformed
from mutuelle.organisation.tenants import Tenant
from mutuelle.set_aside import Work

LONG_S = 600
Item = TypeVar("Item")
a_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def read_list(
    file: Path,
    columns: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]] = office_list_csv.NO_COLUMNS,
) -> tuple[office_list_csv.ParsedList, str]:
    """The rows of a file, and the actor that the audit trail names for them."""
    body = file.read_bytes()
    try:
        return office_list_csv.read(body, columns, optional), f"list:{hashlib.sha256(body).hexdigest()[:12]}"
    except Malformed as wrong:
        raise click.ClickException(str(wrong)) from None


def progress(items: Iterable[Item], length: int) -> AbstractContextManager[Iterable[Item]]:
    """A progress bar on a terminal, nothing in a pipe."""
    return click.progressbar(items, length=length, file=sys.stderr, hidden=not sys.stderr.isatty())


def print_list_result(values: dict[str, Any], problems: Iterable[RowProblem], as_json: bool) -> None:
    """Prints the counts, then the problems. Exits with 1 when there is any, else with 0."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    details = {"problems": [vars(problem) for problem in ordered]} if as_json else {}
    print_values(values | details, as_json)
    for problem in ordered if not as_json else ():
        click.echo(str(problem), err=True)
    sys.exit(1 if ordered else 0)


@click.command("import")
@a_file
@of_mutuelle
@as_json
def members_import(file: Path, code: str, as_json: bool) -> None:
    """Name members from a CSV list with the columns number, birth_year, name and kind (head or dependant)."""
    boot()
    tenant = mutuelle_of(code)
    parsed, by = read_list(file, member_names.COLUMNS)
    rows, refused = member_names.read(parsed.lines, tenant.today())
    problems = [*parsed.problems, *refused]
    named = same = 0
    parts = list(member_names.batches(rows))
    with progress(parts, len(parts)) as steps:
        for part in steps:
            with db.transaction(db.Role.WORKER, tenant.id) as session:
                result = member_names.name_members(session, tenant.id, part, by)
            named, same = named + result.named, same + result.same
            problems += result.problems
    count = len(parsed.lines) + len(parsed.problems)
    print_list_result(
        {"rows": count, "named": named, "unchanged": same, "refused": len(problems)}, problems, as_json
    )


@click.group("registry")
def registry_group() -> None:
    """Social registries: lists of households and their categories."""


class RehearsalRollback(Exception):
    """Raised to roll a rehearsal back."""


@registry_group.command("import")
@a_file
@of_mutuelle
@click.option(
    "--registry",
    "name",
    default=social_registry.SOCIAL,
    show_default=True,
    help="whose list it is, such as one commune's",
)
@click.option("--dry-run", is_flag=True, help="tell what would happen, and change nothing")
@as_json
def registry_import(file: Path, code: str, name: str, dry_run: bool, as_json: bool) -> None:
    """Load a CSV: registry_number, phone, head_name, birth_year, category, valid_until.

    Checks the category of the households that the list proves: by the number they gave, else by their phone
    unless the head's birth year contradicts. Mere likenesses wait in the console for a decision, and so do
    households proven by a line that this list leaves out: `left_out` counts them. A list is the whole of its
    registry, so where each commune sends its own, name it by --registry: else the last list leaves out the
    households of all the others.
    """
    boot()
    if not name.strip():
        raise click.UsageError("--registry is empty")
    tenant = mutuelle_of(code)
    parsed, by = read_list(file, social_registry.COLUMNS)
    with progress(parsed.lines, len(parsed.lines)) as lines:
        rows, refused = social_registry.read(lines, tenant)
    problems = [*parsed.problems, *refused]
    counts = {"rows": len(parsed.lines) + len(parsed.problems), "refused": len(problems)}
    counts |= (_rehearse if dry_run else _carry_out)(tenant, rows, by, name)
    print_list_result(counts, problems, as_json)


def _load_counts(rows: Sequence[object], loaded: social_registry.LoadResult) -> dict[str, int]:
    return {
        "new": loaded.new,
        "changed": loaded.changed,
        "unchanged": len(rows) - loaded.new - loaded.changed,
    }


def _rehearse(tenant: Tenant, rows: Sequence[tuple[Any, ...]], by: str, name: str) -> dict[str, int]:
    """Imports the list, counts and rolls back. Releases locks after each batch, as a real import does."""
    counts: dict[str, int] = {}
    try:
        with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
            counts |= _load_counts(rows, social_registry.load(session, tenant.id, rows, by, name))
            left_out = pending_proofs.count_off_list(session, tenant, name)
            counts |= {"checked": 0, "proposed": 0, "left_out": left_out}
            for batch in _batches(social_registry.matches(session, tenant)):
                with suppress(RehearsalRollback), session.begin_nested():
                    proven, proposed = social_registry.carry_out(session, tenant.id, batch, by)
                    counts["checked"] += proven
                    counts["proposed"] += proposed
                    counts["left_out"] += pending_proofs.count_off_list(session, tenant, name) - left_out
                    raise RehearsalRollback
            raise RehearsalRollback
    except RehearsalRollback:
        return counts


def _batches(matches: Sequence[Match]) -> list[Sequence[Match]]:
    return [
        matches[start : start + social_registry.BATCH]
        for start in range(0, len(matches), social_registry.BATCH)
    ]


def _carry_out(tenant: Tenant, rows: Sequence[tuple[Any, ...]], by: str, name: str) -> dict[str, int]:
    """Imports the list in one transaction, then checks households batch by batch. Returns counts."""
    with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
        counts = _load_counts(rows, social_registry.load(session, tenant.id, rows, by, name))
    with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
        batches = _batches(social_registry.matches(session, tenant))
    results: list[tuple[int, int]] = []

    def carry_out(session: Session, matches: Sequence[Match]) -> int:
        results.append(social_registry.carry_out(session, tenant.id, matches, by))
        return 1

    with progress(batches, len(batches)) as steps:
        for batch in steps:
            set_aside.in_pages(tenant.id, Work.LISTS, batch, carry_out, social_registry.BATCH)
    checked, proposed = (sum(numbers) for numbers in zip(*results, strict=True)) if results else (0, 0)
    with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
        left_out = pending_proofs.count_off_list(session, tenant, name)
    return counts | {"checked": checked, "proposed": proposed, "left_out": left_out}
