"""A list that did not come is read later, however long that takes, and a case is opened."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from mutuelle import clock
from mutuelle.audit import Flag
from mutuelle.errors import Unavailable
from mutuelle.organisation.tenants import OperatorAccount
from tests.support.people import AWA
from tests.workers.test_transaction_list import paid
from tests.workers.world import WorkerWorld


def pays_in_silence(town: WorkerWorld, account: OperatorAccount, amount: int) -> None:
    town.faults(drop=1)
    town.sandbox.post("/operators/wave/pay", {"from": AWA, "to": account.code, "amount": amount})


def open_flags(town: WorkerWorld) -> list[tuple[str, str]]:
    return [
        (flag.kind, flag.subject)
        for flag in town._all(select(Flag).where(Flag.closed_at.is_(None)).order_by(Flag.kind))
    ]


def silent_lists(town: WorkerWorld, account: OperatorAccount, *, times: int = 10**6) -> list[Any]:
    """Makes the account's list fail `times` times. Returns the list of the days that were requested."""
    operator = town.services.operator(account)
    real, days = operator.list_movements, []

    def list_movements(*args: Any) -> Any:
        days.append(args[0])
        if len(days) <= times:
            raise Unavailable("away")
        return real(*args)

    operator.list_movements = list_movements  # type: ignore
    return days


def test_a_notice_of_money_ends_only_when_the_list_was_read(town: WorkerWorld) -> None:
    home = town.joins()
    town.pays_unasked(home.account, AWA, 1_000)
    silent_lists(town, home.account, times=1)
    town.read_callbacks()
    assert ([notice.state for notice in town.notices()], town.parts()) == (["new"], {})
    town.pass_time(20)
    town.read_callbacks()
    (notice,) = town.notices()
    assert (notice.state, notice.outcome, town.parts()) == (
        "done",
        "the transaction list was pulled",
        {"bill": 1_000},
    )


def test_a_failed_pull_is_no_reading_for_a_notice_that_was_there(town: WorkerWorld) -> None:
    home = town.joins()
    town.pays_unasked(home.account, AWA, 1_000)
    silent_lists(town, home.account, times=2)
    town.pull()  # yesterday's does not come
    town.pull()  # nor does today's
    town.read_callbacks()
    assert [notice.state for notice in town.notices()] == ["new"], "somebody tried a moment ago"
    town.pass_time(20)
    town.read_callbacks()
    assert ([notice.state for notice in town.notices()], town.parts()) == (["done"], {"bill": 1_000})


def test_money_of_unread_days_is_fetched_when_lists_come_again(town: WorkerWorld) -> None:
    home = town.joins()
    town.pull()
    town.pass_time(86_400)
    pays_in_silence(town, home.account, 1_000)
    town.pass_time(5 * 86_400)
    town.pull()
    assert town.parts() == {"bill": 1_000}
    town.pass_time(301)
    days = silent_lists(town, home.account, times=0)
    town.pull()
    today = clock.now().date()
    assert sorted(days) == [today - timedelta(days=1), today], "what was read whole is not read again"


def test_a_new_account_begins_with_yesterday(town: WorkerWorld) -> None:
    home = town.joins()
    days = silent_lists(town, home.account, times=0)
    town.pull()
    today = clock.now().date()
    assert sorted(days) == [today - timedelta(days=1), today]


def test_an_old_notice_of_money_leads_to_its_own_day(town: WorkerWorld) -> None:
    home = town.joins()
    town.pays_unasked(home.account, AWA, 1_000)
    town.pass_time(3 * 86_400)
    town.read_callbacks()
    assert town.parts() == {"bill": 1_000}


def test_a_transaction_list_that_is_missing_for_long_opens_a_case_until_it_comes(town: WorkerWorld) -> None:
    home = town.joins()
    town.pull()
    real = town.services.operator(home.account).list_movements
    silent_lists(town, home.account)
    town.pass_time(1_800)
    town.pull()
    assert open_flags(town) == []
    town.pass_time(2_400)
    town.pull()
    assert open_flags(town) == [("list", f"account:{home.account.id}")]
    town.services.operator(home.account).list_movements = real  # type: ignore
    town.pass_time(301)
    town.pull()
    assert open_flags(town) == []


def test_a_reversal_under_the_transaction_it_takes_back_is_taken(town: WorkerWorld) -> None:
    """Where no field names the original, the line's own transaction is taken to be it."""
    _, payment, transaction = paid(town)
    town.pull()
    town.reverse(transaction)
    wave = town.sandbox.running.world.wave
    (back,) = [line for day in wave._days.values() for line in day if line.get("is_reversal")]
    for field in [
        name for name, value in back.items() if value == transaction or name.startswith("checkout")
    ]:
        del back[field]
    back.pop("payment_reason", None)
    back["transaction_id"] = transaction
    town.check_truth = False  # its own name for the reversal is gone
    town.pass_time(301)
    town.pull()
    assert (town.status(payment), town.parts(), town.flags()) == ("reversed", {"reversed": 3_000}, [])


def test_the_flag_of_a_reversal_is_closed_once_it_was_taken(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    town.collect()
    town.faults(drop=1)
    town.answers(home, quiet=False)
    town.pass_time(2 * 86_400)
    (moved,) = town.truth()
    town.reverse(moved["transaction"])
    town.pull()
    assert [kind for kind, _ in open_flags(town)] == ["reversal"]
    town.poll()
    town.pass_time(301)
    town.pull()
    assert (town.status(payment), open_flags(town)) == ("reversed", [])
