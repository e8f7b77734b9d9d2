"""A request that times out may have arrived: it is repeated under its reference, and the payer pays once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from mutuelle import clock, db
from mutuelle.errors import Refused
from mutuelle.money import Money
from mutuelle.payments.payments import Payment
from tests.workers.world import Home, WorkerWorld, together

OPERATORS = pytest.mark.parametrize("operator", ["wave", "mtn"])


def open_sessions(town: WorkerWorld, home: Home, payment: Payment) -> int:
    """How many requests of ours the operator holds under the reference."""
    world = town.sandbox.running.world
    if home.account.operator == "wave":
        return len(world.wave.by_reference(home.account.code, str(payment.ref)))
    return int(world.mtn.find(home.account.code, str(payment.ref)) is not None)


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "http_500"])
@OPERATORS
def test_a_request_without_an_answer_is_made_once(town: WorkerWorld, operator: str, fault: str) -> None:
    home = town.joins(operator)
    payment = town.asks(home)
    town.faults(**{fault: 1})
    assert town.collect() == 1
    assert town.status(payment) == "unknown"
    assert town.collect() == 0, "not at once"
    town.faults()
    town.pass_time(5)
    assert town.collect() == 1
    assert (town.status(payment), open_sessions(town, home, payment), len(town.prompts(home))) == (
        "pending",
        1,
        1,
    )
    town.answers(home)
    town.read_callbacks()
    assert (town.status(payment), town.parts(), len(town.truth())) == ("confirmed", {"bill": 3_000}, 1)


@OPERATORS
def test_an_approval_that_comes_before_the_answer_to_our_request_is_accepted(
    town: WorkerWorld, operator: str
) -> None:
    home = town.joins(operator)
    payment = town.asks(home)
    town.collect() if operator == "wave" else None  # a Wave search answers first, and would time out unheard
    town.faults(timeout_after=1)
    town.collect()
    town.faults()
    town.answers(home)
    town.pass_time(5)
    town.work()
    town.pass_time(30)
    town.work()
    assert (town.status(payment), town.parts(), len(town.truth())) == ("confirmed", {"bill": 3_000}, 1)
    assert {task.state for kind in ("collect", "poll") for task in town.tasks(kind)} == {"done"}


def test_a_known_reference_at_mtn_counts_as_accepted(town: WorkerWorld) -> None:
    home = town.joins("mtn")
    payment = town.asks(home)
    operator = town.services.operator(home.account)
    for _ in range(2):
        status = operator.request_payment(
            payment.ref, home.phone, _amount(payment), town.services.callback_url(home.account, payment.ref)
        )
        assert status.status == "pending"
    town.collect()
    assert (town.status(payment), len(town.prompts(home))) == ("pending", 1)


def test_wave_takes_up_the_session_that_was_made_before(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    operator = town.services.operator(home.account)
    first = operator.request_payment(payment.ref, home.phone, _amount(payment), "http://127.0.0.1/x")
    town.collect()
    assert (town.status(payment), open_sessions(town, home, payment)) == ("pending", 1)
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.get_one(Payment, (payment.tenant_id, payment.id)).link == first.link
    assert [outcome.kind for outcome in town.messages()] == ["welcome", "link"]


def test_an_extra_wave_session_under_our_reference_is_closed(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    account = town.sandbox.running.world.wave.accounts[home.account.code]
    session_payload = {
        "amount": "3000",
        "client_reference": str(payment.ref),
        "restrict_payer_mobile": home.phone,
    }
    for _ in range(2):
        town.sandbox.running.world.wave.open_session(
            account, session_payload | {"success_url": "http://a", "error_url": "http://a", "currency": "XOF"}
        )
    town.collect()
    assert len(town.prompts(home)) == 1


def test_a_request_that_could_not_be_made_in_time_is_not_made_late(town: WorkerWorld) -> None:
    """The operator was away for an hour: the farmer's phone must not light up tomorrow night."""
    home = town.joins("mtn")
    payment = town.asks(home)
    town.faults(http_500=1)
    town.collect()
    town.pass_time(3_601)
    town.collect()
    town.faults()
    town.pass_time(600)
    town.collect()
    assert (town.status(payment), town.prompts(home), town.sms()) == ("expired", [], ["expired"])
    assert [task.state for task in town.tasks("collect")] == ["done"]
    assert town.asks(home, key="second"), "and she may ask again"


def test_two_requests_of_one_household_at_once_are_one(town: WorkerWorld) -> None:
    home = town.joins()
    came = together(4, lambda place: town.asks(home, key=str(place)))
    refused = [outcome for outcome in came if isinstance(outcome, Exception)]
    assert len(refused) == 3
    assert all(isinstance(outcome, Refused) or "payments_live" in str(outcome) for outcome in refused)
    town.collect()
    assert len(town.prompts(home)) == 1


def test_of_a_hundred_and_fifty_requests_a_poisoned_one_holds_no_other(town: WorkerWorld) -> None:
    homes = [town.joins("mtn", phone=f"+25078{number:07d}") for number in range(150)]
    for home in homes:
        town.asks(home)
    bad = uuid4()
    with town.database.superuser() as past_us:
        past_us.execute(
            "UPDATE outbox SET subject_id = %s, due_at = due_at - interval '1 day' WHERE subject_id ="
            " (SELECT subject_id FROM outbox WHERE kind = 'collect' ORDER BY due_at LIMIT 1)",
            (bad,),
        )
        ((gone,),) = past_us.execute(
            "DELETE FROM payments p WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.subject_id = p.id)"
            " RETURNING ref"
        ).fetchall()
    assert town.collect() in (150, 151, 152)  # the poisoned one again, five and ten seconds later
    with db.transaction(db.Role.AUDITOR) as session:
        assert dict(session.execute(select(Payment.status, func.count()).group_by(Payment.status)).all()) == {
            "pending": 149
        }
    (left,) = [task for task in town.tasks("collect") if task.state == "waiting"]
    assert (left.subject_id, left.outcome) == (bad, "NoResultFound")
    assert left.due_at > clock.now() - timedelta(hours=1)  # a day earlier before it was put back
    with town.database.superuser() as past_us:  # the books are checked without what was spoilt
        past_us.execute("DELETE FROM outbox WHERE subject_id = %s", (bad,))
        past_us.execute("SET session_replication_role = replica")
        past_us.execute("DELETE FROM audit WHERE subject = %s", (f"payment:{gone}",))


def _amount(payment: Payment) -> Money:
    return Money(payment.amount, payment.currency)
