"""Health: is this process alive, can it serve, and what is waiting."""

import logging
from typing import Any

from flask import Blueprint, Response, jsonify
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.services import services
from mutuelle import clock, db
from mutuelle.reports import metrics

bp = Blueprint("health", __name__, url_prefix="/health")
log = logging.getLogger("gateway.health")

SILENT = "does not answer"
SWEEPS = 4  # that a living scheduler may be late by
# A message that may not leave yet does not wait: reminders have their hours and their pace.
WAITING = {
    "oldest_notice_s": "SELECT extract(epoch FROM :now - min(received_at)) FROM notices WHERE state = 'new'",
    "oldest_message_s": "SELECT extract(epoch FROM :now - min(created_at)) FROM outbox"
    " WHERE state = 'waiting' AND kind IN ('deliver', 'remind') AND due_at <= :now",
}


@bp.get("/live")
def live() -> Response:
    """This process answers."""
    return jsonify(status="live")


@bp.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while turns and callbacks can be served: that takes the database. A silent Redis or scheduler is
    told, and served without."""
    swept = services().doorbell.last_beat()
    told: dict[str, Any] = {
        "redis": redis_state(),
        "scheduler_s": _seconds(swept and (clock.now() - swept).total_seconds()),
    }
    try:
        with db.transaction(db.Role.AUDITOR, within_s=2) as session:
            now = {"now": clock.now()}
            waiting = {name: session.scalar(text(query), now) for name, query in WAITING.items()}
            operators = metrics.of_operators(session)
    except SQLAlchemyError as error:
        log.warning("database: %s", type(error).__name__)
        return jsonify(told | {"status": "down", "database": SILENT}), 503
    last = {name: one["last_callback_s"] for name, one in operators.items() if "last_callback_s" in one}
    told |= {"database": "ok", "last_callback_s": last, "operators": operators}
    told |= {name: _seconds(age) for name, age in waiting.items()}
    late = (told["scheduler_s"] or 0) > SWEEPS * services().settings.sweep_s
    told["status"] = "degraded" if late or told["redis"] != "ok" else "ready"
    return jsonify(told), 200


def redis_state() -> str:
    """`ok`, or what is wrong: a policy other than noeviction drops jobs silently."""
    try:
        policy = services().redis.info("memory")["maxmemory_policy"]
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)
        return SILENT
    return "ok" if policy == "noeviction" else f"maxmemory-policy is {policy}, it must be noeviction"


def _seconds(age: Any) -> int | None:
    return None if age is None else int(age)
