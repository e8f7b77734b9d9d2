"""Repeats, lost caches and identical turns in flight on the real database: each Confirm acts once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from menus import idempotent_turn
from menus.idempotent_turn import SessionState, TurnRequest, TurnResponse
from mutuelle import db
from tests.support import people
from tests.support.people import AWA, BAKARY, World
from tests.support.templates import Database

pytestmark = pytest.mark.every_postgres

JOIN = ["3", "1", "1", "2", "1", "858015"]


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    yield people.settle_in()
    db.disconnect()


@dataclass
class PhoneSession:
    """A phone in one session of a cumulative gateway. `cache` False: every turn finds an empty cache."""

    world: World
    phone: str = AWA
    foreign_id: str = "ATUid_1"
    cache: bool = True
    state: SessionState | None = None
    draft: dict[str, Any] | None = None
    text: str = ""

    def request(self, text: str, **more: Any) -> TurnRequest:
        return TurnRequest(
            self.world.gateway_id, self.world.senegal.tenant_id, self.foreign_id, self.phone, text, **more
        )

    def sends(self, text: str) -> TurnResponse:
        self.text = text
        response = idempotent_turn.answer(self.request(text), self.state if self.cache else None, self.draft)
        if response.state:
            self.state, self.draft = SessionState.from_json(response.state.as_json()), response.draft
        return response

    def types(self, *inputs: str) -> TurnResponse:
        response = None
        for typed in inputs:
            response = self.sends(f"{self.text}*{typed}" if self.text else typed)
        assert response
        return response


def rows(world: World, table: str, database: Database) -> int:
    with database.superuser() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[call-overload]
    return int(row[0])


def joined(world: World) -> PhoneSession:
    awa = PhoneSession(world)
    awa.sends("")
    awa.types(*JOIN, "1")
    return PhoneSession(world, foreign_id="ATUid_2")


@pytest.mark.parametrize("cache", [True, False])
def test_awa_joins_and_pays_with_and_without_a_cache(world, database, cache):
    awa = PhoneSession(world, cache=cache)
    assert awa.sends("").screen_text.text.startswith("Mutuelle SN")
    done = awa.types(*JOIN, "1")
    assert done.screen_text.text.startswith("Bienvenue")
    assert not done.screen_text.open
    assert awa.sends(awa.text).screen_text == done.screen_text
    again = PhoneSession(world, foreign_id="ATUid_2", cache=cache)
    again.sends("")
    assert "Payer" in again.types("2", "1").screen_text.text
    assert "lien Wave" in again.types("1").screen_text.text
    assert [rows(world, table, database) for table in ("households", "payments", "ussd_effects")] == [1, 1, 2]
    assert "en cours (Wave)" in PhoneSession(world, foreign_id="ATUid_3").types("2").screen_text.text


def test_a_late_save_of_the_cache_does_not_act_twice(world, database):
    awa = PhoneSession(world)
    awa.sends("")
    awa.types(*JOIN)
    stale = awa.state
    done = awa.types("1")
    awa.state = stale
    assert awa.sends(awa.text).screen_text == done.screen_text
    awa.state = stale
    assert awa.sends(f"{awa.text}*1").screen_text == done.screen_text
    assert rows(world, "households", database) == 1


def test_the_cache_is_lost_at_every_turn_in_between(world, database):
    awa = PhoneSession(world)
    awa.sends("")
    for typed in (*JOIN, "1"):
        shown = awa.types(typed).screen_text
        awa.state = None
        assert awa.sends(awa.text).screen_text == shown
    assert rows(world, "households", database) == 1


def test_identical_turns_in_flight_act_once(world, database):
    awa = joined(world)
    awa.sends("")
    awa.types("2", "1")
    request = awa.request(f"{awa.text}*1")
    with ThreadPoolExecutor(4) as pool:
        screens = {
            response.screen_text
            for response in pool.map(lambda _: idempotent_turn.answer(request, awa.state), range(4))
        }
    assert len(screens) == 1
    assert "lien Wave" in screens.pop().text
    assert rows(world, "payments", database) == 1


def test_two_first_turns_in_flight_are_one_session(world, database):
    request = PhoneSession(world).request("")
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: idempotent_turn.answer(request, None), range(4)))
    assert len({response.state.session_id for response in responses}) == 1
    assert rows(world, "ussd_sessions", database) == 1


def test_a_refusal_is_shown_and_recorded_and_changes_nothing(world, database):
    first, second = PhoneSession(world, foreign_id="a"), PhoneSession(world, foreign_id="b")
    for awa in (first, second):
        awa.sends("")
        awa.types(*JOIN)
    first.types("1")
    refused = second.types("1")
    assert refused.screen_text.text.startswith("Ce numéro est déjà membre")
    second.state = None
    assert second.sends(second.text).screen_text == refused.screen_text
    assert rows(world, "households", database) == 1


def test_another_phone_or_another_dialogue_is_ended_politely(world, database):
    awa = PhoneSession(world)
    awa.sends("")
    for state in (awa.state, None):
        response = idempotent_turn.answer(replace(awa.request("3"), phone=BAKARY), state)
        assert (response.screen_text.open, response.state) == (False, None)
    older = replace(awa.state, facts=replace(awa.state.facts, flow="older"))
    assert "changé" in idempotent_turn.answer(awa.request("3"), older).screen_text.text


def test_a_first_turn_that_is_a_shortcut_stops_at_the_confirm_also_without_a_cache(world, database):
    awa = replace(joined(world), cache=False)
    assert awa.sends("2*1*1*1").screen_text.text.startswith("Payer")
    assert awa.sends("2*1*1*1").screen_text.text.startswith("Payer")
    assert rows(world, "payments", database) == 0
    assert "lien Wave" in awa.types("1").screen_text.text
    assert rows(world, "payments", database) == 1


def test_a_dropped_session_is_resumed_in_the_next(world, database):
    awa = PhoneSession(world)
    awa.sends("")
    awa.types(*JOIN[:4])
    later = PhoneSession(world, foreign_id="ATUid_9", draft=awa.draft)
    assert "adhésion" in later.sends("").screen_text.text
    assert later.draft == awa.draft
    assert "enfants" in later.types("1").screen_text.text
    assert "Bienvenue" in later.types("1", "858015", "1").screen_text.text
    assert later.draft is None


def test_an_incremental_gateway_keeps_its_state_in_the_row_while_the_cache_is_down(world, database):
    awa = PhoneSession(world)
    screen = None
    for typed in ("", *JOIN, "1"):
        screen = idempotent_turn.answer(awa.request(typed, cumulative=False), None).screen_text
    assert screen.text.startswith("Bienvenue")
    assert rows(world, "households", database) == 1


def test_a_broken_database_is_a_polite_end_and_an_unknown_commit_is_never_called_not_done(world, database):
    awa = joined(world)
    awa.sends("")
    awa.types("2", "1")
    with database.superuser() as connection:
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE query_canceled; END'"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON payments DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow()"
        )
    response = awa.types("1")
    assert (response.screen_text.open, response.state) == (False, None)
    assert response.screen_text.text.startswith("Nous vérifions")
    with database.superuser() as connection:
        connection.execute("DROP TRIGGER slow ON payments")
    assert "lien Wave" in awa.sends(awa.text).screen_text.text


def test_a_lock_that_is_not_given_in_time_is_a_polite_end(world, database):
    awa = joined(world)
    awa.sends("")
    awa.types("2", "1")
    with database.superuser() as connection:
        connection.execute("SELECT * FROM ussd_sessions FOR UPDATE")
        response = idempotent_turn.answer(awa.request(f"{awa.text}*1", deadline=db.Deadline(1.8)), awa.state)
    assert response.screen_text.text.startswith("Le service est indisponible")
    assert "lien Wave" in awa.types("1").screen_text.text
