"""No phone number is stored in clear, in the database or in Redis; a wrong key raises a clear error."""

from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy import text

from gateway.doorbell import Doorbell
from gateway.session_cache import RedisBudget, Sessions
from menus import idempotent_turn
from menus.idempotent_turn import TurnRequest, TurnResponse
from mutuelle import crypto, db
from mutuelle.households import households
from tests.support import books, people
from tests.support.people import AWA, BAKARY, TOKEN, World
from tests.support.templates import Database

CANARY = "+221774561237"


def spellings(phone: str) -> set[str]:
    """Returns the forms a leaked number could have: whole, without its country, and the bytes of either."""
    forms = {phone, phone[1:], phone[4:]}
    return forms | {form.encode().hex() for form in forms}


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    people.connect(database.url)
    yield people.settle_in()
    db.disconnect()


def dump(database: Database) -> str:
    """Returns every column of every row as text, as `pg_dump` would write it."""
    return "\n".join(row for rows in books.contents(database).values() for row in rows)


@pytest.mark.every_postgres
def test_no_phone_is_readable_in_the_database(world: World, database: Database) -> None:
    filled_books = books.fill(world)
    database_text = dump(database)
    assert filled_books.household.number in database_text
    assert not [form for phone in (AWA, BAKARY) for form in spellings(phone) if form in database_text]
    with db.transaction(db.Role.APP, world.senegal.tenant_id) as session:
        assert households.phone_of(session, world.senegal.tenant_id, filled_books.household.id) == AWA


def dial(world: World, sessions: Sessions, doorbell: Doorbell, foreign_id: str, *typed: str) -> TurnResponse:
    """Runs one session as the web does: recall, answer, remember, ring. Returns the last response."""
    for count in range(len(typed) + 1):
        budget = RedisBudget(db.Deadline(60))
        state = sessions.recall(TOKEN, foreign_id, budget)
        index = crypto.blind_index(CANARY)
        draft = sessions.draft(world.senegal.tenant_id, index, budget) if state is None else None
        request = TurnRequest(
            world.gateway_id, world.senegal.tenant_id, foreign_id, CANARY, "*".join(typed[:count])
        )
        response = idempotent_turn.answer(request, state, draft)
        sessions.remember(TOKEN, foreign_id, response, budget)
        doorbell.ring("money", "messages")
    return response


def everything_in(redis: Redis) -> str:
    """Returns every key and value as text, of all types of value."""
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
        redis_text = ""
        for number, typed in enumerate(
            ((*books.JOIN, "1"), ("2", "1"), ("1", "2", "1", "1"), ("2", "1", "1"))
        ):
            dial(world, sessions, doorbell, f"ATUid_{number}", *typed)
            redis_text += everything_in(redis)
    assert redis_holds(redis_text)
    stored_text = redis_text + dump(database)
    with db.transaction(db.Role.AUDITOR) as session:
        assert [
            session.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("households", "payments")
        ] == [1, 1]
    assert not [form for form in spellings(CANARY) if form in stored_text]


def redis_holds(redis_text: str) -> bool:
    """Returns whether sessions, drafts and rings are there: an empty Redis proves nothing."""
    return all(word in redis_text for word in ("ussd:", ":draft:", "rq:queue:money", "rq:queue:messages"))


def test_a_blind_index_is_stable_short_and_needs_the_key() -> None:
    crypto.use("p" * 32, "s" * 32)
    first = crypto.blind_index(AWA)
    assert first.hex() == "1c810f848452e8e8ca1c38b74afbf10b"
    crypto.use("p" * 32, "t" * 32)
    assert crypto.blind_index(AWA) == first
    crypto.use("q" * 32, "s" * 32)
    assert crypto.blind_index(AWA) != first
    assert len({crypto.blind_index(phone) for phone in (AWA, AWA[1:], BAKARY)}) == 3


def test_a_wrong_key_is_reported_and_not_shown() -> None:
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
