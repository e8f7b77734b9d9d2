"""Tests that a household is enrolled under its scheme's rules: chosen period, State's share, no draft."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.contributions.bills import Bill, BillLine
from mutuelle.cover import cover_books, explain_facts, household_rights, member_rights
from mutuelle.enrolment import enrolment
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import AWA
from tests.support.templates import Database


@pytest.fixture
def connected(database: Database) -> Iterator[None]:
    people.connect(database.url)
    yield
    db.disconnect()


def mutuelle(scheme: str) -> UUID:
    """Adds a mutuelle under `scheme`."""
    book = schemes.get(scheme)
    with db.transaction(db.Role.LOGIN) as session:
        return tenants.add_mutuelle(
            session,
            code=f"{book.country}-TEST",
            short_code="777",
            name="Test",
            scheme=scheme,
            country=book.country,
            currency=book.currency,
            zone=book.zone,
            language="fr",
        ).id


def joins(tenant_id: UUID, **answers: Any) -> enrolment.Enrolment:
    with db.transaction(db.Role.APP, tenant_id) as session:
        return enrolment.enrol(
            session,
            tenant_id,
            enrolment.NewHousehold(
                phone=AWA,
                language="fr",
                birth_years=[1985, 1990, 2015],
                adults=2,
                consent="1",
                channel="ussd",
                **answers,
            ),
        )


@pytest.mark.parametrize(
    ("scheme", "answers", "option", "lines"),
    [
        ("TG-AMU-TNS", {"category": "general"}, "month", {"member": 10_000}),
        ("TG-AMU-TNS", {"category": "general", "option": "quarter"}, "quarter", {"member": 28_500}),
        ("CI-CMU", {"category": "ram"}, "month", {"member": 3_000}),  # not proven: 3 x 1 000
        (
            "MR-CNASS",
            {"category": "general"},
            "year",
            {"member": 75_000, "state": 135_000},
        ),  # 3 x 250 and 3 x 450 MRU
    ],
)
def test_the_bill_is_what_the_rule_book_sets(connected, scheme, answers, option, lines):
    tenant_id = mutuelle(scheme)
    home = joins(tenant_id, **answers)
    with db.transaction(db.Role.AUDITOR) as session:
        (bill,) = session.scalars(select(Bill).where(Bill.household_id == home.id))
        billed = {
            line.payer: line.amount
            for line in session.scalars(select(BillLine).where(BillLine.bill_id == bill.id))
        }
        assert (bill.scheme, bill.option, bill.total, billed) == (scheme, option, sum(lines.values()), lines)
        assert cover_books.position(session, tenant_id, home.id, clock.today("UTC")).owed == lines["member"]
        assert verify.run(session).broken == []


@pytest.mark.parametrize(
    ("scheme", "category", "key"),
    [
        ("ML-5050", "amo", "category.elsewhere"),
        ("ML-RAMED", "indigent", "category.prove-first"),
        ("TG-AMU-TNS", "vulnerable", "category.elsewhere"),
    ],
)
def test_who_cannot_join_here_leaves_nothing_behind(connected, scheme, category, key):
    tenant_id = mutuelle(scheme)
    with pytest.raises(Refused) as refused:
        joins(tenant_id, category=category)
    assert refused.value.key == key
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.scalar(select(households.Household.id)) is None


def test_no_mutuelle_is_set_up_with_a_draft(connected):
    schemes.allow_drafts(False)
    with pytest.raises(Refused) as refused:
        mutuelle("CM-CSU")
    assert refused.value.key == "scheme.draft"


def test_the_seventh_person_of_togo_is_stored_and_the_rights_of_that_one_say_why(connected):
    tenant_id = mutuelle("TG-AMU-TNS")
    born = [1985, 1990, 2018, 2010, 2012, 2014, 2016]
    with db.transaction(db.Role.APP, tenant_id) as session:
        home = enrolment.enrol(
            session,
            tenant_id,
            enrolment.NewHousehold(
                phone=AWA,
                language="fr",
                category="general",
                option="year",
                birth_years=born,
                adults=2,
                consent="1",
                channel="ussd",
            ),
        )
    with db.transaction(db.Role.AUDITOR) as session:
        case = explain_facts.read(session, home.number)
        (bill,) = session.scalars(select(Bill).where(Bill.household_id == home.id))
    assert case is not None
    assert (bill.total, len(case.people)) == (102_000, 7)
    dues, day = case.books.bills, clock.today("Africa/Lome")
    left_out = {}
    for row in case.people:
        line = member_rights.timeline(case.books.version_of, dues, [], case.people, row)
        left_out[row.born] = household_rights.on(line, day).reason == "rights.over-limit"
    assert [year for year, out in left_out.items() if out] == [2018]
