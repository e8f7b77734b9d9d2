"""Repeats, lost caches and identical turns in flight against the real database: each Confirm acts once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from menus import conversation
from menus.conversation import SessionState, TurnRequest, TurnResponse
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
class Dialled:
    """A phone in one session of a cumulative gateway. `cache` False: every turn finds an empty cache."""

    world: World
    phone: str = AWA
    foreign_id: str = "ATUid_1"
    cache: bool = True
    cached: SessionState | None = None
    draft: dict[str, Any] | None = None
    text: str = ""

    def hop(self, text: str, **more: Any) -> TurnRequest:
        return TurnRequest(
            self.world.gateway_id, self.world.senegal.tenant_id, self.foreign_id, self.phone, text, **more
        )

    def sends(self, text: str) -> TurnResponse:
        self.text = text
        reply = conversation.take(self.hop(text), self.cached if self.cache else None, self.draft)
        if reply.cached:
            self.cached, self.draft = SessionState.from_json(reply.cached.as_json()), reply.draft
        return reply

    def types(self, *inputs: str) -> TurnResponse:
        reply = None
        for typed in inputs:
            reply = self.sends(f"{self.text}*{typed}" if self.text else typed)
        assert reply
        return reply


def rows(world: World, table: str, database: Database) -> int:
    with database.superuser() as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[call-overload]
    return int(found[0])


def joined(world: World) -> Dialled:
    awa = Dialled(world)
    awa.sends("")
    awa.types(*JOIN, "1")
    return Dialled(world, foreign_id="ATUid_2")


@pytest.mark.parametrize("cache", [True, False])
def test_awa_joins_and_pays_with_and_without_a_cache(world, database, cache):
    awa = Dialled(world, cache=cache)
    assert awa.sends("").said.text.startswith("Mutuelle SN")
    done = awa.types(*JOIN, "1")
    assert done.said.text.startswith("Bienvenue")
    assert not done.said.open
    assert awa.sends(awa.text).said == done.said
    again = Dialled(world, foreign_id="ATUid_2", cache=cache)
    again.sends("")
    assert "Payer" in again.types("2", "1").said.text
    assert "lien Wave" in again.types("1").said.text
    assert [rows(world, table, database) for table in ("households", "payments", "ussd_effects")] == [1, 1, 2]
    assert "en cours (Wave)" in Dialled(world, foreign_id="ATUid_3").types("2").said.text


def test_a_late_save_of_the_cache_does_not_act_twice(world, database):
    awa = Dialled(world)
    awa.sends("")
    awa.types(*JOIN)
    stale = awa.cached
    done = awa.types("1")
    awa.cached = stale
    assert awa.sends(awa.text).said == done.said
    awa.cached = stale
    assert awa.sends(f"{awa.text}*1").said == done.said
    assert rows(world, "households", database) == 1


def test_the_cache_is_lost_at_every_turn_in_between(world, database):
    awa = Dialled(world)
    awa.sends("")
    for typed in (*JOIN, "1"):
        shown = awa.types(typed).said
        awa.cached = None
        assert awa.sends(awa.text).said == shown
    assert rows(world, "households", database) == 1


def test_identical_turns_in_flight_act_once(world, database):
    awa = joined(world)
    awa.sends("")
    awa.types("2", "1")
    hop = awa.hop(f"{awa.text}*1")
    with ThreadPoolExecutor(4) as pool:
        said = {reply.said for reply in pool.map(lambda _: conversation.take(hop, awa.cached), range(4))}
    assert len(said) == 1
    assert "lien Wave" in said.pop().text
    assert rows(world, "payments", database) == 1


def test_two_first_turns_in_flight_are_one_session(world, database):
    hop = Dialled(world).hop("")
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: conversation.take(hop, None), range(4)))
    assert len({reply.cached.session_id for reply in replies}) == 1
    assert rows(world, "ussd_sessions", database) == 1


def test_a_refusal_is_said_and_recorded_and_changes_nothing(world, database):
    first, second = Dialled(world, foreign_id="a"), Dialled(world, foreign_id="b")
    for awa in (first, second):
        awa.sends("")
        awa.types(*JOIN)
    first.types("1")
    refused = second.types("1")
    assert refused.said.text.startswith("Ce numéro est déjà membre")
    second.cached = None
    assert second.sends(second.text).said == refused.said
    assert rows(world, "households", database) == 1


def test_another_phone_or_another_dialogue_is_ended_politely(world, database):
    awa = Dialled(world)
    awa.sends("")
    for cached in (awa.cached, None):
        reply = conversation.take(replace(awa.hop("3"), phone=BAKARY), cached)
        assert (reply.said.open, reply.cached) == (False, None)
    older = replace(awa.cached, facts=replace(awa.cached.facts, flow="older"))
    assert "changé" in conversation.take(awa.hop("3"), older).said.text


def test_a_first_turn_that_is_a_shortcut_stops_at_the_confirm_also_without_a_cache(world, database):
    awa = replace(joined(world), cache=False)
    assert awa.sends("2*1*1*1").said.text.startswith("Payer")
    assert awa.sends("2*1*1*1").said.text.startswith("Payer")
    assert rows(world, "payments", database) == 0
    assert "lien Wave" in awa.types("1").said.text
    assert rows(world, "payments", database) == 1


def test_a_dropped_session_is_resumed_in_the_next(world, database):
    awa = Dialled(world)
    awa.sends("")
    awa.types(*JOIN[:4])
    later = Dialled(world, foreign_id="ATUid_9", draft=awa.draft)
    assert "adhésion" in later.sends("").said.text
    assert later.draft == awa.draft
    assert "enfants" in later.types("1").said.text
    assert "Bienvenue" in later.types("1", "858015", "1").said.text
    assert later.draft is None


def test_an_incremental_gateway_keeps_its_state_in_the_row_while_the_cache_is_down(world, database):
    awa = Dialled(world)
    said = None
    for typed in ("", *JOIN, "1"):
        said = conversation.take(awa.hop(typed, cumulative=False), None).said
    assert said.text.startswith("Bienvenue")
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
    reply = awa.types("1")
    assert (reply.said.open, reply.cached) == (False, None)
    assert reply.said.text.startswith("Nous vérifions")
    with database.superuser() as connection:
        connection.execute("DROP TRIGGER slow ON payments")
    assert "lien Wave" in awa.sends(awa.text).said.text


def test_a_lock_that_is_not_given_in_time_is_a_polite_end(world, database):
    awa = joined(world)
    awa.sends("")
    awa.types("2", "1")
    with database.superuser() as connection:
        connection.execute("SELECT * FROM ussd_sessions FOR UPDATE")
        reply = conversation.take(awa.hop(f"{awa.text}*1", deadline=db.Deadline(1.8)), awa.cached)
    assert reply.said.text.startswith("Le service est indisponible")
    assert "lien Wave" in awa.types("1").said.text
