"""Health: is this process alive, can it serve, and what is waiting."""

import logging
from typing import Any

from flask import Blueprint, Response, jsonify
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.services import services
from mutuelle import clock, db

bp = Blueprint("health", __name__, url_prefix="/health")
log = logging.getLogger("gateway.health")

WAITING = {
    "oldest_notice_s": "SELECT extract(epoch FROM :now - min(received_at)) FROM notices WHERE state = 'new'",
    "oldest_message_s": "SELECT extract(epoch FROM :now - min(created_at)) FROM outbox"
    " WHERE state = 'waiting' AND kind = 'deliver'",
}
LAST = "SELECT provider, extract(epoch FROM :now - max(received_at)) AS age FROM notices WHERE door = 'momo' GROUP BY provider"


@bp.get("/live")
def live() -> Response:
    """This process answers."""
    return jsonify(status="live")


@bp.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while turns and callbacks can be served: that takes the database. A silent Redis is told, and served without."""
    told: dict[str, Any] = {"redis": _redis()}
    try:
        with db.transaction(db.Role.AUDITOR, within_s=2) as session:
            now = {"now": clock.now()}
            waiting = {name: session.scalar(text(query), now) for name, query in WAITING.items()}
            last = {row.provider: _seconds(row.age) for row in session.execute(text(LAST), now)}
    except SQLAlchemyError as error:
        log.warning("database: %s", type(error).__name__)
        return jsonify(told | {"status": "down", "database": "does not answer"}), 503
    told |= {"database": "ok", "last_callback_s": last} | {name: _seconds(age) for name, age in waiting.items()}
    told["status"] = "ready" if told["redis"] == "ok" else "degraded"
    return jsonify(told), 200


def _redis() -> str:
    """`ok`, or what is wrong: a policy other than noeviction drops jobs silently."""
    try:
        policy = services().redis.info("memory")["maxmemory_policy"]
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)
        return "does not answer"
    return "ok" if policy == "noeviction" else f"maxmemory-policy is {policy}, it must be noeviction"


def _seconds(age: Any) -> int | None:
    return None if age is None else int(age)
