"""An SMS about a change is sent only while it is true: changes that end in nothing send nothing."""

from sqlalchemy import text

from mutuelle import db
from mutuelle.enrolment import category_proofs
from tests.mutuelle.billing.days import later
from tests.mutuelle.billing.same_day_acts import (
    claims_category,
    is_refused,
    no_longer_sponsored,
    proves_indigence,
    sponsor,
    waiting_sms,
)
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World


def all_sms_leave(household: BilledHousehold) -> None:
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        session.execute(
            text(
                "UPDATE messages SET status = 'accepted', text = 'SMS', segments = 1, sent_at = now()"
                " WHERE status = 'queued'"
            )
        )


def test_a_person_added_and_removed_before_daylight_sends_no_sms(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    household.adds(born=2020)
    assert waiting_sms(household) == [("adjusted-more", 3_500)]
    household.loses(born=2020)
    assert waiting_sms(household) == []


def test_several_changes_before_daylight_send_one_sms_with_their_sum(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    for year in (2018, 2019, 2020):
        household.adds(born=year)
    household.loses(born=2018)
    assert waiting_sms(household) == [("adjusted-more", 7_000)]
    later(household, 3)
    for year in (2015, 2019, 2020):
        household.loses(born=year)
    assert waiting_sms(household) == [("adjusted-less", 3_500)]


def test_a_change_whose_sms_has_left_is_corrected_by_its_own_amount(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    household.adds(born=2020)
    all_sms_leave(household)
    household.loses(born=2020)
    assert waiting_sms(household) == [("adjusted-less", 3_500)]


def test_a_sponsor_noted_by_mistake_sends_no_sms_or_takes_it_back(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    sponsor(household, percent=50)
    assert waiting_sms(household) == [("sponsored", 5_250)]
    no_longer_sponsored(household)
    assert waiting_sms(household) == []
    sponsor(household, percent=50)
    all_sms_leave(household)
    no_longer_sponsored(household)
    assert waiting_sms(household) == [("adjusted-more", 5_250)]


def test_only_the_last_answer_to_a_proof_is_sent(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    later(household, 2)
    proves_indigence(household)
    assert waiting_sms(household) == [("adjusted-less", 10_500), ("proof-accepted", None)]
    is_refused(household)
    assert waiting_sms(household) == [("proof-refused", None)]
    claims_category(household, "indigent")
    assert waiting_sms(household) == []
    with db.transaction(db.Role.AUDITOR) as session:
        claim = category_proofs.in_force(session, household.tenant, household.id, household.today)
    assert claim is not None
    assert claim.standing == "claimed"
