"""The next bill: once, when cover calls for it, for the household as it is then."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text

from mutuelle import clock, db
from mutuelle.billing import billing_runs, sponsorships
from mutuelle.contributions.bills import Bill
from mutuelle.cover import cover_books
from mutuelle.enrolment import category_proofs, enrolment
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.money import Money
from mutuelle.organisation import sponsors, tenants
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import Place, World
from workers import bill, remind

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
phones = iter(f"+22178{n:07d}" for n in range(1_000))


class Home:
    """A household of three that joined on the first day."""

    def __init__(self, place: Place, category=None, **more) -> None:
        self.place, self.tenant, self.phone = place, place.tenant_id, next(phones)
        with db.transaction(db.Role.APP, self.tenant) as session:
            self.id = enrolment.enrol(
                session,
                self.tenant,
                enrolment.NewHousehold(
                    phone=self.phone,
                    language="fr",
                    category=category,
                    adults=2,
                    birth_years=[1985, 1990, 2015],
                    consent="1",
                    channel="ussd",
                    sms=False,
                    **more,
                ),
            ).id

    def pays(self, amount: int) -> None:
        moved = Movement(
            str(clock.new_id()), Money(amount, self.place.account.currency), clock.now(), payer=self.phone
        )
        with db.transaction(db.Role.WORKER, self.tenant) as session:
            settlement.credit(session, self.place.account, moved, "list")

    def bills(self) -> list[Bill]:
        with db.transaction(db.Role.AUDITOR) as session:
            conditions = (Bill.household_id == self.id, Bill.kind == "dues")
            return list(session.scalars(select(Bill).where(*conditions).order_by(Bill.issued)))

    def stands(self) -> cover_books.Position:
        with db.transaction(db.Role.AUDITOR) as session:
            return cover_books.position(session, self.tenant, self.id, today())

    def reminded(self) -> bool:
        with db.transaction(db.Role.WORKER, self.tenant) as session:
            return remind.facts_on(session, self.tenant, self.id, today()) is not None


def today() -> date:
    return clock.now().date()


def it_is(moment: datetime) -> None:
    clock.install(clock.Source(now=lambda: moment))


def bills_are_written(world: World, size: int = bill.PAGE) -> None:
    """All mutuelles of today, page by page."""
    with db.transaction(db.Role.WORKER) as session:
        places = billing_runs.due(session)
    for place in places:
        while bill.write_page(place, size):
            pass


@pytest.fixture
def world(module_database) -> Iterator[World]:
    people.connect(module_database.url)
    module_database.empty()
    it_is(START)
    yield people.settle_in()
    clock.install(clock.Source())
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []
    db.disconnect()


OPENS = START + timedelta(30)  # Senegal: after 30 days
ENDS = datetime(2027, 12, 21, 9, tzinfo=UTC)  # the last of twelve months


def test_the_next_bill_comes_a_day_before_its_first_reminder_and_once(world):
    home = Home(world.senegal, "general")
    home.pays(11_500)
    it_is(ENDS - timedelta(32))
    bills_are_written(world)
    assert len(home.bills()) == 1
    it_is(ENDS - timedelta(31))
    bills_are_written(world)
    bills_are_written(world)
    it_is(ENDS - timedelta(30))
    bills_are_written(world)
    _, again = home.bills()
    assert (again.issued, again.total, again.born, again.category) == (
        date(2027, 11, 20),
        21_000,
        [1985, 1990, 2015],
        "general",
    )
    now = home.stands()
    assert (now.owed, now.right.state, now.right.until) == (10_500, "open", ENDS.date())  # no joining fee
    assert home.reminded()
    home.pays(10_500)
    assert home.stands().right.until == date(2028, 12, 21)


def test_who_never_paid_is_never_billed_again_where_cover_begins_with_the_money(world):
    never, part = Home(world.senegal, "general"), Home(world.senegal, "general")
    part.pays(5_000)
    for years in (1, 2):
        it_is(START + timedelta(365 * years))
        bills_are_written(world)
        assert (len(never.bills()), len(part.bills())) == (1, 1)


def test_a_household_long_gone_is_billed_once_and_not_each_day(world):
    home = Home(world.senegal, "general")
    home.pays(11_500)
    for days in (900, 901, 950):
        it_is(START + timedelta(days))
        bills_are_written(world)
    assert [item.issued for item in home.bills()] == [START.date(), (START + timedelta(900)).date()]


def test_in_a_fixed_year_all_households_are_billed_when_the_year_is_sold(world):
    paid, owes = Home(world.rwanda, "level-3"), Home(world.rwanda, "level-3")
    paid.pays(15_000)
    it_is(datetime(2027, 5, 31, 9, tzinfo=UTC))
    bills_are_written(world)
    assert len(paid.bills()) == 1
    it_is(datetime(2027, 6, 1, 9, tzinfo=UTC))
    bills_are_written(world)
    it_is(datetime(2027, 6, 2, 9, tzinfo=UTC))
    bills_are_written(world)
    for home in (paid, owes):
        assert [item.period_from for item in home.bills()] == [date(2026, 7, 1), date(2027, 7, 1)]
    assert (paid.stands().owed, owes.stands().owed) == (15_000, 30_000)


def test_where_months_are_bought_the_next_month_is_billed(world):
    secret = {"api_key": "k", "signing_secrets": "s", "callback_token": "t"}
    with db.transaction(db.Role.LOGIN) as session:
        togo = tenants.add_mutuelle(
            session,
            code="TG-TEST",
            short_code="104",
            name="Togo",
            scheme="TG-AMU-TNS",
            country="TG",
            currency="XOF",
            zone="Africa/Lome",
            language="fr",
        )
        account = tenants.add_account(session, togo.id, operator="wave", code="TG-TEST", currency="XOF",
                                      credentials=secret, token="t-TG")  # fmt: skip
    home = Home(Place(togo.id, account, "*1#"), option="month")
    home.pays(10_000)
    ends = datetime(2027, 3, 19, 9, tzinfo=UTC)  # 90 days of waiting to 20 February, then a month
    for days, count in ((5, 1), (4, 2), (3, 2)):
        it_is(ends - timedelta(days))
        bills_are_written(world)
        assert len(home.bills()) == count
    assert home.bills()[1].option == "month"
    assert home.reminded()
    home.pays(10_000)
    assert home.stands().right.until == date(2027, 4, 19)


def test_credit_pays_the_next_bill_at_once(world):
    home = Home(world.senegal, "general")
    home.pays(11_500 + 10_500)
    it_is(ENDS)
    bills_are_written(world)
    now = home.stands()
    assert (now.owed, now.credit, now.right.until) == (0, 0, date(2028, 12, 21))


def test_the_bill_is_for_the_household_as_it_is_then(world):
    home = Home(world.senegal, "indigent")
    home.pays(11_500)
    with db.transaction(db.Role.CONSOLE, home.tenant) as session:
        households.add_member(session, home.tenant, home.id, born=2026, on=today())
        category_proofs.check(session, home.tenant, home.id, "indigent", Evidence("agent-visit"), by="agent")
    it_is(ENDS - timedelta(20))
    bills_are_written(world)
    again = home.bills()[-1]
    assert (again.total, again.category, len(again.born)) == (28_000, "indigent", 4)
    # The State pays all of it, so the cover goes on without a payment.
    assert home.stands().right.until == date(2028, 12, 21)


def test_a_run_that_is_cut_off_goes_on_where_it_was(world):
    homes = [Home(world.senegal, "general") for _ in range(5)]
    for home in homes:
        home.pays(11_500)
    it_is(ENDS)
    with db.transaction(db.Role.WORKER) as session:
        (place,) = [item for item in billing_runs.due(session) if item.tenant_id == world.senegal.tenant_id]
    for _ in range(billing_runs.PARTS + 1):
        assert bill.write_page(place, 1)
    assert 5 < sum(len(home.bills()) for home in homes) <= 10
    threads = [threading.Thread(target=bill.write_page, args=(place, 2)) for _ in range(2)]
    for item in threads:
        item.start()
    for item in threads:
        item.join()
    while bill.write_page(place, 2):
        pass
    assert [len(home.bills()) for home in homes] == [2] * 5
    assert not bill.write_page(place, 2)


def test_who_has_no_price_any_more_is_shown_to_a_person_and_the_others_go_on(world):
    homes = [Home(world.senegal, "general") for _ in range(3)]
    for home in homes:
        home.pays(11_500)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        for member in households.members_of(session, world.senegal.tenant_id, homes[1].id):
            households.remove_member(session, world.senegal.tenant_id, member.id, on=member.since)
    it_is(ENDS)
    bills_are_written(world)
    assert [len(home.bills()) for home in homes] == [2, 1, 2]
    with db.transaction(db.Role.AUDITOR) as session:
        stored = session.scalars(text("SELECT subject FROM flags WHERE kind = 'renewal'")).all()
    assert stored == [f"household:{homes[1].id}"]


def test_a_ring_bills_the_others_though_one_mutuelle_cannot_be(town):
    with town.database.superuser() as connection:
        connection.execute("UPDATE tenants SET scheme = 'NONE' WHERE country = 'SN'")
    town.pass_time(round((START - clock.now()).total_seconds()))
    home = town.joins("mtn")
    town.pass_time(round((datetime(2027, 6, 1, 9, tzinfo=UTC) - clock.now()).total_seconds()))
    bill.run(town.services)
    with db.transaction(db.Role.AUDITOR) as session:
        billed = session.scalars(
            select(Bill.period_from).where(Bill.household_id == home.id).order_by(Bill.issued)
        ).all()
    with town.database.superuser() as connection:
        connection.execute("UPDATE tenants SET scheme = 'SN-CMU' WHERE country = 'SN'")
    assert billed == [date(2026, 7, 1), date(2027, 7, 1)]


def test_a_sponsor_promises_its_part_of_the_next_bill_as_soon_as_it_is_written(world):
    home = Home(world.senegal, "general")
    home.pays(11_500)
    with db.transaction(db.Role.CONSOLE, home.tenant) as session:
        item = sponsors.add(
            session,
            home.tenant,
            code="union",
            name="Union",
            kind="ngo",
            terms=SponsorTerms(percent=50, cap=1_000_000, since=today() + timedelta(60)),
            by="bakary",
        )
        assert (
            sponsorships.help_household(session, item, home.id, today(), "bakary") == 0
        )  # its time has not come
    it_is(ENDS - timedelta(31))
    bills_are_written(world)
    bills_are_written(world)
    # 10 500 are the member's part of the second year, half of it the union's; the first year is paid and
    # stays so.
    assert home.stands().owed == 5_250
    with db.transaction(db.Role.AUDITOR) as session:
        stored = session.scalars(text("SELECT facts FROM messages WHERE kind = 'sponsored'")).all()
    assert [(facts["amount"], facts["left"]) for facts in stored] == [(5_250, 5_250)]


def test_a_page_holds_few_households_that_a_sponsor_helps_and_misses_none(world, monkeypatch):
    homes = [Home(world.senegal, "general") for _ in range(4)]
    for home in homes:
        home.pays(11_500)
    with db.transaction(db.Role.CONSOLE, homes[0].tenant) as session:
        item = sponsors.add(
            session,
            homes[0].tenant,
            code="few",
            name="Union",
            kind="ngo",
            terms=SponsorTerms(percent=50, cap=1_000_000, since=today() + timedelta(60)),
            by="bakary",
        )
        for home in homes[1:]:
            sponsorships.help_household(session, item, home.id, today(), "bakary")
    it_is(ENDS - timedelta(31))
    monkeypatch.setattr(bill, "SPONSORED", 1)
    with db.transaction(db.Role.WORKER) as session:
        (place,) = (place for place in billing_runs.due(session) if place.tenant_id == homes[0].tenant)
    pages = 0
    while bill.write_page(place):
        pages += 1
    assert pages >= billing_runs.PARTS
    assert sorted(home.stands().owed for home in homes) == [5_250, 5_250, 5_250, 10_500]


def test_a_sponsor_pays_before_the_households_own_credit(world):
    home = Home(world.senegal, "general")
    home.pays(11_500 + 2_000)  # 2 000 wait for the next bill
    with db.transaction(db.Role.CONSOLE, home.tenant) as session:
        item = sponsors.add(
            session,
            home.tenant,
            code="whole",
            name="Union",
            kind="ngo",
            terms=SponsorTerms(percent=100, cap=1_000_000, since=today()),
            by="bakary",
        )
        assert (
            sponsorships.help_household(session, item, home.id, today(), "bakary") == 0
        )  # the first year is paid already
    it_is(ENDS - timedelta(31))
    bills_are_written(world)
    now = home.stands()
    assert (now.owed, now.credit, now.right.until) == (0, 2_000, date(2028, 12, 21))
