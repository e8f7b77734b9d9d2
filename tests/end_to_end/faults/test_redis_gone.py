"""Redis is emptied, is down, is full. It is only a doorbell: what it loses, the next sweep finds.

Here the sweep comes every second; `make chaos` takes Redis away for two minutes under the real one.
"""

import redis

from tests.end_to_end.faults.world import FaultWorld
from tests.end_to_end.stories.world import until


def test_redis_emptied_at_every_step_costs_a_sweep(ground: FaultWorld):
    requests = []
    for operator in ("wave", "mtn"):
        phone = ground.joins(operator)
        ground.wipe_cache()
        requests.append(ground.asks(phone))
        ground.wipe_cache()
    for request in requests:
        request.phone.answer()
        ground.wipe_cache()
    for request in requests:
        ground.paid_once(request)


def test_redis_down_between_the_request_and_its_receipt_loses_no_callback(ground: FaultWorld):
    requests = [ground.request(operator) for operator in ("wave", "mtn")]
    for request in requests:
        until(lambda request=request: request.phone.prompts, what="a prompt")
    ground.stage.stop("redis")
    late = [ground.request(operator) for operator in ("wave", "mtn")]
    for request in requests:
        request.phone.answer()
        until(lambda request=request: ground.notices(request), what="a callback that is kept")
    assert [ground.status(request) for request in (*requests, *late)] == ["pending"] * 2 + ["requested"] * 2
    ground.stage.start("redis")
    for request in requests:
        ground.paid_once(request)
    for request in late:
        ground.settles(request)
    assert ground.stage.fallen() == []


def test_a_full_redis_takes_no_ring_and_loses_no_money(ground: FaultWorld):
    request = ground.request("wave")
    until(lambda: request.phone.prompts, what="a link")
    with redis.Redis.from_url(ground.stage.redis.url) as client:
        client.config_set("maxmemory", "1")
        late = ground.request("mtn")
        request.phone.answer()
        until(lambda: ground.notices(request), what="a callback that is kept")
        assert int(client.info("errorstats")["errorstat_OOM"]["count"]) > 0
        client.config_set("maxmemory", "0")
    ground.paid_once(request)
    ground.settles(late)
    assert ground.stage.fallen() == []
