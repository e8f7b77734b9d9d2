"""Enrols the households of an office list, one a line, at the command line.

Lines that cannot be enrolled are reported by their number, with what is wrong and what to do; the others are
enrolled. The same file again changes nothing.
"""

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
from sqlalchemy.orm import Session

from gateway.cli.common import as_json, boot, mutuelle_of, of_mutuelle
from gateway.cli.office_lists import RehearsalRollback, a_file, print_list_result, progress, read_list
from menus import consents, texts
from mutuelle import db
from mutuelle.enrolment import agent_enrolment, office_list_csv
from mutuelle.enrolment.agent_enrolment import RehearsalState, TypedHousehold, TypedPerson
from mutuelle.enrolment.office_list_csv import ListRow, RowError, RowProblem
from mutuelle.errors import Refused
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes.service_rules import Relationship

COLUMNS: dict[str, Sequence[str]] = {
    "phone": ("telephone", "téléphone"),
    "language": ("langue",),
    "birth_years": ("annees de naissance", "années"),
    "names": ("noms",),
    "students": ("eleves", "élèves"),
    "category": ("categorie",),
    "period": ("periode",),
    "evidence": ("preuve",),
    "number": ("numero", "numéro de la preuve"),
    "made_out": ("etablie le",),
    "valid_until": ("valable jusqu'au",),
    "consent": ("accord",),
}
OPTIONAL_COLUMNS: dict[str, Sequence[str]] = {
    "relationships": ("liens", "liens de parente", "liens de parenté", "parente", "parenté"),
}
HEAD = "head"
RELATIONSHIPS = {
    **dict.fromkeys(("head", "chef", "cheffe", "chef de menage"), HEAD),
    **dict.fromkeys(("spouse", "husband", "wife"), Relationship.SPOUSE),
    **dict.fromkeys(("conjoint", "conjointe", "epoux", "epouse", "mari", "femme"), Relationship.SPOUSE),
    **dict.fromkeys(("child", "son", "daughter", "enfant", "fils", "fille"), Relationship.CHILD),
    **dict.fromkeys(("parent", "father", "mother", "pere", "mere"), Relationship.PARENT),
    **dict.fromkeys(("other", "autre"), Relationship.OTHER),
}  # fmt: skip
EVIDENCE = {"document": "document", "carte": "document", "certificat": "document", "attestation": "document",
            "registry number": "registry-number", "registre": "registry-number", "agent visit": "agent-visit",
            "visite": "agent-visit"}  # fmt: skip
log = logging.getLogger("gateway.cli.household_lists")
YES = ("yes", "oui", "1", "x")
# Keys of `Refused`: (what is wrong, what to do), for the author of the list.
MESSAGES = {
    "enrol.consent": ("consent does not say yes", "ask the head of household, and write yes"),
    "enrol.phone": ("phone is not a phone number", "write it with its country code"),
    "enrol.already": (
        "its phone is a household's of this mutuelle",
        "look that one up in the console, or ask for another phone",
    ),
    "enrol.language": (
        "language is not one we speak",
        f"write one of {', '.join(texts.LANGUAGES)}, or leave it empty",
    ),
    "enrol.category": ("category is empty", "write the code of one of the scheme's categories"),
    "enrol.year": (
        "birth_years has one that is no year",
        "write four digits each, the head first, such as 1985 1990 2015",
    ),
    "enrol.name": (
        "names has one that is no name",
        "write them in letters, as many as birth years, with / between them",
    ),
    "enrol.relationship": (
        "relationships has one that is not known",
        "write one for each birth year, such as chef conjoint enfant",
    ),
    "enrol.many": (f"it has more than {agent_enrolment.MOST} people", "check birth_years"),
    "enrol.head-age": ("birth_years begins with a child", "write the head first, an adult"),
    "enrol.listed-otherwise": (
        "the registry's list has another category for this number",
        "check number and category",
    ),
    "evidence.taken": (
        "this number of the registry proves another household",
        "check number; look that household up",
    ),
    "evidence.kind": ("evidence is none we know", "write document, registry number or agent visit"),
    "evidence.number": ("number is no number of a proof", "write its 3 to 40 letters and digits"),
    "evidence.day": ("made_out or valid_until is not a day", "write it as 2027-12-31 or 31/12/2027"),
    "evidence.since": ("made_out is not over yet", "check the day on the proof"),
    "evidence.over": ("the proof is over", "ask for a newer one"),
    "category.prove-first": (
        "this category must be proven first",
        "write evidence and number of what was seen",
    ),
    "category.unknown": (
        "the scheme has no such category",
        "write the code of one of the scheme's categories",
    ),
    "category.elsewhere": (
        "people of this category are covered by another scheme",
        "leave the household out",
    ),
    "option.unknown": (
        "the scheme has no such period",
        "write the code of one of its periods, or leave it empty",
    ),
    "quote.nobody": ("birth_years is empty", "write at least the head's year"),
    "quote.too-many-people": (
        "the scheme covers no household as large",
        "ask the mutuelle how to sign it up",
    ),
}


@click.group("households")
def group() -> None:
    """Households: enrolling them from a list."""


@group.command(
    "enrol", epilog=f"consent is yes when the head was read this, and agreed: {consents.sentence('en')}"
)
@a_file
@of_mutuelle
@click.option("--dry-run", is_flag=True, help="tell what would happen, and change nothing")
@as_json
def enrol(file: Path, code: str, dry_run: bool, as_json: bool) -> None:
    """Enrol the households of a CSV list, one a line.

    Columns: phone, language, birth_years (the head's first), names and students (birth years of pupils),
    category, period, evidence, number, made_out, valid_until and consent. All but phone, birth_years and
    consent may be empty where the scheme allows it. A column relationships may say how each person is related
    to the head, in the order of birth_years: chef, conjoint, enfant, parent, autre.
    """
    boot()
    tenant = mutuelle_of(code)
    parsed, by = read_list(file, COLUMNS, OPTIONAL_COLUMNS)
    counts, refused = (_rehearse if dry_run else _carry_out)(tenant, parsed.lines, by)
    problems = [*parsed.problems, *refused]
    rows = len(parsed.lines) + len(parsed.problems)
    print_list_result({"rows": rows, **counts, "refused": len(problems)}, problems, as_json)


def _carry_out(tenant: Tenant, lines: Sequence[ListRow], by: str) -> tuple[dict[str, int], list[RowProblem]]:
    """Enrols each household in a transaction of its own. Returns counts and problems."""
    counts: dict[str, int] = {"enrolled": 0, "unchanged": 0}
    problems = []
    with progress(lines, len(lines)) as steps:
        for line in steps:
            try:
                with db.transaction(db.Role.WORKER, tenant.id) as session:
                    counts[_enrol_line(session, tenant, line, by)] += 1
            except RowError as wrong:
                problems.append(wrong.at(line.number))
    return counts, problems


def _rehearse(tenant: Tenant, lines: Sequence[ListRow], by: str) -> tuple[dict[str, int], list[RowProblem]]:
    """Enrols each household and rolls it back at once, so that no lock is held for long."""
    counts: dict[str, int] = {"enrolled": 0, "unchanged": 0}
    problems = []
    earlier = RehearsalState()
    with progress(lines, len(lines)) as steps:
        for line in steps:
            try:
                with suppress(RehearsalRollback), db.transaction(db.Role.WORKER, tenant.id) as session:
                    counts[_enrol_line(session, tenant, line, by, earlier)] += 1
                    raise RehearsalRollback
            except RowError as wrong:
                problems.append(wrong.at(line.number))
    return counts, problems


def _enrol_line(
    session: Session, tenant: Tenant, line: ListRow, by: str, earlier: RehearsalState | None = None
) -> str:
    """Enrols the household of a line. Returns `enrolled` or `unchanged`; raises RowError when it is refused.

    `earlier` holds the results of the lines above, which a rehearsal has rolled back.
    """
    typed = _typed_household(line, tenant)
    try:
        result = agent_enrolment.enrol(session, tenant, typed, key=agent_enrolment.row_key(typed), by=by)
        if earlier is not None and not result.again:
            result = earlier.outcome(tenant, typed, result)
    except Refused as refused:
        if refused.key not in MESSAGES:
            raise RowError(
                f"the rules refuse it ({refused.key})", "ask the mutuelle how to sign it up"
            ) from None
        raise RowError(*MESSAGES[refused.key]) from None
    except Exception as error:  # of any kind: the other lines are enrolled
        if db.is_lost(error):
            raise
        log.exception("a line cannot be enrolled: %s", type(error).__name__)
        advice = "send the list again later; if it stays, tell the person who keeps the software"
        raise RowError("our program failed on it", advice) from None
    return "unchanged" if result.again else "enrolled"


def _typed_household(line: ListRow, tenant: Tenant) -> TypedHousehold:
    """The household of a line. Raises RowError when names or students do not fit the birth years."""
    cells = line.cells
    born, pupils = cells["birth_years"].split(), cells["students"].split()
    names = [name.strip() for name in cells["names"].split("/")] if cells["names"] else [""] * len(born)
    if len(names) != len(born):
        raise RowError(*MESSAGES["enrol.name"])
    people = []
    related = _relationships(cells["relationships"], len(born))
    for year, name, relationship in zip(born, names, related, strict=True):
        people.append(TypedPerson(year, name, year in pupils, relationship))
        if year in pupils:
            pupils.remove(year)
    if pupils:
        raise RowError(
            "students has a year that birth_years has not", "write the birth years of those who go to school"
        )
    kind, language = cells["evidence"], cells["language"].lower() or tenant.language
    return TypedHousehold(
        phone=cells["phone"],
        language=language if language in texts.LANGUAGES else "",
        category=cells["category"],
        option=cells["period"],
        people=people,
        consent=consents.AGENT if office_list_csv.normalize(cells["consent"]) in YES else "",
        kind=EVIDENCE.get(office_list_csv.normalize(kind), kind),
        number=cells["number"],
        since=cells["made_out"],
        until=cells["valid_until"],
    )


def _relationships(cell: str, people: int) -> list[str]:
    """How each person is related to the head, "" for the head. Raises RowError unless all can be read."""
    words = [office_list_csv.normalize(word) for word in re.split(r"[\s/,]+", cell) if word]
    if not words:
        return [""] * people
    related = [RELATIONSHIPS.get(word) for word in words]
    heads = [place for place, word in enumerate(related) if word == HEAD]
    if len(words) != people or None in related or heads != [0]:
        raise RowError(*MESSAGES["enrol.relationship"])
    return ["" if word == HEAD else str(word) for word in related]
