"""One person is claimed once: families that join by a second phone, in a second mutuelle or scheme."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.billing import sponsorships
from mutuelle.errors import Refused
from mutuelle.households import duplicate_decisions
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.households.households import Household, Member
from mutuelle.subsidies import claim_checks, claim_steps
from mutuelle.subsidies.claim_checks import ClaimComparison
from tests.mutuelle.subsidies.duplicates_world import (
    ONE_SHARE,
    claimed,
    decide,
    joins_again,
    look_for_duplicates,
    pairs,
    second_office,
)
from tests.mutuelle.subsidies.world import DECEMBER, ClaimsWorld

NOTHING = r"claim\.nothing"


@pytest.mark.every_postgres
def test_a_family_that_joins_again_by_a_second_phone_is_claimed_once(office: ClaimsWorld) -> None:
    first = office.joins()
    again = joins_again(office, first)
    claim = office.draft()
    assert claimed(office, claim) == {first: 3 * ONE_SHARE}
    assert office.left_out(claim) == {"duplicate": 3 * ONE_SHARE}
    assert {(pair.household_id, pair.later_household_id) for pair in pairs(office)} == {(first, again)}
    assert {tuple(pair.reasons) for pair in pairs(office)} == {("name", "year", "others", "mutuelle")}
    with office.console() as session:
        assert claim_checks.remake(session, claim) == ClaimComparison()
    office.send(claim)
    office.accept(claim)
    office.books_hold()


def test_two_families_are_claimed_both_once_a_person_says_so(office: ClaimsWorld) -> None:
    first = office.joins()
    again = joins_again(office, first)
    before = office.draft(DECEMBER)
    decide(office, "different")
    claim = office.draft()
    assert claimed(office, claim) == {again: 3 * ONE_SHARE}
    with office.console() as session:  # the earlier claim is made again as things were then
        assert claim_checks.remake(session, before) == ClaimComparison()
        assert claim_checks.remake(session, claim) == ClaimComparison()
    office.books_hold()


@pytest.mark.parametrize(("verdict", "is_first"), [("same-earlier", True), ("same-later", False)])
def test_of_one_person_the_chosen_membership_is_claimed(
    office: ClaimsWorld, verdict: str, is_first: bool
) -> None:
    first = office.joins()
    again = joins_again(office, first)
    from_now = office.draft(DECEMBER)
    assert claimed(office, from_now) == {first: 3 * ONE_SHARE}
    office.send(from_now)
    office.accept(from_now)
    decide(office, verdict)
    if is_first:
        with pytest.raises(Refused, match=NOTHING):
            office.draft()
    else:
        claim = office.draft()
        assert claimed(office, claim) == {first: -3 * ONE_SHARE}
        office.send(claim)
        office.accept(claim)
        assert claimed(office, office.draft(on="2027-02-03")) == {again: 3 * ONE_SHARE}
    office.books_hold()


def test_what_was_accepted_for_both_is_taken_back_after_the_decision(
    office: ClaimsWorld,
) -> None:
    first = office.joins()
    other = office.joins()
    claim = office.draft(DECEMBER)
    assert claimed(office, claim) == {first: 3 * ONE_SHARE, other: 3 * ONE_SHARE}
    office.send(claim)
    office.accept(claim)
    office.families[other] = office.families[first]
    office.name(other)  # a manager corrects the names: it is the same family
    look_for_duplicates(office)
    assert len(pairs(office)) == 3
    # Nothing is taken back before a person decides.
    with pytest.raises(Refused, match=NOTHING):
        office.draft()
    decide(office, "same-earlier")
    back = office.draft(on="2027-02-04")
    assert claimed(office, back) == {other: -3 * ONE_SHARE}
    with office.console() as session:
        for made in (claim, back):
            assert claim_checks.remake(session, made).differences == []
    office.send(back)
    office.accept(back)
    office.books_hold()


def test_a_family_is_claimed_once_in_two_mutuelles_of_a_federation(office: ClaimsWorld) -> None:
    second = second_office(office)
    first = office.joins()
    again = joins_again(second, first)
    look_for_duplicates(office, second)
    with pytest.raises(Refused, match=NOTHING) as refused:
        second.draft()
    assert refused.value.values["left_out"] == {"duplicate": 3 * ONE_SHARE}
    assert claimed(office, office.draft()) == {first: 3 * ONE_SHARE}
    assert {(pair.household_id, pair.later_household_id) for pair in pairs(office)} == {(first, again)}
    decide(second, "different")
    assert claimed(second, second.draft()) == {again: 3 * ONE_SHARE}
    office.books_hold()


def test_the_chosen_mutuelle_waits_until_the_other_one_gave_the_money_back(office: ClaimsWorld) -> None:
    second = second_office(office)
    first = office.joins()
    again = joins_again(second, first)
    look_for_duplicates(office, second)
    paid = office.draft(DECEMBER)
    office.send(paid)
    office.accept(paid)
    decide(office, "same-later")
    with pytest.raises(Refused, match=NOTHING):
        second.draft()
    back = office.draft()
    assert claimed(office, back) == {first: -3 * ONE_SHARE}
    assert claimed(second, second.draft()) == {again: 3 * ONE_SHARE}
    office.books_hold()


def test_the_other_mutuelle_sees_a_number_and_no_name(office: ClaimsWorld) -> None:
    second = second_office(office)
    first = office.joins()
    again = joins_again(second, first)
    look_for_duplicates(second, office)
    with second.console() as session:
        (row, *_) = session.scalars(select(DuplicatePair))
        assert (row.tenant_id, row.later_household_id) == (office.tenant_id, again)
        assert session.get(Household, (office.tenant_id, first)) is None
        assert session.get(Member, (office.tenant_id, row.member_id)) is None
    with office.console(office.coumba) as session:
        assert session.scalars(select(DuplicatePair)).all() == []
    with db.transaction(db.Role.AUDITOR) as session:
        stored = [str(vars(row)) for row in session.scalars(select(DuplicatePair))]
    assert not any("Ndiaye" in row for row in stored)


def test_mutuelles_without_a_common_federation_are_not_compared_by_name(office: ClaimsWorld) -> None:
    second = second_office(office, federated=False)
    first = office.joins()
    again = joins_again(second, first)
    assert claimed(office, office.draft()) == {first: 3 * ONE_SHARE}
    assert claimed(second, second.draft()) == {again: 3 * ONE_SHARE}
    assert pairs(office) == []


def test_twins_and_one_common_name_in_two_places_are_no_pair(office: ClaimsWorld) -> None:
    second = second_office(office)
    office.joins((1985, 2015, 2015))  # twins in one household
    single = office.joins((1985,))
    elsewhere = joins_again(second, single, (1985,))
    look_for_duplicates(office, second)
    claim = office.draft()
    assert office.left_out(claim) == {}
    assert claimed(second, second.draft()) == {elsewhere: ONE_SHARE}
    assert pairs(office) == []


def test_one_name_and_year_in_one_mutuelle_is_a_pair_a_year_apart_is_none(office: ClaimsWorld) -> None:
    single = office.joins((1985,))
    joins_again(office, single, (1986,))
    look_for_duplicates(office)
    assert pairs(office) == []
    again = joins_again(office, single, (1985,))
    look_for_duplicates(office)
    assert [(pair.household_id, pair.later_household_id) for pair in pairs(office)] == [(single, again)]


def test_two_sponsors_may_help_one_person_and_one_sponsor_is_asked_once(office: ClaimsWorld) -> None:
    first = office.joins(paid=0)
    again = joins_again(office, first, paid=0)
    third = joins_again(office, first, paid=0)
    union = office.helped(first, "union", "Union")
    office.helped(again, "ong", "ONG")
    with office.console() as session:
        sponsorships.help_household(session, union, third, clock.today("Africa/Dakar"), "bakary")
    for household_id in (first, again, third):
        office.pays(household_id, 1_000 + 5_250)
    assert claimed(office, office.draft(payer="sponsor", sponsor="ong")) == {again: 5_250}
    claim = office.draft(payer="sponsor", sponsor="union")
    assert claimed(office, claim) == {first: 5_250}
    assert office.left_out(claim) == {"duplicate": 5_250}
    with office.console() as session:
        assert claim_checks.remake(session, claim) == ClaimComparison()


def test_a_draft_waits_for_a_decision_and_follows_it(office: ClaimsWorld) -> None:
    first = office.joins()
    again = joins_again(office, first)
    look_for_duplicates(office)
    office.on("2027-02-02")
    with ThreadPoolExecutor(1) as threads:
        with office.console() as session:
            ids = session.scalars(select(DuplicatePair.id)).all()
            duplicate_decisions.decide(session, office.bakary, ids, verdict="same-later", why="papers")
            drafted = threads.submit(office.draft)
            assert not wait([drafted], timeout=1).done
        claim = drafted.result(timeout=20)
    assert claimed(office, claim) == {again: 3 * ONE_SHARE}
    with office.console() as session:
        assert claim_checks.remake(session, claim) == ClaimComparison()


def test_a_draft_is_outdated_once_a_duplicate_is_found_in_it(office: ClaimsWorld) -> None:
    first, other = office.joins(), office.joins()
    claim = office.draft(DECEMBER)
    office.families[other] = office.families[first]
    office.name(other)
    look_for_duplicates(office)
    with pytest.raises(Refused, match=r"claim\.stale"):
        office.check(claim)
    with office.console() as session:
        claim_steps.cancel(session, office.bakary, claim)
    again = office.draft(DECEMBER, on="2027-01-03")
    assert claimed(office, again) == {first: 3 * ONE_SHARE}
    office.send(again)
    office.books_hold()
