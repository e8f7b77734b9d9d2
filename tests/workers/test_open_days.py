"""A list's day with lines that cannot be read stays open, is read again ever more rarely, and then closes."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.errors import Unavailable
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import list_cursor
from mutuelle.payments.list_cursor import ListProgress
from tests.support.people import AWA
from tests.workers.test_missed_lists import open_flags, pays_in_silence, silent_lists
from tests.workers.world import WorkerWorld, as_worker

DAY_S = 86_400


def make_it_noon(town: WorkerWorld) -> date:
    """Passes time until noon (UTC), so that no test crosses midnight. Returns the day."""
    now = clock.now()
    noon = now.replace(hour=12, minute=0, second=0) + timedelta(days=1)
    town.pass_time(int((noon - now).total_seconds()))
    return clock.now().date()


def at_noon(town: WorkerWorld) -> tuple[OperatorAccount, date]:
    """Makes it noon; Awa's household joins. Returns its wallet and the day."""
    today = make_it_noon(town)
    return town.joins().account, today


def lines_of(town: WorkerWorld, account: OperatorAccount, day: date) -> list[dict[str, Any]]:
    """The rows of a day's list at the sandbox; a test spoils them in place."""
    return town.sandbox.running.world.wave._days[account.code, day.isoformat()]


def spoil(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["amount"] += ".5"


def mend(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["amount"] = row["amount"].removesuffix(".5")


def subjects_of(rows: list[dict[str, Any]]) -> list[str]:
    return [f"transaction:{row['transaction_id']}" for row in rows]


def progress(account: OperatorAccount, day: date) -> ListProgress:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.get_one(ListProgress, (account.tenant_id, account.id, day))


def due_days(account: OperatorAccount) -> list[date]:
    with db.transaction(db.Role.WORKER) as session:
        return list_cursor.due(session, every_s=300).get(account.id, [])


def pull_every(town: WorkerWorld, seconds: int, until_s: int) -> None:
    for _ in range(until_s // seconds):
        town.pass_time(seconds)
        town.pull()


@pytest.mark.parametrize("pauses", [(1, 1, 1), (20, 20)], ids=["for three days", "for forty days"])
def test_a_day_stays_open_until_every_line_could_be_read(town: WorkerWorld, pauses: tuple[int, ...]) -> None:
    account, today = at_noon(town)
    for amount in (1_000, 2_000):
        pays_in_silence(town, account, amount)
    rows = lines_of(town, account, today)
    spoil(rows)
    town.pull()
    for days in pauses:
        town.pass_time(days * DAY_S)
        town.pull()
    subjects = sorted(subjects_of(rows))
    assert (town.parts(), sorted(subject for _, subject in open_flags(town))) == ({}, subjects)
    mend(rows[:1])
    town.pass_time(DAY_S)
    town.pull()
    (left,) = subjects_of(rows[1:])
    assert (town.parts(), open_flags(town)) == ({"bill": 1_000}, [("unreadable", left)])
    mend(rows)
    town.pass_time(DAY_S)
    town.pull()
    assert (town.parts(), open_flags(town)) == ({"bill": 3_000}, [])
    town.pass_time(DAY_S)
    assert today not in due_days(account), "the day is closed"


def test_an_open_day_is_read_again_ever_more_rarely(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    pays_in_silence(town, account, 1_000)
    rows = lines_of(town, account, today)
    spoil(rows)
    town.pull()
    town.pass_time(3 * DAY_S)
    days_read = silent_lists(town, account, times=0)
    town.pull()
    days_read.clear()
    pull_every(town, 3_600, DAY_S)
    first_day = days_read.count(today)
    pull_every(town, DAY_S, 2 * DAY_S)
    days_read.clear()
    pull_every(town, 3_600, DAY_S)
    assert first_day > days_read.count(today)
    assert 1 <= days_read.count(today) <= 4, "at most every six hours"
    mend(rows)
    pull_every(town, 3_600, 6 * 3_600)
    assert town.parts() == {"bill": 1_000}


def test_a_line_without_a_name_closes_its_case_with_its_day(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    pays_in_silence(town, account, 1_000)
    (row,) = lines_of(town, account, today)
    name = row.pop("transaction_id")
    town.pull()
    ((kind, subject),) = open_flags(town)
    assert (kind, subject.startswith("transaction:line-")) == ("unreadable", True)
    row["transaction_id"] = name
    town.pass_time(301)
    town.pull()
    assert (town.parts(), open_flags(town)) == ({"bill": 1_000}, [])


def test_a_thousand_unreadable_lines_do_not_flood_the_staff(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    for _ in range(list_cursor.NAMED_LINES + 3):
        pays_in_silence(town, account, 100)
    rows = lines_of(town, account, today)
    spoil(rows)
    for _ in range(3):
        town.pull()
        town.pass_time(3_601)
    cases = open_flags(town)
    assert len(cases) == list_cursor.NAMED_LINES + 1
    assert ("unreadable", f"account:{account.id}:{today}") in cases
    mend(rows)
    town.pull()
    assert (town.parts(), open_flags(town)) == ({"bill": 100 * len(rows)}, [])


def test_a_line_that_our_own_code_cannot_book_keeps_the_day_open(
    town: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, today = at_noon(town)
    pays_in_silence(town, account, 1_000)
    with town.database.superuser() as past_us:
        past_us.execute("ALTER TABLE receipts ADD CONSTRAINT broken CHECK (amount <> 1000)")
    town.pull()
    town.pass_time(3 * DAY_S)
    town.pull()
    assert [kind for kind, _ in open_flags(town)] == ["stuck"]
    with town.database.superuser() as past_us:
        past_us.execute("ALTER TABLE receipts DROP CONSTRAINT broken")
    town.pass_time(DAY_S)
    town.pull()
    assert (town.parts(), open_flags(town)) == ({"bill": 1_000}, [])
    assert progress(account, today).open_lines == []


def pays_late(town: WorkerWorld, account: OperatorAccount, amount: int, at: datetime) -> None:
    """The operator lists a payment late, among the lines of its own time."""
    payload = {"from": AWA, "to": account.code, "amount": amount, "at": at.isoformat()}
    town.sandbox.post("/operators/wave/pay", payload)


@pytest.mark.parametrize("read_on", ["the same day", "the next day", "the day after the next"])
def test_a_line_inserted_before_the_last_page_is_found(
    town: WorkerWorld, monkeypatch: pytest.MonkeyPatch, read_on: str
) -> None:
    monkeypatch.setattr("sandbox.wave.PAGE_MOST", 2)
    account, day = at_noon(town)
    began = clock.now()
    town.faults(drop=1)
    for n in range(7):
        pays_late(town, account, 100, began - timedelta(seconds=7 - n))
    for seconds in {
        "the same day": [10],
        "the next day": [DAY_S - 3_000],
        "the day after the next": [DAY_S] * 2,
    }[read_on]:
        town.pull()
        town.pass_time(seconds)
    assert town.parts() == {"bill": 700}
    pays_late(town, account, 5_000, began - timedelta(seconds=6))
    assert lines_of(town, account, day)[2]["amount"] == "5000", "it stands before the last page"
    pull_every(town, 400, 4_000)
    assert (town.parts(), town.flags()) == ({"bill": 5_700}, [])


def test_the_usual_reading_asks_for_the_last_pages_only(
    town: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.wave.PAGE_MOST", 2)
    account, today = at_noon(town)
    for _ in range(9):
        pays_in_silence(town, account, 100)
    town.pull()
    days_read = silent_lists(town, account, times=0)
    town.pass_time(301)
    town.pull()
    assert days_read.count(today) == 1
    town.pass_time(3_600)
    town.pull()
    assert days_read.count(today) == 1 + 5, "each hour from the first line"


def test_a_full_reading_that_is_cut_off_goes_on_where_it_was(
    town: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.wave.PAGE_MOST", 2)
    account, today = at_noon(town)
    for _ in range(10):
        pays_in_silence(town, account, 100)
    operator = town.services.operator(account)
    real, pages = operator.list_movements, 0

    def list_movements(*args: Any) -> Any:
        nonlocal pages
        pages += args[0] == today
        if args[0] == today and pages == 4:
            raise Unavailable("away")
        return real(*args)

    monkeypatch.setattr(operator, "list_movements", list_movements)
    town.pull()
    assert (town.parts(), progress(account, today).whole_at) == ({"bill": 600}, None)
    town.pass_time(301)
    town.pull()
    assert town.parts() == {"bill": 1_000}
    assert pages == 4 + 3, "it begins again one page before"
    assert progress(account, today).whole_at is not None


def test_a_reading_begun_before_says_nothing_about_one_begun_anew(town: WorkerWorld) -> None:
    """Of two workers on one list, the one that began in the middle must not end the other's full reading."""
    account, today = at_noon(town)
    key = (account.tenant_id, account.id, today)

    def begin(session: Any) -> Any:
        return list_cursor.begin(session, *key, older_than_s=0)

    first = as_worker(account.tenant_id, begin)
    as_worker(account.tenant_id, lambda session: list_cursor.record_end(session, first))
    usual = as_worker(account.tenant_id, begin)
    anew = as_worker(account.tenant_id, lambda session: list_cursor.begin_anew(session, *key))
    as_worker(account.tenant_id, lambda session: list_cursor.advance(session, usual, began="4", cursor="5"))
    as_worker(account.tenant_id, lambda session: list_cursor.record_end(session, usual))
    row = progress(account, today)
    assert (row.overlap_cursor, row.full_began, row.whole_at) == (None, anew.full_began, first.full_began)
    assert as_worker(account.tenant_id, lambda session: list_cursor.record_end(session, anew)) == []
    assert progress(account, today).whole_at == anew.full_began


def test_cases_that_staff_closed_come_back_while_the_line_is_unreadable(town: WorkerWorld) -> None:
    account, today = at_noon(town)
    pays_in_silence(town, account, 1_000)
    spoil(lines_of(town, account, today))
    town.pull()
    with town.database.superuser() as past_us:
        past_us.execute("UPDATE flags SET closed_at = opened_at")
    town.pass_time(301)
    town.pull()
    assert [kind for kind, _ in open_flags(town)] == ["unreadable"]
    assert len(town._all(select(Flag))) == 2
    town.check_truth = False  # the payment is not in the books
