"""Appeals on the real database.

One ticket for any repeats, a deadline, one answer, and no access from another mutuelle.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from menus import idempotent_turn, sms_words
from menus.idempotent_turn import SessionState, TurnRequest, TurnResponse
from mutuelle import clock, crypto, db
from mutuelle.enrolment import appeals
from mutuelle.errors import Refused
from mutuelle.households import member_numbers
from mutuelle.organisation.logins import Manager
from mutuelle.reports import daybook
from mutuelle.verification import verify
from tests.support import books, people
from tests.support.people import World
from tests.support.templates import Database

TODAY = clock.today("Africa/Dakar")


@pytest.fixture(scope="module")
def world(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def phone(world: World) -> str:
    number = f"+22177{clock.digits(7)}"
    books.enrol(world, number)
    return number


def dials(world: World, phone: str, *typed: str, session: str = "", cache: bool = True) -> TurnResponse:
    text, state, response = "", None, None
    for token in ("", *typed):
        text = f"{text}*{token}".removeprefix("*")
        request = TurnRequest(
            world.gateway_id, world.senegal.tenant_id, session or str(clock.new_id()), phone, text
        )
        session = request.foreign_id
        response = idempotent_turn.answer(request, state if cache else None)
        state = SessionState.from_json(response.state.as_json()) if response.state else state
    assert response
    return response


def rows(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with database.superuser() as connection:
        return list(connection.execute(query, values).fetchall())


def tickets(database: Database, phone: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT t.id, t.number, t.kind, t.state, t.deadline, t.channel, t.text_id FROM tickets t"
        " JOIN phones p ON p.household_id = t.household_id WHERE p.blind_index = %s ORDER BY t.opened_at"
    )
    return rows(database, query, crypto.blind_index(phone))


def messages_to(database: Database, phone: str) -> list[tuple[str, dict[str, Any], str]]:
    query = (
        "SELECT kind, facts, language FROM messages"
        " WHERE phone_index = %s AND kind LIKE 'appeal%%' ORDER BY created_at"
    )
    return rows(database, query, crypto.blind_index(phone))


@pytest.mark.parametrize("cache", [True, False])
def test_an_appeal_is_one_ticket_with_a_deadline_and_an_sms(
    world: World, module_database: Database, phone: str, cache: bool
) -> None:
    screen = dials(world, phone, "4", "5", "1", "1", session=f"s{cache}", cache=cache).screen_text
    again = dials(world, phone, "4", "5", "1", "1", session=f"s{cache}", cache=False).screen_text
    assert screen == again
    assert not screen.open
    ((_, number, kind, state, deadline, channel, text_id),) = tickets(module_database, phone)
    assert (kind, state, channel, text_id) == ("category", "open", "ussd", "appeal.category")
    assert deadline == TODAY + timedelta(15)
    assert number in screen.text
    assert deadline.strftime("%d/%m/%Y") in screen.text
    ((sms, facts, language),) = messages_to(module_database, phone)
    text = sms_words.compose(sms, facts, language=language, currency="XOF", mutuelle="Mutuelle SN")
    assert text == f"Mutuelle SN: réclamation no {number} notée. Réponse au plus tard le {deadline:%d/%m/%Y}."
    assert "en cours" in dials(world, phone, "4", "5").screen_text.text


def test_two_sessions_at_once_open_one_ticket(world: World, module_database: Database, phone: str) -> None:
    sessions = ("a" * 8, "b" * 8, "c" * 8, "d" * 8)
    responses = {session: dials(world, phone, "4", "5", "3", session=session) for session in sessions}

    def yes(session: str) -> str:
        request = TurnRequest(world.gateway_id, world.senegal.tenant_id, session, phone, "4*5*3*1")
        return idempotent_turn.answer(request, responses[session].state).screen_text.text

    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(yes, sessions))
    assert len(tickets(module_database, phone)) == 1
    assert len(messages_to(module_database, phone)) == 1
    assert sum("notée" in text for text in texts) == 1
    assert sum("déjà une réclamation" in text for text in texts) == 3


def person(world: World, database: Database, tenant_id: UUID) -> Manager:
    login = clock.new_id()
    with database.superuser() as connection:
        connection.execute("INSERT INTO logins VALUES (%s, %s, %s, 'Bakary', 'x', true, now())",
                           [tenant_id, login, f"b{clock.digits(6)}"])  # fmt: skip
    return Manager(tenant_id, login, "Bakary")


@pytest.mark.parametrize(
    ("how", "because", "state"),
    [("accepted", None, "answered"), ("explained", "not-listed", "answered"), ("closed", None, "closed")],
)
def test_a_ticket_is_answered_once_and_the_household_is_notified(
    world: World, module_database: Database, phone: str, how: str, because: str | None, state: str
) -> None:
    dials(world, phone, "4", "5", "2", "1")
    ticket = tickets(module_database, phone)[0]
    bakary = person(world, module_database, world.senegal.tenant_id)
    for wrong in (("explained", None), ("explained", "because I say so"), ("perhaps", None)):
        with (
            pytest.raises(Refused, match=r"appeal\.how"),
            db.transaction(db.Role.CONSOLE, bakary.tenant_id) as session,
        ):
            appeals.answer(session, bakary, ticket[0], *wrong)
    with db.transaction(db.Role.CONSOLE, bakary.tenant_id) as session:
        appeals.answer(session, bakary, ticket[0], how, because)
    with (
        pytest.raises(Refused, match=r"appeal\.answered"),
        db.transaction(db.Role.CONSOLE, bakary.tenant_id) as session,
    ):
        appeals.answer(session, bakary, ticket[0], "accepted")
    assert tickets(module_database, phone)[0][3] == state
    messages = messages_to(module_database, phone)
    assert [kind for kind, _, _ in messages] == ["appeal", f"appeal-{how}"]
    text = sms_words.compose(*messages[1][:2], language="fr", currency="XOF", mutuelle="Mutuelle SN")
    assert ticket[1] in text
    assert ("liste du registre" in text) == (because is not None)
    assert "Qu'est-ce qui est faux" in dials(world, phone, "4", "5").screen_text.text


def test_another_mutuelle_neither_sees_nor_answers_it(
    world: World, module_database: Database, phone: str
) -> None:
    dials(world, phone, "4", "5", "2", "1")
    ticket = tickets(module_database, phone)[0]
    coumba = person(world, module_database, world.mali.tenant_id)
    with db.transaction(db.Role.CONSOLE, coumba.tenant_id) as session:
        assert (
            appeals.of_tenant(session, coumba.tenant_id)
            == appeals.of_tenant(session, world.senegal.tenant_id)
            == []
        )
        with pytest.raises(LookupError):
            appeals.answer(session, coumba, ticket[0], "accepted")


def test_a_late_ticket_is_counted_and_comes_first(
    world: World, module_database: Database, phone: str
) -> None:
    tenant_id = world.senegal.tenant_id
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        before = daybook.open_work(session, tenant_id).appeals_overdue
    dials(world, phone, "4", "5", "2", "1")
    late = TODAY - timedelta(1)
    with module_database.superuser() as connection:
        connection.execute(
            "UPDATE tickets SET opened_at = opened_at - interval '20 days', deadline = %s WHERE id = %s",
            [late, tickets(module_database, phone)[0][0]],
        )
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        assert appeals.of_tenant(session, tenant_id)[0][0].deadline == late
        assert daybook.open_work(session, tenant_id).appeals_overdue == before + 1
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def test_verify_names_a_ticket_whose_deadline_is_no_promise(
    world: World, module_database: Database, phone: str
) -> None:
    dials(world, phone, "4", "5", "1", "1")
    ticket = tickets(module_database, phone)[0][0]
    with module_database.superuser() as connection:
        connection.execute("UPDATE tickets SET deadline = %s WHERE id = %s", [TODAY, ticket])
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == [f"I12 ticket-deadline: ticket {ticket}"]
    with module_database.superuser() as connection:
        connection.execute("UPDATE tickets SET deadline = %s WHERE id = %s", [TODAY + timedelta(15), ticket])


def test_a_ticket_number_is_short_and_detects_typing_mistakes() -> None:
    drawn = {member_numbers.new(clock.digits, appeals.LENGTH) for _ in range(200)}
    assert {len(number) for number in drawn} == {8}
    assert len(drawn) > 190
