"""Proofs that end: the household gets an SMS a month before and is *claimed* again the day after."""

from datetime import UTC, datetime, timedelta

from mutuelle import clock, db
from mutuelle.cover import cover_books
from mutuelle.enrolment import category_proofs
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.messaging import messages
from tests.support.people import AWA
from workers import expire_proofs, queues, services

NINE = datetime(2026, 11, 25, 9, tzinfo=UTC)


def proof_messages(town):
    return [
        message["text"]
        for message in town.sandbox.get(f"/phones/{AWA}/sms")
        if "renouveler" in message["text"]
    ]


def stands(home):
    with db.transaction(db.Role.AUDITOR) as session:
        today = clock.today("Africa/Dakar")
        category = category_proofs.in_force(session, home.account.tenant_id, home.id, today)
        return category.standing, cover_books.position(session, home.account.tenant_id, home.id, today).owed


def test_a_household_is_notified_that_its_proof_ends_and_is_claimed_again_the_day_after(town):
    town.pass_time(round((NINE - clock.now()).total_seconds()))
    home = town.joins()
    services.install(town.services)
    before = stands(home)
    until = clock.today("Africa/Dakar") + timedelta(20)
    with db.transaction(db.Role.CONSOLE, home.account.tenant_id) as session:
        proof = Evidence("document", "BF 12")
        category_proofs.check(
            session, home.account.tenant_id, home.id, "indigent", proof, by="manager:1", until=until
        )
    assert stands(home) == ("checked", 1_000)
    for days in (0, 0, 1):
        town.pass_time(86_400 * days)
        queues.daily()
        queues.messages()
    assert proof_messages(town) == [
        "Mutuelle Diender: un justificatif de votre ménage est à renouveler"
        f" au plus tard le {until:%d/%m/%Y}. Voyez un agent de la mutuelle."
    ]
    town.pass_time(86_400 * 19)
    queues.daily()
    queues.messages()
    assert stands(home) == ("checked", 1_000)
    town.pass_time(86_400)
    for _ in range(2):
        queues.daily()
        queues.messages()
    assert stands(home) == ("claimed", before[1])
    with db.transaction(db.Role.AUDITOR) as session:
        row = households.claim_of(session, home.account.tenant_id, home.id)
        assert (row.since, row.until, row.evidence) == (until + timedelta(1), None, "document")
    assert len(proof_messages(town)) == 1
    town.check_books()


def test_a_household_that_sent_stop_is_not_notified_and_a_second_run_finds_nothing(town):
    town.pass_time(round((NINE - clock.now()).total_seconds()))
    home = town.joins()
    with db.transaction(db.Role.CONSOLE, home.account.tenant_id) as session:
        until = clock.today("Africa/Dakar") + timedelta(20)
        category_proofs.check(
            session,
            home.account.tenant_id,
            home.id,
            "indigent",
            Evidence("agent-visit"),
            by="manager:1",
            until=until,
        )
    with db.transaction(db.Role.APP, home.account.tenant_id) as session:
        households.set_reminders(session, home.account.tenant_id, home.id, False)
    assert [expire_proofs.run(town.services) for _ in range(2)] == [1, 0]
    assert [message.status for message in town.messages() if message.kind == "proof"] == ["stopped"]
    assert "proof" not in messages.ALWAYS
