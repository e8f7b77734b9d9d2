"""Caches the states of open USSD sessions and the drafts of dropped ones in Redis; a loss costs a replay."""

import json
import logging
from typing import Any
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from menus.idempotent_turn import SessionState, TurnResponse
from mutuelle.crypto import token_hash
from mutuelle.db import Deadline

log = logging.getLogger("gateway.sessions")
ANSWER_S = 0.2  # how long a turn waits for one answer of Redis


class RedisBudget:
    """The Redis time budget of one turn.

    A command has at most ANSWER_S. The budget is spent at the turn's deadline, and once Redis did not answer.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.deadline, self._failed = deadline, False

    @property
    def is_spent(self) -> bool:
        return self._failed or not self.deadline.left_s

    def spend(self) -> None:
        """Records that Redis did not answer: this turn sends it no other command."""
        self._failed = True


class Sessions:
    """Open sessions by path token and the gateway's session id, so that a wrong token finds nothing."""

    def __init__(self, redis: Redis, *, session_s: int, draft_s: int) -> None:
        self._redis, self._session_s, self._draft_s = redis, session_s, draft_s

    def recall(self, token: str, foreign_id: str, budget: RedisBudget) -> SessionState | None:
        """Returns the state of the session; None when it is not cached or Redis does not answer in time."""
        payload = self._get(self._key(token, foreign_id), budget)
        if payload is None:
            return None
        try:
            return SessionState.from_json(payload)
        # Another version of the product wrote the entry.
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            log.warning("cache not understood: %s", type(error).__name__)
            return None

    def draft(self, tenant_id: UUID, phone_index: bytes, budget: RedisBudget) -> dict[str, Any] | None:
        """Returns the position at which an earlier session of this phone was dropped."""
        return self._get(f"{tenant_id}:draft:{phone_index.hex()}", budget)

    def remember(self, token: str, foreign_id: str, response: TurnResponse, budget: RedisBudget) -> None:
        """Saves the state and the draft after a turn, once its work is committed.

        A failure is logged only: it means that the next turn is replayed.
        """
        state = response.state
        if state is None or budget.is_spent:
            return
        draft_key = f"{state.tenant_id}:draft:{state.phone_index.hex()}"
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.set(self._key(token, foreign_id), json.dumps(state.as_json()), ex=self._session_s)
                if response.draft is None:
                    pipe.delete(draft_key)
                else:
                    pipe.set(draft_key, json.dumps(response.draft), ex=self._draft_s)
                pipe.execute()
        except RedisError as error:
            budget.spend()
            log.warning("session not cached: %s", type(error).__name__)

    @staticmethod
    def _key(token: str, foreign_id: str) -> str:
        return f"ussd:{token_hash(token).hex()}:{foreign_id}"

    def _get(self, key: str, budget: RedisBudget) -> dict[str, Any] | None:
        if budget.is_spent:
            return None
        try:
            entry = self._redis.get(key)
        except RedisError as error:
            budget.spend()
            log.warning("cache not read: %s", type(error).__name__)
            return None
        try:
            payload = json.loads(entry) if isinstance(entry, bytes | str) else None
        except ValueError:
            log.warning("cache not understood: no JSON")
            return None
        return payload if isinstance(payload, dict) else None
