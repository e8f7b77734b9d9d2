"""No phone number stands in the open: not in the database, not in Redis; and a wrong key says so."""

from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy import text

from gateway.doorbell import Doorbell
from gateway.session_cache import RedisBudget, Sessions
from menus import conversation
from menus.conversation import TurnRequest, TurnResponse
from mutuelle import crypto, db
from mutuelle.households import households
from tests.support import books, people
from tests.support.people import AWA, BAKARY, TOKEN, World
from tests.support.templates import Database

CANARY = "+221774561237"


def written(phone: str) -> set[str]:
    """How the number could stand somewhere: whole, without its country, and as the bytes of either."""
    forms = {phone, phone[1:], phone[4:]}
    return forms | {form.encode().hex() for form in forms}


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    yield people.settle_in()
    db.disconnect()


def dump(database: Database) -> str:
    """Every column of every row, as `pg_dump` would write it."""
    return "\n".join(row for rows in books.contents(database).values() for row in rows)


@pytest.mark.every_postgres
def test_no_phone_is_readable_in_the_database(world: World, database: Database) -> None:
    lived = books.live(world)
    told = dump(database)
    assert lived.home.number in told
    assert not [form for phone in (AWA, BAKARY) for form in written(phone) if form in told]
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        assert households.phone_of(session, world.senegal.tenant_id, lived.home.id) == AWA


def dial(world: World, sessions: Sessions, doorbell: Doorbell, foreign_id: str, *typed: str) -> TurnResponse:
    """One session as the web leads it: recall, take, remember, ring."""
    for count in range(len(typed) + 1):
        budget = RedisBudget(db.Deadline(60))
        state = sessions.recall(TOKEN, foreign_id, budget)
        index = crypto.blind_index(CANARY)
        draft = sessions.draft(world.senegal.tenant_id, index, budget) if state is None else None
        hop = TurnRequest(
            world.gateway_id, world.senegal.tenant_id, foreign_id, CANARY, "*".join(typed[:count])
        )
        reply = conversation.answer(hop, state, draft)
        sessions.remember(TOKEN, foreign_id, reply, budget)
        doorbell.ring("money", "messages")
    return reply


def everything_in(redis: Redis) -> str:
    """Every key and value, in whatever type it is kept."""
    return " ".join(f"{key!r} {redis.dump(key)!r} {_plain(redis, key)!r}" for key in redis.scan_iter())


def _plain(redis: Redis, key: bytes) -> object:
    match redis.type(key):
        case b"string":
            return redis.get(key)
        case b"hash":
            return redis.hgetall(key)
        case b"list":
            return redis.lrange(key, 0, -1)
        case b"set":
            return redis.smembers(key)
        case _:
            return None


def test_enrolling_and_paying_leaves_no_number_in_the_cache_the_queues_or_the_database(
    world: World, database: Database, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        sessions, doorbell = Sessions(redis, session_s=300, draft_s=300), Doorbell(redis)
        kept = ""
        for number, typed in enumerate(
            ((*books.JOIN, "1"), ("2", "1"), ("1", "2", "1", "1"), ("2", "1", "1"))
        ):
            dial(world, sessions, doorbell, f"ATUid_{number}", *typed)
            kept += everything_in(redis)
    assert redis_holds(kept)
    told = kept + dump(database)
    with db.transaction(db.Role.AUDITOR) as session:
        assert [
            session.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("households", "payments")
        ] == [1, 1]
    assert not [form for form in written(CANARY) if form in told]


def redis_holds(kept: str) -> bool:
    """Whether sessions, drafts and rings are there at all: an empty Redis proves nothing."""
    return all(word in kept for word in ("ussd:", ":draft:", "rq:queue:money", "rq:queue:messages"))


def test_a_blind_index_is_stable_short_and_needs_the_key() -> None:
    crypto.use("p" * 32, "s" * 32)
    first = crypto.blind_index(AWA)
    assert first.hex() == "1c810f848452e8e8ca1c38b74afbf10b"
    crypto.use("p" * 32, "t" * 32)
    assert crypto.blind_index(AWA) == first
    crypto.use("q" * 32, "s" * 32)
    assert crypto.blind_index(AWA) != first
    assert len({crypto.blind_index(phone) for phone in (AWA, AWA[1:], BAKARY)}) == 3


def test_a_wrong_key_says_so_and_shows_nothing() -> None:
    crypto.use("p" * 32, "s" * 32)
    sealed = {crypto.open_phone: crypto.seal_phone(AWA), crypto.open_words: crypto.seal_words(AWA.encode()),
              crypto.open_credentials: crypto.seal_credentials({"api_key": "k"})}  # fmt: skip
    assert crypto.seal_phone(AWA) != sealed[crypto.open_phone]
    assert crypto.open_phone(sealed[crypto.open_phone]) == AWA
    crypto.use("q" * 32, "t" * 32)
    for opens, words in sealed.items():
        for changed in (words, words[:-1], words[:5], b""):
            with pytest.raises(ValueError, match="cannot decrypt: PHONE_KEY or SECRET_KEY differs") as failed:
                opens(changed)
            assert AWA not in str(failed.value)
