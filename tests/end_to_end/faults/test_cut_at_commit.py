"""The connection is cut before or after PostgreSQL commits: a repeat finds out what was done."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mutuelle import crypto
from tests.end_to_end.faults.world import MESSAGES, MONEY, FaultWorld
from tests.end_to_end.stories.world import SENEGAL, until

each_moment = pytest.mark.parametrize("moment", ["before", "after"])


@each_moment
def test_a_phone_never_shows_that_nothing_was_done_and_requests_once(ground: FaultWorld, moment: str):
    phone = ground.joins()
    session = f"ATUid_cut_{moment}"
    for text in ("", "2", "2*1"):
        ground.turn(phone.number, session, text)
    trap = ground.trap(["web"], after=['"payments"'], moment=moment)
    with ThreadPoolExecutor(1) as threads:
        response = threads.submit(ground.turn, phone.number, session, "2*1*1")
        trap.wait(10)
        trap.cut()
    assert response.result().status_code == 200
    assert "vérifi" in response.result().text or "lien Wave" in response.result().text, response.result().text
    assert "lien Wave" in ground.turn(phone.number, session, "2*1*1").text
    payments = ground.sql(
        "SELECT ref::text FROM payments WHERE payer_index = %s", crypto.blind_index(phone.number)
    )
    assert len(payments) == 1
    until(lambda: phone.prompts, what="a link")
    phone.answer()
    phone.wait_sms("réf")
    assert ground.moved(phone) == 1


@each_moment
def test_wave_sends_a_callback_again_when_its_storing_is_unconfirmed(ground: FaultWorld, moment: str):
    request = ground.request("wave")
    until(lambda: request.phone.prompts, what="a link")
    trap = ground.trap(["web"], after=["INSERT INTO notices", "momo"], moment=moment)
    request.phone.answer()
    trap.wait(10)
    trap.cut()
    ground.paid_once(request)
    until(
        lambda: [notice.times for notice in ground.notices(request)] == [1 if moment == "before" else 2],
        what="the second one",
    )


@each_moment
def test_mtn_does_not_send_it_again_and_the_poll_finds_the_money(ground: FaultWorld, moment: str):
    request = ground.request("mtn")
    until(lambda: request.phone.prompts, what="a prompt")
    trap = ground.trap(["web"], after=["INSERT INTO notices", "momo"], moment=moment)
    request.phone.answer()
    trap.wait(10)
    trap.cut()
    ground.paid_once(request, hurried=True)
    assert len(ground.notices(request)) == (0 if moment == "before" else 1)


@each_moment
@pytest.mark.parametrize("operator", ["wave", "mtn"])
def test_a_worker_whose_settlement_is_cut_credits_it_once(ground: FaultWorld, operator: str, moment: str):
    request = ground.request(operator)
    until(lambda: ground.status(request) == "pending", what="pending")
    trap = ground.trap(MONEY, after=['"postings"'], moment=moment)
    request.phone.answer()
    trap.wait(10)
    trap.cut()
    ground.paid_once(request, hurried=True)


@each_moment
def test_a_message_whose_leaving_cannot_be_written_down_is_sent_once(ground: FaultWorld, moment: str):
    trap = ground.trap(MESSAGES, after=["UPDATE messages SET", "segments"], moment=moment)
    phone = ground.phone(SENEGAL)
    phone.dial("3*1*1*2*1*808512")
    phone.type("1")
    trap.wait(10)
    trap.cut()
    until(lambda: ground.hurry() or not ground.waiting(), what="an end of the message")
    assert len(phone.sms) == (1 if moment == "before" else 0), (
        "staff decide whether to send again what may have left"
    )
