"""Reminders from the ring to the phone: at their pace, and only while they are due."""

from datetime import UTC, datetime, timedelta

import pytest

from mutuelle import clock, crypto, db
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from tests.support.people import AWA, IMANA
from workers import deliver, queues, remind, services

JOINED, THIRD = datetime(2026, 11, 22, 10, tzinfo=UTC), datetime(2026, 11, 25, 9, tzinfo=UTC)


def it_is(town, moment):
    """Sets our clock and the sandbox's to this moment."""
    town.pass_time(round((moment - clock.now()).total_seconds()))


def welcomed(town):
    """Sends the welcome messages and reads their delivery reports."""
    town.deliver()
    town.sandbox.quiet()
    town.read_incoming_sms()


@pytest.fixture
def awa(town):
    """Awa's household joined in Senegal three days ago and has paid nothing; it is nine o'clock."""
    it_is(town, JOINED)
    home = town.joins()
    welcomed(town)
    it_is(town, THIRD)
    services.install(town.services)
    return home


def received(town, phone):
    return [
        message["text"] for message in town.sandbox.get(f"/phones/{phone}/sms") if "Stop" in message["text"]
    ]


def statuses(town):
    return [message.status for message in town.messages() if message.kind == MessageKind.REMINDER]


def test_a_ring_brings_the_reminder_to_the_phone_once(town, awa):
    for _ in range(3):
        queues.daily()
        queues.messages()
    (text,) = received(town, AWA)
    assert text == (
        "Mutuelle Diender: Vos droits ne sont pas encore ouverts."
        " Payez 10 500 FCFA: droits du 25/12/2026 au 24/12/2027. Reste 11 500 FCFA. Stop: *384*55*4*4#"
    )
    assert statuses(town) in (["accepted"], ["delivered"])
    (sent,) = [message for message in town.messages() if message.kind == MessageKind.REMINDER]
    assert sent.segments == 1


def test_in_rwanda_reminders_are_ended_by_the_code_the_sms_names(town):
    it_is(town, JOINED)
    home = town.joins("mtn")
    welcomed(town)
    it_is(town, THIRD)
    services.install(town.services)
    queues.daily()
    queues.messages()
    (text,) = received(town, IMANA)
    code = text.rpartition("Stop: ")[2]
    assert code == "*384*56*4*4#"
    screen = town.sandbox.post(f"/phones/{IMANA}/dial", {"code": code})
    assert "Ne plus les recevoir ?" in screen["screen"]
    done = town.sandbox.post(f"/phones/{IMANA}/reply", {"input": "1"})
    assert "plus de rappels" in done["screen"]
    it_is(town, THIRD + timedelta(days=11))
    queues.daily()
    queues.messages()
    assert received(town, home.phone) == [text]
    assert statuses(town)[1:] == ["stopped"]


def queue_only(town):
    while remind.run(town.services):
        pass
    assert statuses(town) == ["queued"]


def test_a_household_that_stopped_or_is_paying_since_queueing_gets_no_reminder(town, awa):
    queue_only(town)
    town.asks(awa, 3_000)
    assert deliver.send_reminders(town.services) == 1
    assert (statuses(town), received(town, AWA)) == (["stopped"], [])


def test_a_stop_that_comes_after_queueing_is_respected(town, awa):
    queue_only(town)
    with db.transaction(db.Role.WORKER, awa.account.tenant_id) as session:
        messages.stop(session, awa.account.tenant_id, crypto.blind_index(AWA))
    assert deliver.send_reminders(town.services) == 1
    assert (statuses(town), received(town, AWA)) == (["stopped"], [])


@pytest.mark.parametrize(
    "later", [THIRD.replace(hour=20, minute=1), THIRD + timedelta(days=1)], ids=["at night", "the day after"]
)
def test_what_could_not_leave_in_its_hours_never_leaves(town, awa, later):
    queue_only(town)
    it_is(town, later)
    assert deliver.send_reminders(town.services) == 1
    assert (statuses(town), received(town, AWA)) == (["stopped"], [])


def test_a_reminder_names_what_is_owed_when_it_is_sent(town, awa):
    """A part is paid between queueing and sending: the SMS names what is left then."""
    queue_only(town)
    payment = town.asks(awa, 3_000)
    town.collect()
    town.answers(awa)
    town.work()
    assert town.status(payment) == "confirmed"
    deliver.send_reminders(town.services)
    assert "Payez 7 500 FCFA" in received(town, AWA)[0]
    assert "Reste 8 500 FCFA" in received(town, AWA)[0]


def test_they_leave_no_faster_than_is_set_and_a_receipt_need_not_wait(town):
    it_is(town, JOINED)
    homes = [town.joins(phone=f"+22177100000{n}") for n in range(10)]
    welcomed(town)
    it_is(town, THIRD)
    while remind.run(town.services):
        pass
    it_is(town, THIRD + timedelta(minutes=10))  # all are overdue: a worker was away
    town.services.settings = town.services.settings.model_copy(update={"sms_per_s": 5})
    assert deliver.send_reminders(town.services) == len(homes)
    sent = sorted(message.sent_at for message in town.messages() if message.kind == MessageKind.REMINDER)
    assert (
        sent[-1] - sent[0]
    ).total_seconds() >= 9 / 5 - 0.3  # the first may have begun late on a busy machine
    assert all((sent[n + 5] - sent[n]).total_seconds() > 0.5 for n in range(5))
