"""An SMS is sent once: not again if it may have left, again if it certainly did not."""

from typing import Any

import pytest
from sqlalchemy import update

from mutuelle import db
from mutuelle.messaging import messages
from mutuelle.messaging.messages import Message
from tests.support.people import AWA
from tests.workers.world import WorkerWorld


def only(town: WorkerWorld) -> Message:
    (message,) = town.messages()
    return message


def received(town: WorkerWorld) -> int:
    return len(town.sandbox.get(f"/phones/{AWA}/sms"))


def settled(town: WorkerWorld) -> None:
    """Waits until all delivery reports have come and ended, also those of a message without a known id."""
    town.sandbox.quiet()
    while any(notice.state == "new" for notice in town.notices()):
        if not town.read_incoming_sms():
            town.pass_time(130)


def test_a_message_arrives_once_and_its_report_is_kept(town: WorkerWorld) -> None:
    town.joins()
    assert town.deliver() == 1
    assert (only(town).status, only(town).provider_status) == ("accepted", "Success")
    settled(town)
    assert (only(town).status, only(town).provider_status, received(town)) == ("delivered", "Success", 1)
    assert town.deliver() == 0


def test_a_worker_that_died_while_sending_leaves_it_ambiguous_and_never_sends_it_again(
    town: WorkerWorld,
) -> None:
    town.joins()

    class Dying:
        def __init__(self, real: Any) -> None:
            self.real = real

        def send(self, *what: Any) -> None:
            self.real.send(*what)
            raise SystemExit

    town.services._sms = Dying(town.services.sms())
    with pytest.raises(SystemExit):
        town.deliver()
    assert (only(town).status, received(town)) == ("sending", 1)
    town.pass_time(151)
    assert town.deliver() == 1
    assert (only(town).status, town.flags(), received(town)) == ("ambiguous", ["sms"], 1)
    settled(town)
    town.pass_time(3_600)
    assert (town.deliver(), received(town)) == (0, 1)


def test_a_worker_that_froze_while_sending_still_records_the_outcome(town: WorkerWorld) -> None:
    town.joins()

    class Frozen:
        def __init__(self, real: Any) -> None:
            self.real = real

        def send(self, *what: Any) -> Any:
            sent = self.real.send(*what)
            town.pass_time(151)
            town.deliver()
            return sent

    town.services._sms = Frozen(town.services.sms())
    town.deliver()
    settled(town)
    assert (only(town).status, received(town)) == ("delivered", 1)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (403, "InvalidPhoneNumber"),
        (405, "InsufficientBalance"),
        (406, "UserInBlacklist"),
        (502, "RejectedByGateway"),
    ],
)
def test_a_refused_message_is_final_and_opens_a_case(town: WorkerWorld, code: int, word: str) -> None:
    town.joins()
    town.sandbox.post("/sms/next", {"statusCode": code, "status": word})
    town.deliver()
    assert (only(town).status, only(town).provider_status, town.flags()) == ("failed", word, ["sms"])
    town.pass_time(3_600)
    assert (town.deliver(), received(town)) == (0, 0)


def test_with_refused_credentials_it_surely_did_not_leave_and_is_tried_again(town: WorkerWorld) -> None:
    town.joins()
    good = town.services.settings
    town.services.settings = good.model_copy(update={"at_api_key": "wrong"})
    town.deliver()
    assert (only(town).status, received(town)) == ("queued", 0)
    town.services.settings, town.services._sms = good, None
    town.pass_time(5)
    town.deliver()
    assert (only(town).status, received(town)) == ("accepted", 1)


def test_after_many_tries_a_message_that_never_left_is_given_up(town: WorkerWorld) -> None:
    town.joins()
    town.services.settings = town.services.settings.model_copy(update={"at_api_key": "wrong"})
    for number in range(1, 13):
        assert (only(town).status, town.deliver()) == ("queued", 1), number
        town.pass_time(300)
    assert (only(town).status, town.flags(), town.deliver()) == ("failed", ["sms"], 0)


@pytest.mark.parametrize(("fault", "arrived"), [("timeout_before", 0), ("timeout_after", 1), ("http_500", 0)])
def test_what_may_have_left_is_never_sent_again(town: WorkerWorld, fault: str, arrived: int) -> None:
    town.joins()
    town.faults(**{fault: 1})
    town.deliver()
    town.faults()
    assert (only(town).status, town.flags()) == ("ambiguous", ["sms"])
    settled(town)
    town.pass_time(3_600)
    assert (town.deliver(), received(town)) == (0, arrived)


@pytest.mark.parametrize(
    ("reports", "status", "word"),
    [
        (["Sent", "Success"], "delivered", "Success"),
        (["Sent", "Failed"], "failed", "Failed DeliveryFailure"),
        (["Success", "Sent"], "delivered", "Success"),
        (["Success", "Failed"], "delivered", "Success"),
        (["Sent", "EatenByAGoat"], "accepted", "EatenByAGoat"),
    ],
)
def test_delivery_reports_are_kept_verbatim_and_the_first_final_status_counts(
    town: WorkerWorld, reports: list[str], status: str, word: str
) -> None:
    town.joins()
    town.sandbox.post("/sms/next", {"reports": reports})
    town.deliver()
    settled(town)
    assert (only(town).status, only(town).provider_status) == (status, word)
    assert {notice.state for notice in town.notices()} == {"done"}


def test_a_report_that_is_faster_than_our_record_of_its_message_waits_for_it(town: WorkerWorld) -> None:
    town.joins()
    town.deliver()
    town.sandbox.quiet()
    named = only(town).provider_id
    _set(town, provider_id=None, status="sending")
    assert town.read_incoming_sms() == 2
    assert {notice.outcome for notice in town.notices()} == {"not ours yet"}
    _set(town, provider_id=named, status="accepted")
    town.pass_time(2)
    assert town.read_incoming_sms() == 2
    assert only(town).status == "delivered"


def test_a_delivery_report_for_an_unknown_message_is_concluded(town: WorkerWorld) -> None:
    town.joins()
    town.deliver()
    town.sandbox.quiet()
    _set(town, provider_id="ATXid_another", status="accepted")
    for _ in range(10):
        town.read_incoming_sms()
        town.pass_time(130)
    assert {(notice.state, notice.outcome) for notice in town.notices()} == {
        ("done", "names no message of ours")
    }


def test_a_queued_message_is_not_sent_after_its_phone_sent_stop(town: WorkerWorld) -> None:
    home = town.joins()
    with db.transaction(db.Role.WORKER, home.account.tenant_id) as session:
        messages.stop(session, home.account.tenant_id, only(town).phone_index)
    town.deliver()
    assert (only(town).status, received(town), [task.state for task in town.tasks("deliver")]) == (
        "stopped",
        0,
        ["done"],
    )


def _set(town: WorkerWorld, **values: Any) -> None:
    message = only(town)
    with db.transaction(db.Role.WORKER, message.tenant_id) as session:
        session.execute(update(Message).where(Message.tenant_id == message.tenant_id).values(**values))
