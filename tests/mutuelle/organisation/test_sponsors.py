"""Sponsors: promises reduce the member's share, stay within their cap, and rights do not wait for them."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mutuelle import db
from mutuelle.billing import adjustments, sponsorships
from mutuelle.billing.adjustment_writer import AdjustmentResult
from mutuelle.errors import Refused
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import Offer, Sponsor, SponsorTerms
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

CODES = (f"aide-{n}" for n in range(1000))
DUES = 10_500  # the member's half of 21 000 FCFA for three people in Senegal


@pytest.fixture(scope="module")
def settled(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    yield settled
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def add_sponsor(
    household: BilledHousehold,
    percent: int = 50,
    cap: int = 1_000_000,
    per_bill: int | None = None,
    until: date | None = None,
) -> Sponsor:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        return sponsors.add(
            session,
            household.tenant,
            code=next(CODES),
            name="Commune de Diender",
            kind="commune",
            terms=SponsorTerms(
                percent=percent, cap=cap, per_bill=per_bill, since=household.today, until=until
            ),
            by="bakary",
        )


def begin_help(household: BilledHousehold, sponsor: Sponsor) -> AdjustmentResult | None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        sponsors.begin_sponsorship(session, sponsor, household.id, household.today, "bakary")
        return adjustments.apply(session, household.tenant, household.id, household.today, "sponsor")


def end_help(household: BilledHousehold) -> bool:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        return sponsorships.end_help(session, household.tenant, household.id, household.today, "bakary")


def promised_units(household: BilledHousehold, sponsor: Sponsor) -> int:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        return next(
            balance.promised
            for balance in sponsors.balances(session, household.tenant)
            if balance.sponsor.id == sponsor.id
        )


def test_half_of_the_members_part_is_the_communes_and_the_price_stays(world: World) -> None:
    household = BilledHousehold(world.senegal)
    sponsor = add_sponsor(household)
    made = begin_help(household, sponsor)
    assert made is not None
    assert (made.shares, made.total) == ({"member": -5_250, "sponsor": 5_250}, 0)
    assert household.parts() == {"member": 5_250, "state": DUES, "sponsor": 5_250}
    assert promised_units(household, sponsor) == 5_250
    household.pays(5_250)  # all that is left of the dues: rights do not wait for the commune's money
    assert household.stands().right.state == "waiting"
    assert household.stands().next_open is not None
    assert begin_help(household, sponsor) is None  # twice is once


def test_a_sponsor_takes_over_what_is_left_to_pay_and_nothing_that_was_paid(world: World) -> None:
    part, whole = BilledHousehold(world.senegal), BilledHousehold(world.senegal)
    sponsor = add_sponsor(part, percent=100)
    part.pays(4_000)
    begin_help(part, sponsor)
    assert part.parts() == {"member": 4_000, "state": DUES, "sponsor": 6_500}
    assert part.stands().right.state == "waiting"  # the dues are paid
    whole.pays(DUES + 1_000)
    assert begin_help(whole, sponsor) is None
    assert (whole.stands().credit, whole.parts()) == (0, {"member": DUES, "state": DUES})


def test_a_sponsor_pays_no_more_than_its_caps_for_a_bill_and_in_all(world: World) -> None:
    first, second, third = (BilledHousehold(world.senegal) for _ in range(3))
    sponsor = add_sponsor(first, percent=100, per_bill=6_000, cap=8_000)
    for household in (first, second, third):
        begin_help(household, sponsor)
    assert [household.parts().get("sponsor", 0) for household in (first, second, third)] == [6_000, 2_000, 0]
    assert promised_units(first, sponsor) == 8_000


def test_a_promise_follows_the_members_part_and_never_exceeds_it(world: World) -> None:
    household = BilledHousehold(world.senegal, category="indigent")
    sponsor = add_sponsor(household)
    begin_help(household, sponsor)
    household.adds(2020)  # 3 500 more for the member, half of it the sponsor's
    assert household.parts() == {"member": 7_000, "state": 14_000, "sponsor": 7_000}
    household.proves()  # the State pays all: there is nothing left to help with
    assert household.parts() == {"member": 0, "state": 28_000, "sponsor": 0}
    assert promised_units(household, sponsor) == 0


def test_what_was_promised_for_a_bill_stays_when_the_help_ends(world: World) -> None:
    household = BilledHousehold(world.senegal)
    sponsor = add_sponsor(household)
    begin_help(household, sponsor)
    household.today += timedelta(1)  # on the same day the promise would be taken back
    assert end_help(household)
    assert not end_help(household)
    household.adds(2020)  # no more help with what comes after
    assert household.parts() == {"member": 8_750, "state": 14_000, "sponsor": 5_250}


def test_one_sponsor_at_a_time_and_none_whose_time_is_over(world: World) -> None:
    household = BilledHousehold(world.senegal)
    begin_help(household, add_sponsor(household))
    with pytest.raises(Refused, match=r"sponsor\.other"):
        begin_help(household, add_sponsor(household))
    other = BilledHousehold(world.senegal)
    over = add_sponsor(other, until=other.today)
    with (
        pytest.raises(Refused, match=r"sponsor\.over"),
        db.transaction(db.Role.CONSOLE, other.tenant) as session,
    ):
        sponsors.begin_sponsorship(session, over, other.id, other.today + timedelta(1), "bakary")
    with (
        pytest.raises(Refused, match=r"sponsor\.known"),
        db.transaction(db.Role.CONSOLE, other.tenant) as session,
    ):
        sponsors.add(
            session,
            other.tenant,
            code=over.code,
            name="Une autre",
            kind="ngo",
            terms=SponsorTerms(percent=1, cap=1, since=other.today),
            by="bakary",
        )


def test_two_households_at_once_do_not_share_the_last_of_a_cap_twice(world: World) -> None:
    households = [BilledHousehold(world.senegal) for _ in range(4)]
    sponsor = add_sponsor(households[0], percent=100, cap=15_000)
    start = threading.Barrier(4)

    def help_one(household: BilledHousehold) -> None:
        start.wait()
        begin_help(household, sponsor)

    threads = [threading.Thread(target=help_one, args=(household,)) for household in households]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(household.parts().get("sponsor", 0) for household in households) == [0, 0, 4_500, DUES]


def test_the_database_refuses_a_promise_beyond_the_cap(world: World) -> None:
    household = BilledHousehold(world.senegal)
    sponsor = add_sponsor(household, cap=5_250)
    begin_help(household, sponsor)
    more = (  # one unit more from the sponsor, one less from the member
        "INSERT INTO bill_lines (tenant_id, id, bill_id, payer, amount, rule, adjustment_id, sponsor_id)"
        " SELECT tenant_id, gen_random_uuid(), bill_id, payer, CASE payer WHEN 'sponsor' THEN 1 ELSE -1 END,"
        " rule, adjustment_id, sponsor_id FROM bill_lines l"
        " WHERE adjustment_id = (SELECT adjustment_id FROM bill_lines WHERE sponsor_id = :sponsor)"
    )
    with (
        pytest.raises(DBAPIError, match="its cap is 5250"),
        db.transaction(db.Role.WORKER, household.tenant) as session,
    ):
        session.execute(text(more), {"sponsor": sponsor.id})


def test_another_mutuelle_sees_no_sponsor_and_helps_no_stranger(world: World) -> None:
    household = BilledHousehold(world.senegal)
    sponsor = add_sponsor(household)
    begin_help(household, sponsor)
    with db.transaction(db.Role.CONSOLE, world.mali.tenant_id) as session:
        assert sponsors.balances(session, world.mali.tenant_id) == []
        assert sponsors.balances(session, household.tenant) == []
        assert sponsors.of_household(session, household.tenant, household.id) is None


ids = [UUID(int=n) for n in (1, 2, 3)]
offers = st.builds(
    Offer,
    st.sampled_from(ids),
    st.integers(1, 100),
    st.none() | st.integers(1, 20_000),
    st.integers(0, 30_000),
)


@given(
    st.dictionaries(st.sampled_from(ids), st.integers(1, 9_000)),
    st.integers(0, 40_000),
    st.integers(),
    st.none() | offers,
)
def test_no_payer_has_a_negative_share_or_takes_over_what_was_paid(
    given_: dict[UUID, int], gross: int, unpaid: int, offer: Offer | None
) -> None:
    member = gross - sum(given_.values())
    changed = sponsors.share_differences(given_, member, unpaid, offer)
    parts = {key: given_.get(key, 0) + changed.get(key, 0) for key in {*given_, *changed}}
    assert all(part >= 0 for part in parts.values())
    assert member - sum(changed.values()) >= 0
    if offer is not None:
        assert parts.get(offer.sponsor_id, 0) <= min(offer.left, offer.per_bill or gross, gross)
        assert changed.get(offer.sponsor_id, 0) <= max(0, unpaid)
    for key, units in given_.items():
        if offer is None or key != offer.sponsor_id:
            assert parts[key] == min(units, parts[key])
