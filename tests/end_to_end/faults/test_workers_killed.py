"""A worker is killed before, in and after each of its commits, and in a statement: nothing happens twice."""

from dataclasses import dataclass

import psycopg
import pytest

from mutuelle import crypto
from proving.stage.wire_tap import Trap
from tests.end_to_end.faults.world import MESSAGES, MONEY, FaultWorld
from tests.end_to_end.stories.world import until

each_moment = pytest.mark.parametrize("moment", ["before", "in", "after"])
either_side = pytest.mark.parametrize("moment", ["before", "after"])


@dataclass(frozen=True)
class CommitPoint:
    """A commit, recognised by statements of its transaction, and the fault that leads to it."""

    after: tuple[str, ...]
    operator: str = "mtn"
    drop: int = 0


OF_A_REQUEST = {
    "the claim of a request": CommitPoint(("UPDATE outbox", "SELECT outbox.", "collect"), "wave"),
    "what the operator answered to it": CommitPoint(("UPDATE payments SET",), "wave"),
}
OF_MONEY = {
    "the claim of a callback": CommitPoint(("UPDATE notices", "SELECT notices.")),
    "money that a callback told": CommitPoint(('"postings"',)),
    "the claim of a poll": CommitPoint(("UPDATE outbox", "SELECT outbox.", "poll"), drop=1),
    "money that a poll found": CommitPoint(('"postings"',), drop=1),
    "money that a list told": CommitPoint(('"postings"',), "wave", drop=1),
    "how far a list was read": CommitPoint(("UPDATE pulls SET cursor",), "wave", drop=1),
}
OF_A_MESSAGE = {
    "that it is leaving": CommitPoint(("UPDATE messages SET", "segments")),
    "that it has left": CommitPoint(("UPDATE messages SET", "UPDATE outbox SET")),
}


def kill(ground: FaultWorld, trap: Trap, moment: str) -> None:
    """Kills the worker `before` its COMMIT is sent, `in`: while it is on the wire, or `after` the commit."""
    worker = trap.wait(15)
    ground.stage.kill(worker)
    trap.cut() if moment == "before" else trap.go_on()
    ground.stage.start(worker)


def armed(ground: FaultWorld, programs: tuple[str, ...], place: CommitPoint, moment: str) -> Trap:
    return ground.trap(programs, after=place.after, moment="after" if moment == "after" else "before")


@each_moment
@pytest.mark.parametrize("what", OF_A_REQUEST)
def test_a_worker_killed_at_the_commit_of_a_request_asks_the_payer_once(
    ground: FaultWorld, what: str, moment: str
):
    place = OF_A_REQUEST[what]
    phone = ground.joins(place.operator)
    trap = armed(ground, MONEY, place, moment)
    request = ground.asks(phone)
    kill(ground, trap, moment)
    until(lambda: ground.status(request) == "pending", what="another worker's asking")
    assert len(phone.prompts) == 1
    ground.settles(request)


@each_moment
@pytest.mark.parametrize("what", OF_MONEY)
def test_a_worker_killed_at_the_commit_of_money_credits_it_once(ground: FaultWorld, what: str, moment: str):
    place = OF_MONEY[what]
    request = ground.request(place.operator)
    until(lambda: ground.status(request) == "pending", what="pending")
    ground.faults(drop=place.drop)
    trap = armed(ground, MONEY, place, moment)
    request.phone.answer()
    if place.drop:
        ground.hurry()
    kill(ground, trap, moment)
    ground.paid_once(request, hurried=bool(place.drop))


@either_side
def test_a_worker_killed_at_the_commit_of_not_yet_asks_again(ground: FaultWorld, moment: str):
    request = ground.request("mtn")
    until(lambda: ground.status(request) == "pending", what="pending")
    trap = armed(ground, MONEY, CommitPoint(("FOR NO KEY UPDATE", "UPDATE outbox SET")), moment)
    ground.hurry()
    kill(ground, trap, moment)
    assert (ground.status(request), len(request.phone.prompts)) == ("pending", 1)
    ground.faults(drop=1)
    request.phone.answer()
    ground.paid_once(request, hurried=True)


@either_side
def test_a_worker_killed_at_the_commit_of_giving_up_notifies_once_and_still_accepts_the_money(
    ground: FaultWorld, moment: str
):
    request = ground.request("mtn")
    until(lambda: ground.status(request) == "pending", what="pending")
    ground.do(
        "UPDATE payments SET expires_at = created_at - interval '2 hours' WHERE ref::text = %s", request.ref
    )
    trap = armed(ground, MONEY, CommitPoint(("UPDATE payments SET", "UPDATE outbox SET")), moment)
    ground.hurry()
    kill(ground, trap, moment)
    ground.hurry()
    until(lambda: ground.status(request) == "expired", what="expired")
    query = "SELECT count(*) FROM messages WHERE kind = 'expired' AND phone_index = %s"
    assert ground.sql(query, crypto.blind_index(request.phone.number)) == [(1,)]
    assert ground.flags(request) == ["no-answer"]
    request.phone.answer()
    ground.paid_once(request, hurried=True)


@each_moment
@pytest.mark.parametrize("what", OF_A_MESSAGE)
def test_a_worker_killed_at_the_commit_of_a_message_sends_it_at_most_once(
    ground: FaultWorld, what: str, moment: str
):
    """What may have left is never sent again by itself: a case for staff is opened."""
    trap = armed(ground, MESSAGES, OF_A_MESSAGE[what], moment)
    phone = ground.joins()
    kill(ground, trap, moment)
    until(lambda: not ground.waiting(), what="an end of the message")
    left = what == "that it has left"
    certain = left != (moment == "before")
    assert len(phone.sms) == (1 if left or certain else 0)
    query = (
        "SELECT m.status, (SELECT count(*) FROM flags f WHERE f.subject = 'message:' || m.id) FROM messages m"
    )
    ((status, flags),) = ground.sql(f"{query} WHERE phone_index = %s", crypto.blind_index(phone.number))
    assert (status in ("accepted", "delivered"), status == "ambiguous", flags) == (
        certain,
        not certain,
        0 if certain else 1,
    )


def test_a_worker_killed_inside_a_statement_leaves_nothing_half_done(ground: FaultWorld):
    request = ground.request("wave")
    until(lambda: ground.status(request) == "pending", what="pending")
    with psycopg.connect(ground.stage.postgres.superuser_url("mutuelle")) as holder:
        holder.execute("SELECT FROM payments WHERE ref::text = %s FOR UPDATE", [request.ref])
        trap = ground.trap(MONEY, at="SELECT payments.", after=["FOR NO KEY UPDATE"])
        request.phone.answer()
        worker = trap.wait(10)
        trap.go_on()
        until(lambda: ground.blocked(), what="a worker that waits for the row")
        ground.stage.kill(worker)
        ground.stage.start(worker)
        holder.rollback()
    ground.paid_once(request)
