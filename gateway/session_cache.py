"""The cache of open USSD sessions: where each stands, and what a dropped one may resume. Losing it costs a
replay."""

import json
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from menus.conversation import SessionState, TurnResponse
from mutuelle.crypto import token_hash
from mutuelle.db import Deadline

log = logging.getLogger("gateway.sessions")
ANSWER_S = 0.2  # what a turn gives Redis


@dataclass(frozen=True)
class CachedSession:
    """What the cache knows of a session: the gateway account and mutuelle it belongs to, and where it
    stands."""

    gateway_id: UUID
    tenant_id: UUID
    cached: SessionState


class RedisBudget:
    """What one turn gives Redis: at most 0.2 s a question, none after its deadline, and none once Redis was
    silent."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline, self._silent = deadline, False

    @property
    def over(self) -> bool:
        return self._silent or not self._deadline.left_s

    def lose(self) -> None:
        """Redis did not answer in time: it is not asked again in this turn."""
        self._silent = True


class Sessions:
    """Open sessions, by path token and the gateway's session id, so that a wrong token finds nothing."""

    def __init__(self, redis: Redis, *, session_s: int, draft_s: int) -> None:
        self._redis, self._session_s, self._draft_s = redis, session_s, draft_s

    def recall(self, token: str, foreign_id: str, patience: RedisBudget) -> CachedSession | None:
        """Where the session stands; None when it is not known or Redis does not answer in time."""
        told = self._get(self._key(token, foreign_id), patience)
        if told is None:
            return None
        try:
            return CachedSession(
                UUID(told["gateway_id"]), UUID(told["tenant_id"]), SessionState.from_json(told["cached"])
            )
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:  # written by another version of ours
            log.warning("cache not understood: %s", type(error).__name__)
            return None

    def draft(self, tenant_id: UUID, phone_index: bytes, patience: RedisBudget) -> dict[str, Any] | None:
        """What an earlier session of this phone was dropped in, with its age."""
        return self._get(f"{tenant_id}:draft:{phone_index.hex()}", patience)

    def remember(
        self,
        token: str,
        foreign_id: str,
        gateway_id: UUID,
        tenant_id: UUID,
        reply: TurnResponse,
        patience: RedisBudget,
    ) -> None:
        """Save where a turn left the session, once its work is committed; a failure only means the turn is
        replayed."""
        if reply.cached is None or patience.over:
            return
        told = {"gateway_id": str(gateway_id), "tenant_id": str(tenant_id), "cached": reply.cached.as_json()}
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.set(self._key(token, foreign_id), json.dumps(told), ex=self._session_s)
                draft_key = f"{tenant_id}:draft:{reply.cached.phone_index}"
                if reply.draft is None:
                    pipe.delete(draft_key)
                else:
                    pipe.set(draft_key, json.dumps(reply.draft), ex=self._draft_s)
                pipe.execute()
        except RedisError as error:
            patience.lose()
            log.warning("session not cached: %s", type(error).__name__)

    @staticmethod
    def _key(token: str, foreign_id: str) -> str:
        return f"ussd:{token_hash(token).hex()}:{foreign_id}"

    def _get(self, key: str, patience: RedisBudget) -> dict[str, Any] | None:
        if patience.over:
            return None
        try:
            found = self._redis.get(key)
        except RedisError as error:
            patience.lose()
            log.warning("cache not read: %s", type(error).__name__)
            return None
        try:
            told = json.loads(found) if isinstance(found, bytes | str) else None
        except ValueError:
            log.warning("cache not understood: no JSON")
            return None
        return told if isinstance(told, dict) else None
