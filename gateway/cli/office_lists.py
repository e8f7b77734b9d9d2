"""Lists from offices at the command line: the names of members, and what a social registry says of
households.

Whatever can be taken is taken; each row that was not is told by its number, with what is wrong and what to
do, and the command leaves with 1. No row is ever printed: they hold names, numbers and phones.
"""

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.common import as_json, boot, mutuelle_of, of_mutuelle, tell
from mutuelle import clock, db
from mutuelle.enrolment import member_names, office_lists, pending_proofs, registry
from mutuelle.enrolment.office_lists import RowProblem
from mutuelle.enrolment.registry_matching import Match
from mutuelle.errors import Malformed
from mutuelle.organisation.tenants import Tenant

LONG_S = 600
Item = TypeVar("Item")
a_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def read_list(file: Path, columns: Mapping[str, Sequence[str]]) -> tuple[office_lists.ParsedList, str]:
    """The rows of a file, and how the trail calls it."""
    body = file.read_bytes()
    try:
        return office_lists.read(body, columns), f"list:{hashlib.sha256(body).hexdigest()[:12]}"
    except Malformed as wrong:
        raise click.ClickException(str(wrong)) from None


def progress(items: Iterable[Item], length: int) -> AbstractContextManager[Iterable[Item]]:
    """A bar on a terminal, silence in a pipe."""
    return click.progressbar(items, length=length, file=sys.stderr, hidden=not sys.stderr.isatty())


def tell_list(told: dict[str, Any], problems: Iterable[RowProblem], as_json: bool) -> None:
    """Figures, then what was not taken; leaves with 1 when there is any."""
    left = sorted(problems, key=lambda problem: problem.line)
    tell({**told, "problems": [vars(problem) for problem in left]} if as_json else told, as_json)
    for problem in left if not as_json else ():
        click.echo(str(problem), err=True)
    sys.exit(1 if left else 0)


@click.command("import")
@a_file
@of_mutuelle
@as_json
def members_import(file: Path, code: str, as_json: bool) -> None:
    """Name members from a CSV list with the columns number, birth_year, name and kind (head or dependant)."""
    boot()
    tenant = mutuelle_of(code)
    found, by = read_list(file, member_names.COLUMNS)
    rows, wrong = member_names.read(found.lines, clock.today(tenant.zone))
    problems = [*found.problems, *wrong]
    named = same = 0
    parts = list(member_names.batches(rows))
    with progress(parts, len(parts)) as steps:
        for part in steps:
            with db.transaction(db.Role.WORKER, tenant.id) as session:
                taken = member_names.take(session, tenant.id, part, by)
            named, same = named + taken.named, same + taken.same
            problems += taken.problems
    rows_told = len(found.lines) + len(found.problems)
    tell_list(
        {"rows": rows_told, "named": named, "unchanged": same, "refused": len(problems)}, problems, as_json
    )


@click.group("registry")
def registry_group() -> None:
    """Social registries: who they say is in which category."""


class RehearsalRollback(Exception):
    """Nothing of this is to be kept."""


@registry_group.command("import")
@a_file
@of_mutuelle
@click.option(
    "--registry",
    "name",
    default=registry.SOCIAL,
    show_default=True,
    help="whose list it is, such as one commune's",
)
@click.option("--dry-run", is_flag=True, help="tell what would happen, and change nothing")
@as_json
def registry_import(file: Path, code: str, name: str, dry_run: bool, as_json: bool) -> None:
    """Load a CSV list with the columns registry_number, phone, head_name, birth_year, category and
    valid_until.

    Households it proves are checked: by the number they gave, else by their phone unless the head's birth
    year contradicts. What is only alike waits in the console for a person, and so do households proven by a
    line that this list leaves out: `left_out` counts them. A list holds all that its registry says, so where
    each commune sends its own, name it by --registry: else the last one to come leaves out the households of
    all the others.
    """
    boot()
    if not name.strip():
        raise click.UsageError("--registry is empty")
    tenant = mutuelle_of(code)
    found, by = read_list(file, registry.COLUMNS)
    with progress(found.lines, len(found.lines)) as lines:
        rows, wrong = registry.read(lines, tenant)
    problems = [*found.problems, *wrong]
    told = {"rows": len(found.lines) + len(found.problems), "refused": len(problems)}
    tell_list(told | (_rehearsed if dry_run else _carried_out)(tenant, rows, by, name), problems, as_json)


def _counted(rows: Sequence[object], loaded: registry.LoadResult) -> dict[str, int]:
    return {
        "new": loaded.new,
        "changed": loaded.changed,
        "unchanged": len(rows) - loaded.new - loaded.changed,
    }


def _rehearsed(tenant: Tenant, rows: Sequence[tuple[Any, ...]], by: str, name: str) -> dict[str, int]:
    """What would come of the list: done, counted and taken back; what is locked is let go as often as in
    earnest."""
    told: dict[str, int] = {}
    try:
        with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
            told |= _counted(rows, registry.load(session, tenant.id, rows, by, name))
            out = pending_proofs.left_out(session, tenant, name)
            told |= {"checked": 0, "proposed": 0, "left_out": out}
            for part in _parts(registry.matches(session, tenant)):
                with suppress(RehearsalRollback), session.begin_nested():
                    proven, asked = registry.carry_out(session, tenant.id, part, by)
                    told["checked"], told["proposed"] = told["checked"] + proven, told["proposed"] + asked
                    told["left_out"] += pending_proofs.left_out(session, tenant, name) - out
                    raise RehearsalRollback
            raise RehearsalRollback
    except RehearsalRollback:
        return told


def _parts(found: Sequence[Match]) -> list[Sequence[Match]]:
    return [found[start : start + registry.BATCH] for start in range(0, len(found), registry.BATCH)]


def _carried_out(tenant: Tenant, rows: Sequence[tuple[Any, ...]], by: str, name: str) -> dict[str, int]:
    """The list in one transaction, then what follows from it, so many households at a time."""
    with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
        told = _counted(rows, registry.load(session, tenant.id, rows, by, name))
    with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
        found = registry.matches(session, tenant)
    parts = _parts(found)
    proven = asked = 0
    with progress(parts, len(parts)) as steps:
        for part in steps:
            with db.transaction(db.Role.WORKER, tenant.id) as session:
                some = registry.carry_out(session, tenant.id, part, by)
            proven, asked = proven + some[0], asked + some[1]
    with db.transaction(db.Role.WORKER, tenant.id, within_s=LONG_S) as session:
        return told | {
            "checked": proven,
            "proposed": asked,
            "left_out": pending_proofs.left_out(session, tenant, name),
        }
