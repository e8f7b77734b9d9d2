"""How members are related to the head: asked by RAMED and the Malian mutuelles, from the next bill on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from gateway.cli import household_lists as household_lists
from mutuelle import clock, db
from mutuelle.billing.billing_runs import due
from mutuelle.cover import cover_books, household_rights, insured_people, member_rights, told_days
from mutuelle.enrolment import (
    agent_enrolment,
    enrolment,
    household_changes,
    joining_price,
    office_list_csv,
    relationship_changes,
)
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.enrolment.joining_price import JoiningHousehold
from mutuelle.enrolment.office_list_csv import RowError
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, Proof
from mutuelle.households.households import Member
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import schemes
from tests.support import people
from tests.support.templates import Database
from workers import bill

JOINED = date(2026, 11, 22)
phones = count(1)
HEADER = "phone;language;birth_years;names;students;category;period;evidence;number;made_out;valid_until"
HEADER += ";consent"


def it_is(day: date) -> None:
    now = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    clock.install(clock.Source(now=lambda: now))


@pytest.fixture(scope="module")
def ramed(module_database: Database) -> Iterator[Tenant]:
    """A mutuelle under RAMED, whose State and commune pay for everybody."""
    people.connect(module_database.url)
    it_is(JOINED)
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.add_mutuelle(
            session, code="ML-RAMED-1", short_code="301", name="RAMED", scheme="ML-RAMED", country="ML",
            currency="XOF", zone="Africa/Bamako", language="fr",
        )  # fmt: skip
    yield tenant
    clock.install(clock.Source())
    db.disconnect()


@pytest.fixture(autouse=True)
def _first_day() -> Iterator[None]:
    it_is(JOINED)
    yield
    clock.install(clock.Source())


def joins(tenant: Tenant, born: tuple[int, ...], **facts: Any) -> UUID:
    applicant = enrolment.NewHousehold(
        phone=f"+22371{next(phones):06d}", language="fr", category="indigent", birth_years=born, adults=1,
        consent="1", channel="agent", sms=False, proof=Proof(Evidence("agent-visit")), **facts,
    )  # fmt: skip
    with db.transaction(db.Role.APP, tenant.id) as session:
        return enrolment.enrol(session, tenant.id, applicant, by="agent").id


def members(tenant: Tenant, home: UUID) -> list[Member]:
    with db.transaction(db.Role.AUDITOR) as session:
        return households.members_of(session, tenant.id, home)


def member(tenant: Tenant, home: UUID, born: int) -> Member:
    return next(row for row in members(tenant, home) if row.birth_year == born)


def billed(tenant: Tenant, home: UUID) -> list[list[int]]:
    """The birth years that each dues bill is for now, the oldest bill first."""
    query = text(
        "SELECT coalesce((SELECT born FROM adjustments WHERE bill_id = b.id ORDER BY ordinal DESC LIMIT 1),"
        " b.born) FROM bills b WHERE b.household_id = :home AND b.kind = 'dues' ORDER BY issued"
    )
    with db.transaction(db.Role.AUDITOR) as session:
        return [list(row[0]) for row in session.execute(query, {"home": home})]


def right(tenant: Tenant, home: UUID, born: int, day: date) -> tuple[str, str]:
    """State and reason of one member on a day."""
    with db.transaction(db.Role.AUDITOR) as session:
        books = cover_books.load(session, tenant.id, home)
        everybody = insured_people.load(session, tenant.id, home)
    person = next(person for person in everybody if person.born == born)
    line = member_rights.timeline(books.version_of, books.bills, books.paid, everybody, person)
    part = household_rights.on(line, day)
    return part.state, part.reason


def relate(tenant: Tenant, home: UUID, born: int, relationship: str) -> None:
    with db.transaction(db.Role.CONSOLE, tenant.id) as session:
        relationship_changes.set_relationship(
            session, tenant.id, home, member(tenant, home, born).id,
            relationship=relationship, expected_count=len(members(tenant, home)), by="manager:1",
        )  # fmt: skip


def no_open_day_is_lost(tenant: Tenant, home: UUID) -> None:
    with db.transaction(db.Role.AUDITOR) as session:
        books = cover_books.load(session, tenant.id, home)
        everybody = insured_people.load(session, tenant.id, home)
    assert list(told_days.taken_back(books, everybody, clock.now().date())) == []


BORN = (1980, 1984, 2004, 2011)


@pytest.mark.parametrize(
    ("relationships", "students", "expected"),
    [
        ((), set(), [1980, 1984, 2004]),  # unknown: 2004 joined as an adult, 2011 is a child over 14
        ((), {2, 3}, [1980, 1984, 2011]),  # a pupil is a child of the household: 2004 is over 21
        ((None, "spouse", "child", "child"), set(), [1980, 1984]),
        ((None, "spouse", "child", "child"), {3}, [1980, 1984, 2011]),
        ((None, "spouse", "spouse", "child"), {3}, [1980, 1984, 2004, 2011]),  # spouses at any age
        ((None, "parent", "other", "child"), {3}, [1980, 2011]),  # the book admits neither
        ((None, None, "child", None), set(), [1980, 1984]),
    ],
)
def test_whom_ramed_bills_the_state_for(
    ramed: Tenant, relationships: tuple[str | None, ...], students: set[int], expected: list[int]
) -> None:
    home = joins(ramed, BORN, relationships=relationships, students=students)
    assert billed(ramed, home) == [expected]
    household = JoiningHousehold(
        BORN, "indigent", proven=True, students=frozenset(students), relationships=relationships
    )
    price = joining_price.price(schemes.get("ML-RAMED"), household, JOINED)
    assert list(price.billed) == expected
    assert {int(line.partition(":")[2]) for line in price.quote.not_covered} == {*BORN} - {*expected}


def test_a_member_who_is_not_covered_sees_why(ramed: Tenant) -> None:
    home = joins(ramed, BORN, relationships=(None, "parent", "child", "child"), students={3})
    assert right(ramed, home, 1984, JOINED) == ("never", "rights.not-admitted")
    assert right(ramed, home, 2004, JOINED) == ("never", "rights.over-age")
    assert right(ramed, home, 1980, JOINED)[0] == right(ramed, home, 2011, JOINED)[0] == "open"


def test_a_newcomer_is_judged_on_the_day_of_joining(ramed: Tenant) -> None:
    home = joins(ramed, (1980,))
    it_is(date(2027, 1, 10))
    newcomers = (("2004", "child", True), ("1950", "parent", False), ("1985", "spouse", False))
    for born, relationship, student in newcomers:
        with db.transaction(db.Role.CONSOLE, ramed.id) as session:
            household_changes.add_member(
                session, ramed.id, home, born=born, name="", relationship=relationship,
                expected_count=len(members(ramed, home)), by="manager:1",
            )  # fmt: skip
        if student:
            with db.transaction(db.Role.CONSOLE, ramed.id) as session:
                household_changes.set_student(
                    session, ramed.id, home, member(ramed, home, int(born)).id,
                    student=True, expected_count=len(members(ramed, home)), by="manager:1",
                )  # fmt: skip
    assert billed(ramed, home) == [[1980, 1985]]
    assert right(ramed, home, 2004, date(2027, 1, 10))[0] == "never"
    assert right(ramed, home, 1950, date(2027, 1, 10)) == ("never", "rights.not-admitted")
    assert right(ramed, home, 1985, date(2027, 1, 10))[0] == "open"


def test_what_is_noted_later_counts_for_the_next_bill_and_open_days_stay(ramed: Tenant) -> None:
    home = joins(ramed, (1980, 2004))
    it_is(date(2027, 3, 1))
    relate(ramed, home, 2004, "child")
    assert billed(ramed, home) == [[1980, 2004]]
    assert right(ramed, home, 2004, date(2027, 3, 1))[0] == "open"
    no_open_day_is_lost(ramed, home)
    it_is(date(2027, 11, 20))
    with db.transaction(db.Role.WORKER) as session:
        (day,) = [day for day in due(session) if day.tenant_id == ramed.id]
    while bill.write_page(day):
        pass
    assert billed(ramed, home)[1:] == [[1980]]
    it_is(date(2027, 12, 15))
    assert right(ramed, home, 2004, date(2027, 12, 15)) == ("never", "rights.over-age")
    relate(ramed, home, 2004, "spouse")  # corrected: from the next bill on again
    assert right(ramed, home, 2004, date(2027, 12, 15))[0] == "lapsed"
    assert right(ramed, home, 2004, date(2027, 5, 1))[0] == "open"
    no_open_day_is_lost(ramed, home)


def test_a_mistake_of_the_same_day_leaves_nothing(ramed: Tenant) -> None:
    home = joins(ramed, (1980, 1984))
    relate(ramed, home, 1984, "parent")
    assert billed(ramed, home) == [[1980]]
    relate(ramed, home, 1984, "spouse")
    assert billed(ramed, home) == [[1980, 1984]]
    assert right(ramed, home, 1984, JOINED)[0] == "open"
    relate(ramed, home, 1984, "")
    assert member(ramed, home, 1984).relationships == []


def test_the_head_has_no_relationship_and_a_new_head_turns_it_round(ramed: Tenant) -> None:
    home = joins(ramed, (1980, 1984), relationships=(None, "spouse"))
    with pytest.raises(Refused, match=r"member\.relationship"):
        relate(ramed, home, 1980, "spouse")
    with pytest.raises(Refused, match=r"member\.relationship"):
        relate(ramed, home, 1984, "cousin")
    with db.transaction(db.Role.CONSOLE, ramed.id) as session:
        shown = PageSnapshot(2, 1984, member(ramed, home, 1980).id)
        household_changes.correct_member(
            session, ramed.id, home, member(ramed, home, 1984).id,
            born="1984", head=True, why="told", shown=shown, by="manager:1",
        )  # fmt: skip
    assert member(ramed, home, 1980).relationship == "spouse"
    assert member(ramed, home, 1984).relationship is None


def read_list(*lines: str, header: str = f"{HEADER};liens de parenté") -> list[list[tuple[str, bool]]]:
    """(relationship, pupil) of each person of each line."""
    body = "\n".join([header, *lines]).encode()
    parsed = office_list_csv.read(body, household_lists.COLUMNS, household_lists.OPTIONAL_COLUMNS)
    assert parsed.problems == ()
    with db.transaction(db.Role.AUDITOR) as session:
        tenant = tenants.by_code(session, "ML-RAMED-1")
    assert tenant is not None
    typed = [household_lists._typed_household(line, tenant) for line in parsed.lines]
    return [[(person.relationship, person.student) for person in household.people] for household in typed]


@pytest.mark.parametrize(
    "words", ["chef conjoint enfant", "Chef/Épouse/Fille", "head, wife, child", "chef  conjointe  fils"]
)
def test_an_office_list_may_say_how_people_are_related(ramed: Tenant, words: str) -> None:
    line = f"71000001;fr;1980 1984 2011;;2011;indigent;;visite;;;;oui;{words}"
    assert read_list(line) == [[("", False), ("spouse", False), ("child", True)]]


def test_a_list_without_the_column_is_read_as_before(ramed: Tenant) -> None:
    line = "71000001;fr;1980 1984;;;indigent;;visite;;;;oui"
    assert read_list(line, header=HEADER) == [[("", False), ("", False)]]
    assert read_list(f"{line};") == [[("", False), ("", False)]]
    typed = agent_enrolment.TypedHousehold("1", "fr", "x", "", [agent_enrolment.TypedPerson("1980")], "1")
    related = agent_enrolment.TypedPerson("1980", relationship="spouse")
    assert agent_enrolment.row_key(typed) != agent_enrolment.row_key(
        agent_enrolment.TypedHousehold("1", "fr", "x", "", [related], "1")
    )


@pytest.mark.parametrize("words", ["chef", "chef cousin", "conjoint chef", "chef chef", "conjoint enfant"])
def test_a_relationship_that_cannot_be_read_is_refused_by_line(ramed: Tenant, words: str) -> None:
    with pytest.raises(RowError, match="relationships has one that is not known"):
        read_list(f"71000001;fr;1980 1984;;;indigent;;visite;;;;oui;{words}")
