"""A quote equals the bill that enrolment writes on the same day, or both are refused for the same reason."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.cli.main import main
from menus import enrol as join_dialogue
from menus.screens import ScreenView
from mutuelle import clock, db
from mutuelle.billing import sponsorships
from mutuelle.cover import cover_books
from mutuelle.enrolment import enrolment, household_changes
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, Proof
from mutuelle.organisation import sponsors, tenants
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.schemes import schemes
from tests.menus import world as callers
from tests.support import people
from tests.support.templates import Database

BOOKS = schemes.load()
PARTS = text(
    "SELECT l.payer, sum(l.amount) FROM bill_lines l JOIN bills b ON b.id = l.bill_id"
    " WHERE b.household_id = :home AND b.kind = :kind GROUP BY 1"
)
phones = count(1)


@pytest.fixture(scope="module")
def mutuelles(module_database: Database) -> Iterator[dict[str, UUID]]:
    """A mutuelle of every scheme, drafts included."""
    people.connect(module_database.url)
    schemes.allow_drafts(True)
    ids = {}
    with db.transaction(db.Role.LOGIN) as session:
        for number, (code, book) in enumerate(sorted(BOOKS.items()), 200):
            tenant = tenants.add_mutuelle(
                session,
                code=f"T-{code}",
                short_code=str(number),
                name=code,
                scheme=code,
                country=book.country,
                currency=book.currency,
                zone=book.zone,
                language="fr",
            )
            ids[code] = tenant.id
    yield ids
    schemes.allow_drafts(False)
    clock.install(clock.Source())
    db.disconnect()


@st.composite
def applicants(draw: Any) -> tuple[str, date, dict[str, Any]]:
    """A household that joins under any scheme, on any day on which one of its versions is sold."""
    code = draw(st.sampled_from(sorted(BOOKS)))
    book = BOOKS[code]
    first = min(version.since for version in book.versions)
    on = draw(st.dates(max(first, date(2024, 1, 1)), date(2029, 12, 31)))
    version = book.on(on)
    years = [draw(st.integers(on.year - 90, on.year - 16))]
    years += draw(st.lists(st.integers(on.year - 80, on.year), max_size=8))
    students = draw(st.frozensets(st.integers(1, len(years) - 1))) if len(years) > 1 else frozenset()
    return code, on, {
        "birth_years": years,
        "category": draw(st.sampled_from([None, *(rule.code for rule in version.category_choices)])),
        "option": draw(st.sampled_from([None, *(rule.code for rule in version.options)])),
        "students": students,
    }  # fmt: skip


def it_is(on: date) -> None:
    now = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    clock.install(clock.Source(now=lambda: now))


def enrolled(tenant_id: UUID, proven: bool = True, **facts: Any) -> UUID:
    """Enrols a household. Its category is proven where it has one."""
    category = facts.get("category")
    applicant = enrolment.NewHousehold(
        phone=f"+22370{next(phones):06d}",
        language="fr",
        adults=1,
        consent="1",
        channel="agent",
        sms=False,
        proof=Proof(Evidence("agent-visit")) if category and proven else None,
        **({"category": None} | facts),
    )
    with db.transaction(db.Role.APP, tenant_id) as session:
        return enrolment.enrol(session, tenant_id, applicant, by="agent").id


def parts(household_id: UUID, kind: str = "dues") -> dict[str, int]:
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.execute(PARTS, {"home": household_id, "kind": kind})
        return {payer: int(units) for payer, units in rows if units}


def quoted(code: str, on: date, *words: str, **facts: Any) -> Any:
    """The object that the command prints, or the refusal it shows."""
    years = facts["birth_years"]
    command = ["schemes", "quote", "--scheme", code, "--born", ",".join(map(str, years)), "--on", f"{on}"]
    for name in ("category", "option"):
        command += [f"--{name}", facts[name]] if facts.get(name) else []
    if facts.get("students"):
        command += ["--students", ",".join(str(years[place]) for place in sorted(facts["students"]))]
    ran = CliRunner().invoke(main, [*command, *words, "--json"], catch_exceptions=False)
    return json.loads(ran.stdout) if ran.exit_code == 0 else ran.stderr.removeprefix("Error: ").strip()


def paid_by(quote: dict[str, Any]) -> dict[str, int]:
    return {payer: units for payer, units in quote["shares"].items() if units}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(applicants())
def test_a_quote_is_the_bill_of_the_same_household_on_the_same_day(
    mutuelles: dict[str, UUID], applicant: tuple[str, date, dict[str, Any]]
) -> None:
    code, on, facts = applicant
    it_is(on)
    quote = quoted(code, on, **facts)
    if isinstance(quote, str):
        with pytest.raises(Refused) as refused:
            enrolled(mutuelles[code], **facts)
        assert quote.startswith(refused.value.key)
        return
    home = enrolled(mutuelles[code], **facts)
    assert quote["total"] == sum(parts(home).values())
    assert paid_by(quote) == parts(home)
    assert quote["joining_fee"] == sum(parts(home, "joining").values())
    with db.transaction(db.Role.AUDITOR) as session:
        position = cover_books.position(session, mutuelles[code], home, on)
        ahead = position.next_opening
    if quote["shares"]["member"]:
        assert quote["opens"] == {
            "threshold": ahead.left_to_open, "from": f"{ahead.opens_from}", "until": f"{ahead.opens_until}"
        }  # fmt: skip


TODAY = date(2026, 11, 22)


def test_a_dependant_over_the_age_is_named_and_not_priced(mutuelles: dict[str, UUID]) -> None:
    it_is(TODAY)
    facts = {"birth_years": [1980, 1984, 2011], "category": "indigent"}
    quote = quoted("ML-RAMED", TODAY, **facts)
    home = enrolled(mutuelles["ML-RAMED"], **facts)
    assert (quote["people"], quote["not_covered"]) == (2, ["over-age:2011"])
    assert paid_by(quote) == parts(home)
    pupil = facts | {"students": {2}}
    assert quoted("ML-RAMED", TODAY, **pupil)["people"] == 3
    assert paid_by(quoted("ML-RAMED", TODAY, **pupil)) == parts(enrolled(mutuelles["ML-RAMED"], **pupil))


def test_without_a_category_nothing_is_proven(mutuelles: dict[str, UUID]) -> None:
    it_is(TODAY)
    for code in ("ML-RAMED", "BJ-ARCH", "CM-CSU"):
        quote = quoted(code, TODAY, birth_years=[1980])
        assert quote.startswith("category.prove-first")
        with pytest.raises(Refused, match=r"category\.prove-first"):
            enrolled(mutuelles[code], birth_years=[1980])
    assert quoted("SN-CMU", TODAY, birth_years=[1980])["shares"] == {"member": 3_500, "state": 3_500}


def test_a_household_whose_head_is_a_child_is_refused_in_the_same_words(mutuelles: dict[str, UUID]) -> None:
    it_is(TODAY)
    assert quoted("SN-CMU", TODAY, birth_years=[2010]).startswith("enrol.head-age")
    with pytest.raises(Refused, match=r"enrol\.head-age"):
        enrolled(mutuelles["SN-CMU"], birth_years=[2010])


def test_money_names_its_exponent() -> None:
    quote = quoted("MR-CNASS", TODAY, birth_years=[1980], category="general")
    assert (quote["currency"], quote["exponent"], quote["total"]) == ("MRU", 2, 70_000)
    assert quoted("SN-CMU", TODAY, birth_years=[1980])["exponent"] == 0


def test_a_disabled_child_of_any_age_is_quoted_as_it_is_billed(mutuelles: dict[str, UUID]) -> None:
    it_is(TODAY)
    tenant_id, facts = mutuelles["ML-RAMED"], {"birth_years": [1980, 1984, 2011], "category": "indigent"}
    home = enrolled(tenant_id, **facts)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        child = households.members_of(session, tenant_id, home)[-1]
        household_changes.add_class(
            session, tenant_id, home, child.id,
            code="disabled", evidence="document", expected_count=3, by="manager:1",
        )  # fmt: skip
    quote = quoted("ML-RAMED", TODAY, "--status", "disabled:2011", **facts)
    assert (quote["people"], quote["not_covered"]) == (3, [])
    assert paid_by(quote) == parts(home)


@pytest.mark.parametrize("percent", [1, 33, 50, 100])
def test_a_sponsors_part_is_quoted_as_it_is_promised(mutuelles: dict[str, UUID], percent: int) -> None:
    it_is(TODAY)
    tenant_id, facts = mutuelles["RW-CBHI"], {"birth_years": [1980, 1984, 2011], "category": "level-3"}
    home = enrolled(tenant_id, **facts)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        terms = SponsorTerms(percent=percent, cap=1_000_000, since=TODAY)
        sponsor = sponsors.add(
            session, tenant_id, code=f"p-{percent}", name="Commune", kind="commune", terms=terms, by="m"
        )
        sponsorships.help_household(session, sponsor, home, TODAY, "m")
    quote = quoted("RW-CBHI", TODAY, "--sponsor-percent", f"{percent}", **facts)
    assert paid_by(quote) == parts(home)
    with db.transaction(db.Role.AUDITOR) as session:
        ahead = cover_books.position(session, tenant_id, home, TODAY).next_opening
    assert quote["opens"]["threshold"] == ahead.left_to_open
    assert sum(quote["shares"].values()) == quote["total"]


@pytest.mark.parametrize(
    "code", ["SN-CMU", "ML-5050", "RW-CBHI", "CI-CMU", "TG-AMU-TNS", "MR-CNASS", "BF-RAMU"]
)
def test_the_dialogue_shows_the_bill_that_it_writes(mutuelles: dict[str, UUID], code: str) -> None:
    it_is(TODAY)
    born = [1985, 1990, 2009, 2012, 2015, 2020, 2022, 2024]
    for category in [rule.code for rule in BOOKS[code].on(TODAY).categories if not rule.proof_first]:
        answers = {"born": born, "category": category, "adults": 2, "children": 6}
        view = ScreenView(callers.facts(code), answers, "fr", {})
        shown = join_dialogue.quote(view)
        home = enrolled(mutuelles[code], birth_years=born, category=category, proven=False)
        assert {payer: units for payer, units in shown.shares.items() if units} == parts(home)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--students", "2001"), "--students has a year that --born has not: 2001"),
        (("--students", "x"), "--students takes years"),
        (("--status", "rich:1980"), "--status takes one of"),
        (("--status", "disabled:2001"), "--status has a year that --born has not"),
        (("--status", "disabled"), "--status takes one of"),
    ],
)
def test_what_cannot_be_understood_is_named(words: tuple[str, ...], message: str) -> None:
    assert quoted("SN-CMU", TODAY, *words, birth_years=[1980]).startswith(message)
