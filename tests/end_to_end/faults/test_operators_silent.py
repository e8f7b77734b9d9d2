"""An operator times out, before or after it acts: the payer gets one prompt and pays once."""

import pytest

from tests.end_to_end.faults.world import FaultWorld
from tests.end_to_end.stories.world import until


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_an_operator_that_hangs_up_is_asked_again_under_the_same_reference(ground: FaultWorld, fault: str):
    """Times out first at the request, then, after the money has moved, at every status query."""
    phones = [ground.joins(operator) for operator in ("wave", "mtn")]
    for phone in phones:
        phone.wait_sms("embre", "ember")  # the aggregator would hang up, too
    ground.faults(**{fault: 1})
    requests = [ground.asks(phone) for phone in phones]
    for request in requests:
        until(lambda request=request: ground.status(request) == "unknown", what="not knowing")
    assert ground.drawn(fault) >= 2
    ground.faults()
    for request in requests:
        ground.hurry()
        until(lambda request=request: ground.status(request) == "pending", what="an answer")
        assert len(request.phone.prompts) == 1
    for request in requests:
        if request.operator == "wave":
            request.phone.wait_sms("wave/c/")
    ground.faults(**{fault: 1})
    for request in requests:
        request.phone.answer()
    until(lambda: ground.drawn(fault) >= 2, what="questions that are not answered")
    assert [ground.moved(request.phone) for request in requests] == [1, 1]
    ground.faults()
    for request in requests:
        ground.hurry()
        ground.paid_once(request)
        assert ground.flags(request) == []
