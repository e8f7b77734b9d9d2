"""One poisoned household, row or mutuelle costs only itself: a case for staff, once, and the rest goes on."""

import re
from collections.abc import Iterator
from datetime import date

import pytest

from mutuelle import clock, crypto, db, inbox, set_aside
from mutuelle.cover import cover_books
from mutuelle.enrolment import category_proofs
from mutuelle.errors import UnreadableBooks
from mutuelle.households.evidence import Evidence
from mutuelle.inbox import Door, Origin
from mutuelle.messaging import messages
from mutuelle.money import Money
from mutuelle.payments import promises, reversals, settlement
from mutuelle.payments.operators import Movement
from mutuelle.verification import verify
from tests.gateway.console.world import PASSWORD, ConsoleWorld
from tests.gateway.hooks.world import screen
from tests.support.templates import Database
from tests.workers.poisoned_world import JOINED, REMINDED, PoisonedWorld, at, of, of_mutuelle
from workers import batch, bill, expire_proofs, incoming_sms, lanes, queues, remind, services
from workers.lanes import RowSource


@pytest.fixture
def town(module_database: Database, redis_url: str) -> Iterator[PoisonedWorld]:
    at(JOINED)
    module_database.empty()
    yield PoisonedWorld(module_database, redis_url)
    clock.install(clock.Source())
    db.disconnect()


def test_reminders_of_all_others_are_queued_and_the_case_is_opened_once(town: PoisonedWorld):
    places = (town.world.mali, town.world.rwanda, town.world.senegal)
    bad, good = town.joins(places[0]), [town.joins(place) for place in (places[0], *places)]
    town.lose_rules(bad)
    at(REMINDED)
    for _ in range(3):
        queues.daily()
    assert town.messages("reminder") == set(good)
    assert town.cases() == [(of(bad), "bills: KeyError")]  # of all work, one case for a household
    town.find_rules(bad, places[0])
    at("2026-12-06T09:00")
    queues.daily()
    assert town.messages("reminder") == {bad, *good}
    assert town.cases() == []


def test_an_unreadable_phone_costs_one_reminder(town: PoisonedWorld):
    bad, good = (town.joins(town.world.senegal) for _ in range(2))
    town.poison("UPDATE phones SET cipher = %s WHERE household_id = %s", b"x" * 40, bad)
    at(REMINDED)
    remind.run(town.hub)
    assert town.messages("reminder") == {good}
    assert town.cases() == [(of(bad), "reminders: ValueError")]


def test_the_other_households_of_the_page_get_their_next_bill(town: PoisonedWorld):
    place = town.world.senegal
    homes = [town.joins(place) for _ in range(4)]
    for home in homes:
        town.pays(place, home, 11_500)
    town.lose_rules(homes[1])
    # An unreadable bill of another kind: no rule sees it before it is written.
    town.poison("UPDATE bills SET option = 'gone' WHERE household_id = %s", homes[2])
    at("2027-11-25T10:00")
    for _ in range(2):
        bill.run(town.hub)
    billed = town.rows("SELECT household_id FROM bills WHERE issued > '2027-01-01' AND kind = 'dues'")
    assert {row[0] for row in billed} >= {homes[0], homes[3]}
    assert of(homes[1]) in dict(town.cases())
    assert len(town.cases()) == len(dict(town.cases()))
    town.find_rules(homes[1], place)
    at("2027-11-26T10:00")
    bill.run(town.hub)
    assert of(homes[1]) not in dict(town.cases())


def test_a_page_of_bills_that_fails_at_its_end_is_done_household_by_household(town: PoisonedWorld):
    """The books' check refuses the money of one household: only the commit of the page notices."""
    place = town.world.senegal
    homes = sorted(town.joins(place) for _ in range(3))
    for home in homes:
        town.pays(place, home, 11_500 + 500)
    query = (
        "UPDATE allocations SET receipt_id = gen_random_uuid() WHERE household_id = %s AND kind = 'credit'"
    )
    town.poison(query, homes[1])
    at("2027-11-25T10:00")
    bill.run(town.hub)
    billed = town.rows("SELECT household_id FROM bills WHERE issued > '2027-01-01' AND kind = 'dues'")
    assert {row[0] for row in billed} >= {homes[0], homes[2]}


def test_proofs_end_and_notices_go_out_beside_a_poisoned_household(town: PoisonedWorld):
    place, until = town.world.senegal, date(2026, 12, 10)
    bad, good, unreachable = (town.joins(place) for _ in range(3))
    for home in (bad, good, unreachable):
        with db.transaction(db.Role.CONSOLE, place.tenant_id) as session:
            proof = Evidence("document", f"BF {home}"[:20])
            category_proofs.check(session, place.tenant_id, home, "indigent", proof, by="m", until=until)
    town.poison("UPDATE bills SET scheme = 'SN-GONE' WHERE household_id = %s", bad)
    town.poison("UPDATE phones SET cipher = %s WHERE household_id = %s", b"x" * 40, unreachable)
    at(REMINDED)
    for _ in range(2):
        expire_proofs.run(town.hub)
    assert town.messages("proof") == {bad, good}
    assert town.cases() == [(of(unreachable), "notices of proofs that end: ValueError")]
    at("2026-12-12T09:00")
    for _ in range(2):
        expire_proofs.run(town.hub)
    query = (
        "SELECT standing FROM categories WHERE household_id = %s AND (until IS NULL OR until >= since)"
        " ORDER BY since DESC LIMIT 1"
    )
    assert [town.rows(query, home)[0][0] for home in (bad, good)] == ["checked", "claimed"]
    assert (of(bad), "proofs that end: UnreadableBooks") in town.cases()


def test_a_promise_of_a_poisoned_household_stays_open_and_the_others_end(town: PoisonedWorld):
    place = town.world.senegal
    homes = [town.joins(place) for _ in range(2)]
    for home in homes:
        with db.transaction(db.Role.APP, place.tenant_id) as session:
            promises.make(session, place.tenant_id, home, day=date(2026, 12, 31), effect_key=str(home))
    town.lose_rules(homes[0])
    at("2027-01-02T09:00")
    remind.run(town.hub)
    states = dict(town.rows("SELECT household_id, state FROM promises"))
    assert states == {homes[0]: "open", homes[1]: "lapsed"}
    assert (of(homes[0]), "promises: UnreadableBooks") in town.cases()


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", ""])
def test_a_mutuelle_with_an_unknown_time_zone_costs_only_itself(town: PoisonedWorld, zone: str):
    mali, senegal = town.world.mali, town.world.senegal
    town.joins(mali)
    good = town.joins(senegal)
    town.poison("UPDATE tenants SET zone = %s WHERE id = %s", zone, mali.tenant_id)
    at(REMINDED)
    for _ in range(2):
        queues.daily()
    assert town.messages("reminder") == {good}
    assert town.cases() == [(of_mutuelle(mali), "time zone: Malformed")]
    assert services.current() is town.hub
    assert town.client.get("/metrics").status_code == 200
    payload = town.client.get("/figures.json").get_json()
    assert payload["missing"] == ["ML-TEST"]
    assert {row["code"] for row in payload["mutuelles"]} == {"SN-TEST", "RW-TEST"}
    assert "Mutuelle ML" in town.client.get("/figures").get_data(as_text=True)
    with db.transaction(db.Role.AUDITOR) as session:
        verify.run(session)
    town.poison("UPDATE tenants SET zone = 'Africa/Bamako' WHERE id = %s", mali.tenant_id)
    queues.daily()
    assert len(town.messages("reminder")) == 2


def test_a_mutuelle_without_its_rule_book_gets_one_case_for_each_work(town: PoisonedWorld):
    mali, senegal = town.world.mali, town.world.senegal
    for _ in range(3):
        town.joins(mali)
    good = town.joins(senegal)
    town.poison("UPDATE tenants SET scheme = 'ML-GONE' WHERE id = %s", mali.tenant_id)
    at(REMINDED)
    for _ in range(2):
        queues.daily()
    assert good in town.messages("reminder")
    assert (of_mutuelle(mali), "bills: scheme.unknown") in town.cases()
    assert len(town.cases()) == 1


def test_many_households_with_the_same_trouble_make_one_case_of_the_mutuelle(
    town: PoisonedWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(set_aside, "MOST_HOUSEHOLDS", 2)
    for _ in range(4):
        town.lose_rules(town.joins(town.world.senegal))
    at(REMINDED)
    remind.run(town.hub)
    subjects = [subject.partition(":")[0] for subject, _ in town.cases()]
    assert subjects == ["household", "household", "mutuelle"]


def test_money_of_a_household_whose_books_cannot_be_read_is_recorded_and_waits(town: PoisonedWorld):
    place = town.world.senegal
    bad, good = (town.joins(place) for _ in range(2))
    transaction = town.pays(place, bad, 2_000)
    town.lose_rules(bad)
    for home in (bad, good):
        town.pays(place, home, 3_000)
    phone = "payer's phone is registered to this household only"
    unread = "the books of the household that it belongs to cannot be read"
    assert sorted(town.parts()) == [
        ("bill", 2_000, phone),
        ("bill", 3_000, phone),
        ("suspense", 3_000, unread),
    ]
    assert town.cases() == [(of(bad), "money: UnreadableBooks")]
    moved = Movement("R1", Money(2_000, "XOF"), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        reversals.apply(session, place.account, moved)
    assert town.rows("SELECT count(*) FROM reversals") == [(1,)]
    with db.transaction(db.Role.AUDITOR) as session:
        broken = verify.run(session).broken
    assert {line.partition(":")[0] for line in broken} == {"I5 rights-computed", "I11 bill-price"}
    assert f"I5 rights-computed: household {bad}" in " ".join(broken)


def test_money_is_booked_though_the_phone_of_the_sms_cannot_be_read(town: PoisonedWorld):
    place = town.world.senegal
    home = town.joins(place)
    phone = town.phone(home)
    town.poison("UPDATE phones SET cipher = %s WHERE household_id = %s", b"x" * 40, home)
    moved = Movement("T1", Money(3_000, "XOF"), clock.now(), payer=phone)
    with db.transaction(db.Role.WORKER, place.tenant_id) as session:
        settlement.credit(session, place.account, moved, "list")
    assert [part[:2] for part in town.parts()] == [("bill", 3_000)]
    assert town.cases() == [(of(home), "SMS: ValueError")]


def test_stop_is_obeyed_in_every_mutuelle_that_can(town: PoisonedWorld):
    """The phone's household in one mutuelle is gone from the tables."""
    phone = "+221771000001"
    places = sorted((town.world.senegal, town.world.mali), key=lambda place: place.tenant_id)
    homes = [town.joins(place, phone) for place in places]
    town.poison("DELETE FROM households WHERE id = %s", homes[0])
    body = f"from={phone.replace('+', '%2B')}&to=1&text=STOP&id=1&date=2026-11-22+10:00:00".encode()
    with db.transaction(db.Role.APP, town.world.senegal.tenant_id) as session:
        origin = Origin(
            town.world.senegal.tenant_id, town.world.gateway_id, Door.SMS_INCOMING, "africastalking"
        )
        inbox.keep(session, origin, body=body)
    incoming_sms.run(town.hub)
    with db.transaction(db.Role.WORKER, places[1].tenant_id) as session:
        assert messages.is_stopped(session, places[1].tenant_id, crypto.blind_index(phone))
    assert town.rows("SELECT state FROM notices") == [("new",)]


def test_the_screen_is_true_and_the_page_shows_what_can_be_read(town: PoisonedWorld):
    place = town.world.senegal
    scene = ConsoleWorld(town.world)
    scene.employ("bakary", "Bakary Diop", place)
    home = town.joins(place)
    phone = town.phone(home)
    town.lose_rules(home)
    (text,) = {screen(town.turn(phoneNumber=phone)) for _ in range(2)}
    assert text == (
        "END Nous ne pouvons pas lire votre dossier. Rien n'est perdu ni changé."
        " Votre mutuelle doit le voir : adressez-vous à elle."
    )
    form = town.client.get("/console/entrer").get_data(as_text=True)
    token = re.search(r'name="jeton" value="(\w+)"', form)[1]
    fields = {"jeton": token, "login": "bakary", "secret": PASSWORD}
    town.client.post("/console/entrer", data=fields)
    shown = town.client.get(f"/console/menage/{home}").get_data(as_text=True)
    assert "ne peuvent pas être lus" in shown
    assert "né(e) en 1985" in shown
    with pytest.raises(UnreadableBooks), db.transaction(db.Role.AUDITOR) as session:
        cover_books.position(session, place.tenant_id, home, date(2026, 11, 22))


def test_a_lane_that_cannot_lease_or_put_back_holds_up_no_other():
    done: list[str] = []

    def broken(*_: object) -> list[str]:
        raise RuntimeError

    def work(row: str) -> None:
        if row == "bad":
            raise ValueError
        done.append(row)

    rows = {"a": ["bad", "1"], "b": ["2"]}

    def look() -> list[RowSource]:
        def lease(lane: str, limit: int) -> list[str]:
            leased, rows[lane] = rows[lane][:limit], rows[lane][limit:]
            return leased

        queued = [
            RowSource(lane, "k", lambda n, lane=lane: lease(lane, n), work, broken)
            for lane in rows
            if rows[lane]
        ]
        return [RowSource("c", "k", broken, work, broken), *queued]

    lanes.run(look)
    assert sorted(done) == ["1", "2"]
    batch.for_each(["bad", "3"], work, broken, lease_s=60)
    assert done[-1] == "3"
