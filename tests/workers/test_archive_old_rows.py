"""Rows that ended long ago are taken out once a day; a repeat of an outside message still changes nothing."""

from typing import Any
from unittest import mock

import pytest
from sqlalchemy import text

from mutuelle import archive, db
from mutuelle.archive import ArchivedTable
from tests.support.people import AWA
from tests.workers.test_blank_old_input import rows_of, sessions
from tests.workers.test_callbacks import event, signed
from tests.workers.test_incoming_sms import inbox, writes
from tests.workers.test_missed_lists import open_flags
from tests.workers.test_unreadable_proof import asked_and_paid
from tests.workers.world import Home, WorkerWorld
from workers import archive_old_rows, queues

DAY_S = 86_400
LONG_DAYS = 1_200  # longer than any setting


def pays(town: WorkerWorld, operator: str = "wave") -> tuple[Home, Any]:
    """Awa's household pays 3 000, and gets its SMS."""
    home = town.joins(operator)
    payment = town.asks(home)
    town.collect()
    town.answers(home)
    town.pass_time(60)
    finish(town, home.phone)
    return home, payment


def finish(town: WorkerWorld, phone: str = AWA) -> None:
    """Does all work that is due, and reads what the outside answers to it."""
    town.work()
    inbox(town, phone)
    town.sandbox.quiet()
    while town.read_callbacks() + town.read_incoming_sms():
        pass


def count(town: WorkerWorld) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table: rows_of(town, f"SELECT count(*) FROM {table}")[0][0]
        for table in (*ArchivedTable, "audit_archive", "ussd_effects")
    }


def runs(town: WorkerWorld) -> list[tuple[str, int, bool]]:
    with db.transaction(db.Role.AUDITOR) as session:
        rows = archive.runs(session, limit=1_000)
    return [(row.archived, row.row_count, row.is_last) for row in rows]


def test_everything_that_ended_goes_when_it_is_old_and_not_earlier(town: WorkerWorld) -> None:
    pays(town)
    sessions(town, "call", "1 hour", 3)
    before = count(town)
    assert min(before[table] for table in ArchivedTable) > 0
    assert archive_old_rows.run(town.services) == 0
    town.pass_time(399 * DAY_S)
    assert archive_old_rows.run(town.services) == 0
    town.pass_time(2 * DAY_S)
    archive_old_rows.run(town.services)
    after = count(town)
    gone = ("messages", "outbox", "ussd_sessions")
    assert {table: after[table] for table in gone} == dict.fromkeys(gone, 0)
    assert {table: after[table] for table in before if table not in gone} == {
        table: rows for table, rows in before.items() if table not in gone
    }
    town.pass_time(400 * DAY_S)
    archive_old_rows.run(town.services)
    assert count(town)["notices"] == 0
    assert count(town)["audit"] == before["audit"]
    town.pass_time(300 * DAY_S)
    archive_old_rows.run(town.services)
    assert (count(town)["audit"], count(town)["audit_archive"]) == (0, before["audit"])


def test_what_waits_stays_however_old_it_is(town: WorkerWorld) -> None:
    town.joins()
    town.pass_time(LONG_DAYS * DAY_S)
    archive_old_rows.run(town.services)
    assert (count(town)["messages"], count(town)["outbox"]) == (1, 1)
    assert "est inscrite" in " ".join(inbox(town)), "the SMS is still sent"


def test_a_day_is_done_once_and_a_run_that_was_cut_off_goes_on(town: WorkerWorld) -> None:
    sessions(town, "call", "500 days", 25)
    with mock.patch.object(archive_old_rows, "LIMIT", 10), mock.patch.object(archive_old_rows, "ROUNDS", 1):
        assert archive_old_rows.run(town.services) == 10
        assert count(town)["ussd_sessions"] == 15
        with (
            mock.patch.object(archive, "take_out", side_effect=RuntimeError("cut off")),
            pytest.raises(RuntimeError),
        ):
            archive_old_rows.run(town.services)
        assert [archive_old_rows.run(town.services) for _ in range(3)] == [10, 5, 0]
    of_sessions = [row for row in runs(town) if row[0] == "ussd_sessions"]
    assert of_sessions == [("ussd_sessions", 5, True)] + 2 * [("ussd_sessions", 10, False)]
    others = [row for row in runs(town) if row[0] != "ussd_sessions"]
    assert sorted(others) == [(table, 0, True) for table in ("audit", "messages", "notices", "outbox")]
    assert archive_old_rows.run(town.services) == 0
    assert len(runs(town)) == len(of_sessions) + len(others), "nothing is written twice for a day"


def test_a_batch_that_fails_leaves_no_run(town: WorkerWorld) -> None:
    sessions(town, "call", "500 days", 3)
    with (
        mock.patch.object(archive.seals, "seal", side_effect=ValueError("no key")),
        pytest.raises(ValueError, match="no key"),
    ):
        archive_old_rows.run(town.services)
    assert (count(town)["ussd_sessions"], runs(town)) == (3, [])


def test_the_daily_worker_does_it(town: WorkerWorld) -> None:
    sessions(town, "call", "500 days", 3)
    with mock.patch.object(queues.services, "current", return_value=town.services):
        queues.daily()
    assert count(town)["ussd_sessions"] == 0


def test_a_session_goes_with_what_it_did(town: WorkerWorld) -> None:
    sessions(town, "call", "500 days", 1)
    with town.database.superuser() as connection:
        connection.execute(
            "INSERT INTO ussd_effects SELECT gateway_id, id, 'x', 1, '{}', began_at FROM ussd_sessions"
        )
    archive_old_rows.run(town.services)
    assert (count(town)["ussd_sessions"], count(town)["ussd_effects"]) == (0, 0)


@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_callback_that_is_repeated_after_years_changes_nothing(town: WorkerWorld, operator: str) -> None:
    home, payment = pays(town, operator)
    town.pass_time(LONG_DAYS * DAY_S)
    archive_old_rows.run(town.services)
    assert count(town)["notices"] == 0
    parts, status = town.parts(), town.status(payment)
    body = (
        event(home, payment.ref)
        if operator == "wave"
        else b'{"externalId": "%s"}' % str(payment.ref).encode()
    )
    headers = signed(home, body) if operator == "wave" else {}
    town.calls_back(operator, body, headers, ref=str(payment.ref) if operator == "mtn" else "")
    town.work()
    assert (town.parts(), town.status(payment), len(town.receipts())) == (parts, status, 1)
    assert (town.flags(), town.sms(), count(town)["outbox"]) == ([], [], 0)


def test_a_stop_that_is_repeated_after_years_does_not_undo_a_later_start(town: WorkerWorld) -> None:
    town.joins()
    writes(town, "STOP")
    writes(town, "OUI")
    inbox(town)
    (stop, _) = [notice for notice in town.notices() if notice.door == "sms-incoming"]
    body = stop.words
    finish(town)
    town.pass_time(LONG_DAYS * DAY_S)
    archive_old_rows.run(town.services)
    repeat(town, body, "incoming")
    assert town.read_incoming_sms() == 0
    assert rows_of(town, "SELECT count(*) FROM sms_stops") == [(0,)]
    assert town.messages() == []


def test_a_delivery_report_about_an_sms_that_is_gone_ends(town: WorkerWorld) -> None:
    pays(town)
    report = next(notice for notice in town.notices() if notice.door == "sms-delivery")
    body = report.words
    town.pass_time(LONG_DAYS * DAY_S)
    archive_old_rows.run(town.services)
    repeat(town, body, "delivery")
    for _ in range(9):
        town.read_incoming_sms()
        town.pass_time(600)
    (notice,) = town.notices()
    assert (notice.state, notice.outcome) == ("done", "names no message of ours")


def repeat(town: WorkerWorld, body: bytes, kind: str) -> None:
    """The aggregator posts a message again."""
    url = town.endpoints["sms"]["africastalking"][kind]
    assert town.sandbox.http.post(url, content=body).status_code == 200


def test_a_proof_that_comes_after_years_and_cannot_be_read_is_asked_about_again(town: WorkerWorld) -> None:
    _, payment, row = asked_and_paid(town, "mtn")
    row["status"] = "FAILED"
    for _ in range(4):
        town.pass_time(1_800)
        town.work()
    assert town.status(payment) == "failed"
    town.pass_time(LONG_DAYS * DAY_S)
    archive_old_rows.run(town.services)
    assert town.tasks("collect") == town.tasks("poll") == []
    row.update(status="SUCCESSFUL", amount="3 000")
    town.calls_back("mtn", b'{"externalId": "%s"}' % str(payment.ref).encode(), ref=str(payment.ref))
    town.read_callbacks()
    assert open_flags(town) == [("unreadable", f"payment:{payment.ref}")]
    row["amount"] = "3000"
    town.pass_time(60)
    town.poll()
    assert (town.parts(), [kind for kind, _ in open_flags(town)]) == ({"bill": 3_000}, ["contradiction"])


def test_the_worker_takes_out_rows_and_deletes_none_by_hand(town: WorkerWorld) -> None:
    pays(town)
    for table in (*ArchivedTable, "ussd_effects", "audit_archive", "archive_runs"):
        for role in (db.Role.WORKER, db.Role.APP, db.Role.CONSOLE):
            with pytest.raises(Exception, match="permission denied"), db.transaction(role) as session:
                session.execute(text(f"DELETE FROM {table}"))
    for order in ("SELECT remove_notices(now(), 1)", "SELECT is_evidence_payment(NULL, NULL, now())"):
        with pytest.raises(Exception, match="permission denied"), db.transaction(db.Role.APP) as session:
            session.execute(text(order))
