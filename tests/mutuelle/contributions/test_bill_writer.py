"""Bills written in batches have the price and the rows they would have alone, and never lack their lines."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mutuelle import clock, db
from mutuelle.contributions import bill_writer, bills
from mutuelle.contributions.bills import BillLine
from mutuelle.contributions.price_cache import PriceCache
from mutuelle.contributions.quotes import PeriodQuote, quote_period
from mutuelle.cover import cover_books
from mutuelle.enrolment import enrolment
from mutuelle.errors import Refused
from mutuelle.schemes import schemes
from tests.mutuelle.schemes.test_schemes_properties import EVERY
from tests.support import people
from tests.support.people import World

pytestmark = pytest.mark.every_postgres

DAY = date(2026, 11, 22)
# The households join before any day on which a test issues a bill.
EVE = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOMES = 4
later = count(1)
phones = iter(f"+22176{n:07d}" for n in range(1_000))
shared = {
    (place, on): PriceCache(book, on)
    for place, book in enumerate(EVERY)
    for on in (DAY, DAY + timedelta(400))
}


def quote_or_refusal(work) -> PeriodQuote | tuple[str, dict]:
    """The quote, or the key and values of the refusal."""
    try:
        return work()
    except Refused as refused:
        return refused.key, refused.values


@given(
    st.sampled_from(range(len(EVERY))),
    st.sampled_from((DAY, DAY + timedelta(400))),
    st.data(),
    st.lists(st.integers(1900, 2032), max_size=12),
    st.sampled_from((None, DAY - timedelta(900), DAY - timedelta(20), DAY + timedelta(30))),
)
def test_a_price_that_was_worked_out_before_is_the_price_worked_out_alone(
    place, on, data, born, covered_until
):
    book, version = EVERY[place], EVERY[place].on(on)
    category = data.draw(st.sampled_from([rule for rule in version.categories if not rule.unpriced]))
    option = data.draw(st.sampled_from([rule.code for rule in version.options]))
    alone = quote_or_refusal(
        lambda: quote_period(book, version, category, born, option, on=on, covered_until=covered_until)
    )
    assert (
        quote_or_refusal(lambda: shared[place, on].of(version, category, option, covered_until).quote(born))
        == alone
    )


def test_households_that_cost_the_same_share_one_bill():
    book = schemes.get("SN-CMU")
    tariff = PriceCache(book, DAY).of(book.on(DAY), book.on(DAY).category(), "year", None)
    assert tariff.quote([1980, 2015]) is tariff.quote([1991, 2020])
    assert tariff.quote([1980, 2015]) is not tariff.quote([1980])


def test_people_left_out_are_named_on_each_quote():
    book = next(
        scheme
        for scheme in EVERY
        if scheme.on(DAY).household.beyond == "not-covered" and not scheme.on(DAY).categories[0].unpriced
    )
    version = book.on(DAY)
    tariff = PriceCache(book, DAY).of(version, version.categories[0], version.options[0].code, None)
    full = [1980] * version.household.people_max
    assert [tariff.quote([*full, year]).not_covered for year in (1990, 1991)] == [
        ("over-limit:1990",),
        ("over-limit:1991",),
    ]


def enrol_household(tenant_id: UUID, phone: str) -> UUID:
    with db.transaction(db.Role.APP, tenant_id) as session:
        return enrolment.enrol(
            session,
            tenant_id,
            enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category=None,
                adults=1,
                birth_years=[1985],
                consent="1",
                channel="ussd",
                sms=False,
            ),
        ).id


@pytest.fixture(scope="module")
def homes(module_database) -> Iterator[tuple[World, list[UUID]]]:
    people.connect(module_database.url)
    clock.install(clock.Source(now=lambda: EVE))
    world = people.settle_in()
    household_ids = [enrol_household(world.senegal.tenant_id, next(phones)) for _ in range(2 * HOMES)]
    yield world, household_ids
    clock.install(clock.Source())
    db.disconnect()


def stored_bills(tenant_id: UUID, home: UUID, on: date) -> list[tuple]:
    """The bills of one day with their lines, without ids."""
    query = text("""
        SELECT to_jsonb(b) - 'id' - 'household_id', (SELECT jsonb_agg(to_jsonb(l) - 'id' - 'bill_id' ORDER BY
        l.payer)
            FROM bill_lines l WHERE l.tenant_id = b.tenant_id AND l.bill_id = b.id)
        FROM bills b WHERE b.household_id = :home AND b.issued = :on ORDER BY b.kind""")
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        return [tuple(row) for row in session.execute(query, {"home": home, "on": on})]


families = st.lists(st.integers(1930, 2026), min_size=1, max_size=9)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bills_written_together_are_the_bills_written_one_by_one(homes, data):
    world, household_ids = homes
    tenant_id, on = world.senegal.tenant_id, DAY + next(later) * timedelta(1)
    book = schemes.get("SN-CMU")
    version = book.on(on)
    cases = [(data.draw(families), data.draw(st.sampled_from(version.categories)), data.draw(st.booleans()))
             for _ in range(HOMES)]  # fmt: skip
    batch = bill_writer.BillBatch()
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        for home, (born, category, joining) in zip(household_ids, cases, strict=False):
            price = quote_period(book, version, category, born, "year", on=on, covered_until=None)
            bills.issue(session, tenant_id, home, price, born=born, on=on, joining=joining)
    tariffs = PriceCache(book, on)
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        for home, (born, category, joining) in zip(household_ids[HOMES:], cases, strict=True):
            for bill in bill_writer.new_bills(
                tariffs.of(version, category, "year", None).quote(born), on, joining=joining
            ):
                batch.add(home, bill, born)
        batch.write(session, tenant_id)
    for first, other, (_, _, joining) in zip(household_ids, household_ids[HOMES:], cases, strict=False):
        alone = stored_bills(tenant_id, first, on)
        assert len(alone) == 1 + joining
        assert stored_bills(tenant_id, other, on) == alone


def test_a_line_without_a_bill_and_a_bill_without_its_lines_are_refused_at_once(homes):
    world, _ = homes
    tenant_id = world.senegal.tenant_id
    line = {"tenant_id": tenant_id, "id": clock.new_id(), "payer": "member", "amount": 0, "rule": "none"}
    enrol_household(world.mali.tenant_id, people.COUMBA)
    with db.transaction(db.Role.AUDITOR) as session:
        of_another = session.scalar(
            text("SELECT id FROM bills WHERE tenant_id = :mali"), {"mali": world.mali.tenant_id}
        )
    for nowhere in (clock.new_id(), of_another):
        for role in (db.Role.APP, db.Role.WORKER, db.Role.CONSOLE):
            with (
                pytest.raises(DBAPIError, match="shares of a bill add up"),
                db.transaction(role, tenant_id) as session,
            ):
                session.execute(insert(BillLine), [line | {"bill_id": nowhere}])
    bare = text(
        "INSERT INTO bills SELECT tenant_id, :id, household_id, kind, issued - 1000, period_from,"
        " period_until, scheme, version, option, category, born, total, currency FROM bills"
        " WHERE total > 0 LIMIT 1"
    )
    with pytest.raises(DBAPIError, match="add up to 0"), db.transaction(db.Role.APP, tenant_id) as session:
        session.execute(bare, {"id": clock.new_id()})


def issue_with_one_line_more(
    session: Session, tenant_id: UUID, home: UUID, price: PeriodQuote, on: date
) -> None:
    (owed,) = bills.issue(session, tenant_id, home, price, born=[1985], on=on)
    line = {
        "tenant_id": tenant_id,
        "id": clock.new_id(),
        "bill_id": owed.bill_id,
        "payer": "state",
        "amount": 1,
        "rule": "none",
    }
    session.execute(insert(BillLine), [line])


def test_lines_that_follow_in_the_bills_own_transaction_must_leave_it_as_it_is(homes):
    world, household_ids = homes
    tenant_id, on, book = world.senegal.tenant_id, DAY + next(later) * timedelta(1), schemes.get("SN-CMU")
    price = quote_period(book, book.on(on), book.on(on).category(), [1985], "year", on=on, covered_until=DAY)
    with (
        pytest.raises(DBAPIError, match="shares of a bill add up"),
        db.transaction(db.Role.WORKER, tenant_id) as session,
    ):
        issue_with_one_line_more(session, tenant_id, household_ids[0], price, on)
    assert stored_bills(tenant_id, household_ids[0], on) == []


def test_the_rights_of_one_household_are_computed_anew_with_at_most_five_questions(homes):
    world, _ = homes
    home, statements = enrol_household(world.senegal.tenant_id, next(phones)), []
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *args: statements.append(args[2]))
        cover_books.recompute(session, world.senegal.tenant_id, home)
    assert 1 < len(statements) <= 5
