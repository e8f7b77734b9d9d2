"""Tests of claiming, checking, refusing and expiring a category: every step is a row, and none is edited."""

from calendar import monthrange
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import NoResultFound

from menus import sms_words
from mutuelle import clock, crypto, db
from mutuelle.enrolment import category_proofs, enrolment
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import AWA, World
from tests.support.templates import Database

TODAY = clock.today("Africa/Dakar")
DAY = timedelta(1)
CARD = Evidence("document", "BF 0042-17")
VISIT = Evidence("agent-visit")


@pytest.fixture(scope="module")
def place(module_database: Database) -> Iterator[World]:
    people.connect(module_database.url)
    yield people.settle_in()
    db.disconnect()


@pytest.fixture
def home(place: World) -> UUID:
    return join(place.senegal.tenant_id, f"+22177{clock.digits(7)}")


@pytest.fixture
def later() -> Iterator[None]:
    yield
    clock.install(clock.Source())


def a_day_later() -> int:
    """Returns the days from TODAY to the clock's day, plus one."""
    return (clock.today("Africa/Dakar") - TODAY).days + 1


def join(tenant_id: UUID, phone: str, category: str = "indigent") -> UUID:
    with db.transaction(db.Role.APP, tenant_id) as session:
        return enrolment.enrol(
            session,
            tenant_id,
            enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category=category,
                birth_years=[1985, 2015],
                adults=1,
                consent="1",
                channel="ussd",
            ),
        ).id


def act(
    place: World, what: Callable[..., Any], *words: Any, role: db.Role = db.Role.CONSOLE, **more: Any
) -> Any:
    with db.transaction(role, place.senegal.tenant_id) as session:
        return what(session, place.senegal.tenant_id, *words, **more)


def on(place: World, home: UUID, day: date) -> tuple[str, str, bool] | None:
    current = act(place, category_proofs.in_force, home, day)
    return current and (current.category, current.standing, current.checked)


def rows(database: Database, home: UUID) -> int:
    with database.superuser() as connection:
        query = "SELECT count(*) FROM categories WHERE household_id = %s"
        return int(connection.execute(query, [home]).fetchone()[0])


def test_a_claim_counts_as_checked_from_the_day_its_evidence_was(place: World, home: UUID) -> None:
    assert on(place, home, TODAY) == ("indigent", "claimed", False)
    assert on(place, home, TODAY - DAY) is None
    assert act(place, category_proofs.check, home, "indigent", CARD, by="manager:1")
    assert on(place, home, TODAY) == ("indigent", "checked", True)


def test_a_proof_is_valid_as_long_as_the_scheme_sets_unless_it_names_its_own_last_day(
    place: World, home: UUID
) -> None:
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1")
    until = act(place, category_proofs.in_force, home, TODAY).until
    assert until == clock_months(TODAY, 48) - DAY
    assert on(place, home, until) == ("indigent", "checked", True)
    assert on(place, home, until + DAY) == ("indigent", "claimed", False)
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1", until=TODAY + DAY)
    assert act(place, category_proofs.in_force, home, TODAY).until == TODAY + DAY


def clock_months(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, min(day.day, monthrange(day.year + years, month + 1)[1]))


def test_the_same_check_twice_is_one(place: World, module_database: Database, home: UUID) -> None:
    assert act(
        place, category_proofs.check, home, "indigent", Evidence("document", "bf0042 17"), by="manager:1"
    )
    assert not act(place, category_proofs.check, home, "indigent", CARD, by="manager:2")
    assert rows(module_database, home) == 2
    assert act(place, category_proofs.refuse, home, why="not-found", by="manager:1")
    assert not act(place, category_proofs.refuse, home, why="not-found", by="manager:1")
    assert act(place, category_proofs.claim, home, "indigent", by="ussd")
    assert not act(place, category_proofs.claim, home, "indigent", by="ussd")
    assert rows(module_database, home) == 4
    assert on(place, home, TODAY) == ("indigent", "claimed", False)


def test_a_proof_in_force_is_not_ended_by_a_claim(place: World, home: UUID) -> None:
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1")
    for category in ("indigent", "general", "scholarship"):
        with pytest.raises(Refused, match=r"category\.proven"):
            act(
                place,
                category_proofs.claim,
                home,
                category,
                by="manager:1",
                evidence=Evidence("registry-number", "RNU 1"),
            )
    assert on(place, home, TODAY) == ("indigent", "checked", True)


def test_an_old_page_decides_nothing(place: World, home: UUID) -> None:
    row_id = act(place, category_proofs.in_force, home, TODAY).id
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1", expected_row=row_id)
    for late in (
        lambda: act(
            place, category_proofs.refuse, home, why="not-found", by="manager:2", expected_row=row_id
        ),
        lambda: act(
            place, category_proofs.check, home, "indigent", VISIT, by="manager:2", expected_row=row_id
        ),
    ):
        with pytest.raises(Refused, match=r"category\.changed"):
            late()
    assert on(place, home, TODAY) == ("indigent", "checked", True)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"category": "rich"}, "category.unknown"),
        ({"evidence": Evidence("rumour", "1234")}, "evidence.kind"),
        ({"evidence": Evidence("document")}, "evidence.number"),
        ({"evidence": Evidence("registry-number", " - ")}, "evidence.number"),
        ({"evidence": Evidence("registry-number", "9" * 41)}, "evidence.number"),
        ({"since": TODAY + DAY}, "evidence.since"),
        ({"since": TODAY - DAY}, "evidence.since"),
        ({"until": TODAY - DAY}, "evidence.over"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    place: World, module_database: Database, home: UUID, changes: dict[str, Any], key: str
) -> None:
    arguments = {"category": "indigent", "evidence": CARD, "by": "manager:1"} | changes
    with pytest.raises(Refused, match=key.replace(".", r"\.")):
        act(
            place,
            category_proofs.check,
            home,
            arguments.pop("category"),
            arguments.pop("evidence"),
            **arguments,
        )
    assert rows(module_database, home) == 1


def test_the_number_on_the_evidence_is_stored_as_a_phone_is(
    place: World, module_database: Database, home: UUID
) -> None:
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1")
    with module_database.superuser() as connection:
        row = connection.execute("SELECT t::text, reference_cipher FROM categories t WHERE household_id = %s"
                                  " AND standing = 'checked'", [home]).fetchone()  # fmt: skip
        trail = connection.execute(
            "SELECT string_agg(t::text, '') FROM audit t WHERE subject = %s", [f"household:{home}"]
        )
        trail_text = trail.fetchone()[0]
    assert crypto.open_number(row[1]) == "BF004217"
    for text in (row[0], trail_text):
        assert "004217" not in text
        assert b"BF004217".hex() not in text
    assert "category-checked" in trail_text


def test_a_proof_that_is_over_makes_the_household_claim_again_once(
    place: World, module_database: Database, home: UUID, later: None
) -> None:
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1", until=TODAY)
    row = act(place, households.claim_of, home, role=db.Role.WORKER)
    assert not act(place, category_proofs.expire, row, role=db.Role.WORKER)
    clock.install(clock.Source(shift_s=2 * 86_400))
    assert act(place, category_proofs.expire, row, role=db.Role.WORKER)
    assert not act(place, category_proofs.expire, row, role=db.Role.WORKER)
    assert on(place, home, TODAY) == ("indigent", "checked", True)
    assert on(place, home, TODAY + DAY) == ("indigent", "claimed", False)
    with db.transaction(db.Role.AUDITOR) as session:
        assert verify.run(session).broken == []


def test_the_database_edits_no_category(place: World, module_database: Database, home: UUID) -> None:
    statement = "UPDATE categories SET standing = 'claimed', category = 'general' WHERE household_id = %s"
    with module_database.superuser() as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(statement, [home])


def test_another_mutuelle_sees_and_checks_nothing(
    place: World, module_database: Database, home: UUID
) -> None:
    coumba = place.mali.tenant_id
    with db.transaction(db.Role.CONSOLE, coumba) as session:
        assert category_proofs.in_force(session, place.senegal.tenant_id, home, TODAY) is None
    for what, words in ((category_proofs.check, ("indigent", CARD)), (category_proofs.claim, ("indigent",))):
        with pytest.raises(NoResultFound), db.transaction(db.Role.CONSOLE, coumba) as session:
            what(session, place.senegal.tenant_id, home, *words, by="manager:1")
    assert rows(module_database, home) == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.sampled_from(["general", "indigent", "scholarship"])),
        st.tuples(
            st.just("check"),
            st.sampled_from(["indigent", "scholarship"]),
            st.sampled_from([CARD, VISIT]),
            st.one_of(st.none(), st.integers(0, 3)),
        ),
        st.tuples(st.just("refuse"), st.sampled_from(category_proofs.NotProven)),
        st.tuples(st.just("expire")),
    ),
    max_size=8,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_after_any_decisions_a_household_has_one_category_a_day_and_each_check_has_evidence(
    place: World, later: None, steps: list[tuple[Any, ...]]
) -> None:
    clock.install(clock.Source())
    home = join(place.senegal.tenant_id, f"+22178{clock.digits(7)}")
    for what, *words in steps:
        if what == "check":
            category, evidence, days = words
            until = None if days is None else clock.today("Africa/Dakar") + days * DAY
            with suppress(Refused):  # it begins before the row that an expired proof left
                act(place, category_proofs.check, home, category, evidence, by="manager:1", until=until)
        elif what == "claim":
            with suppress(Refused):  # not while a proof is in force
                act(place, category_proofs.claim, home, words[0], by="ussd")
        elif what == "refuse":
            act(place, category_proofs.refuse, home, why=words[0], by="manager:1")
        else:
            act(place, category_proofs.expire, act(place, households.claim_of, home))
            clock.install(clock.Source(shift_s=86_400 * a_day_later()))
    with db.transaction(db.Role.AUDITOR) as session:
        assert [
            line for line in verify.run(session).broken if str(home) in line or line.startswith("I12")
        ] == []


def test_verify_names_a_check_without_evidence_and_two_categories_of_one_day(
    place: World, module_database: Database
) -> None:
    home = join(place.senegal.tenant_id, AWA)
    act(place, category_proofs.check, home, "indigent", CARD, by="manager:1")
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE categories SET until = %s WHERE household_id = %s AND standing = 'claimed'", [TODAY, home]
        )
        connection.execute(
            "UPDATE categories SET reference_index = NULL, reference_cipher = NULL WHERE household_id = %s",
            [home],
        )
    with db.transaction(db.Role.AUDITOR) as session:
        problems = " ".join(verify.run(session).broken)
    assert "I12 category-evidence: category " in problems
    assert f"I12 category-once: household {home}" in problems
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM categories WHERE household_id = %s", [home])


def test_the_household_is_notified_of_the_last_answer_by_daylight_and_without_shaming_words(
    place: World, module_database: Database, later: None
) -> None:
    night = (datetime.combine(TODAY, time(23), UTC) - clock.now()).total_seconds()
    clock.install(clock.Source(shift_s=round(night)))
    phone = f"+22179{clock.digits(7)}"
    home = join(place.senegal.tenant_id, phone)
    for _ in range(2):
        act(place, category_proofs.check, home, "indigent", CARD, by="list:1")
    act(place, category_proofs.refuse, home, why="other-household", by="manager:1")
    with module_database.superuser() as connection:
        kinds = connection.execute(
            "SELECT kind, status FROM messages WHERE household_id = %s ORDER BY created_at", [home]
        ).fetchall()
        query = (
            "SELECT o.due_at FROM messages m JOIN outbox o ON o.subject_id = m.id"
            " WHERE household_id = %s AND m.key LIKE %s"
        )
        due = connection.execute(query, [home, "proof%"]).fetchall()
    withdrawn = [("adjusted-less", "stopped"), ("proof-accepted", "stopped")]
    assert kinds == [("welcome", "queued"), *withdrawn, ("proof-refused", "queued")]
    assert {moment for (moment,) in due} == {datetime.combine(TODAY + DAY, time(8), UTC)}
    for kind in ("proof-accepted", "proof-refused"):
        text = sms_words.compose(kind, {}, language="fr", currency="XOF", mutuelle="Mutuelle SN")
        assert not any(word in text.lower() for word in ("indigent", "pauvre", "registre", "malad"))
