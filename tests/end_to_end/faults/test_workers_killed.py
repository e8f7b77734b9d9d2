"""A worker is killed with -9 before, in and after each of its commits, and inside a statement. Nothing
happens twice."""

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
class Place:
    """A commit, told by what its transaction has said; and the fault outside that leads there, if it takes
    one."""

    after: tuple[str, ...]
    operator: str = "mtn"
    drop: int = 0


OF_A_REQUEST = {
    "the claim of a request": Place(("UPDATE outbox", "SELECT outbox.", "collect"), "wave"),
    "what the operator answered to it": Place(("UPDATE payments SET",), "wave"),
}
OF_MONEY = {
    "the claim of a callback": Place(("UPDATE notices", "SELECT notices.")),
    "money that a callback told": Place(('"postings"',)),
    "the claim of a poll": Place(("UPDATE outbox", "SELECT outbox.", "poll"), drop=1),
    "money that a poll found": Place(('"postings"',), drop=1),
    "money that a list told": Place(('"postings"',), "wave", drop=1),
    "how far a list was read": Place(("UPDATE pulls SET",), "wave", drop=1),
}
OF_A_MESSAGE = {
    "that it is leaving": Place(("UPDATE messages SET", "segments")),
    "that it has left": Place(("UPDATE messages SET", "UPDATE outbox SET")),
}


def kill(ground: FaultWorld, trap: Trap, moment: str) -> None:
    """`before`: PostgreSQL never hears of the commit. `in`: it hears of it from a dead worker. `after`: it
    has committed."""
    who = trap.wait(15)
    ground.stage.kill(who)
    trap.cut() if moment == "before" else trap.go_on()
    ground.stage.start(who)


def armed(ground: FaultWorld, programs: tuple[str, ...], place: Place, moment: str) -> Trap:
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
    trap = armed(ground, MONEY, Place(("FOR NO KEY UPDATE", "UPDATE outbox SET")), moment)
    ground.hurry()
    kill(ground, trap, moment)
    assert (ground.status(request), len(request.phone.prompts)) == ("pending", 1)
    ground.faults(drop=1)
    request.phone.answer()
    ground.paid_once(request, hurried=True)


@either_side
def test_a_worker_killed_at_the_commit_of_giving_up_tells_everybody_once_and_still_takes_the_money(
    ground: FaultWorld, moment: str
):
    request = ground.request("mtn")
    until(lambda: ground.status(request) == "pending", what="pending")
    ground.do(
        "UPDATE payments SET expires_at = created_at - interval '2 hours' WHERE ref::text = %s", request.ref
    )
    trap = armed(ground, MONEY, Place(("UPDATE payments SET", "UPDATE outbox SET")), moment)
    ground.hurry()
    kill(ground, trap, moment)
    ground.hurry()
    until(lambda: ground.status(request) == "expired", what="expired")
    told = "SELECT count(*) FROM messages WHERE kind = 'expired' AND phone_index = %s"
    assert ground.sql(told, crypto.blind_index(request.phone.number)) == [(1,)]
    assert ground.flags(request) == ["no-answer"]
    request.phone.answer()
    ground.paid_once(request, hurried=True)


@each_moment
@pytest.mark.parametrize("what", OF_A_MESSAGE)
def test_a_worker_killed_at_the_commit_of_a_message_sends_it_at_most_once(
    ground: FaultWorld, what: str, moment: str
):
    """What may have left is never sent again by itself; a person is told."""
    trap = armed(ground, MESSAGES, OF_A_MESSAGE[what], moment)
    phone = ground.joins()
    kill(ground, trap, moment)
    until(lambda: not ground.waiting(), what="an end of the message")
    left = what == "that it has left"
    known = left != (moment == "before")
    assert len(phone.sms) == (1 if left or known else 0)
    query = (
        "SELECT m.status, (SELECT count(*) FROM flags f WHERE f.subject = 'message:' || m.id) FROM messages m"
    )
    ((status, flags),) = ground.sql(f"{query} WHERE phone_index = %s", crypto.blind_index(phone.number))
    assert (status in ("accepted", "delivered"), status == "ambiguous", flags) == (
        known,
        not known,
        0 if known else 1,
    )


def test_a_worker_killed_inside_a_statement_leaves_nothing_half_done(ground: FaultWorld):
    request = ground.request("wave")
    until(lambda: ground.status(request) == "pending", what="pending")
    with psycopg.connect(ground.stage.postgres.superuser_url("mutuelle")) as holder:
        holder.execute("SELECT FROM payments WHERE ref::text = %s FOR UPDATE", [request.ref])
        trap = ground.trap(MONEY, at="SELECT payments.", after=["FOR NO KEY UPDATE"])
        request.phone.answer()
        who = trap.wait(10)
        trap.go_on()
        until(lambda: ground.blocked(), what="a worker that waits for the row")
        ground.stage.kill(who)
        ground.stage.start(who)
        holder.rollback()
    ground.paid_once(request)
