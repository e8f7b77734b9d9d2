"""Health checks: whether this process is alive and can serve, and how long work has been waiting."""

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
log = logging.getLogger("gateway.hooks.health")

SILENT = "does not answer"
SWEEPS = 4  # by which a running scheduler may be late
# Only messages that may leave now count: reminders have their hours and their pace.
WAITING = {
    "oldest_notice_s": "SELECT extract(epoch FROM :now - min(received_at)) FROM notices WHERE state = 'new'",
    "oldest_message_s": "SELECT extract(epoch FROM :now - min(created_at)) FROM outbox"
    " WHERE state = 'waiting' AND kind IN ('deliver', 'remind') AND due_at <= :now",
}


@bp.get("/live")
def live() -> Response:
    """200 as long as this process answers."""
    return jsonify(status="live")


@bp.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while turns and callbacks can be served, which takes the database only, else 503.

    A silent Redis or scheduler makes the status `degraded`.
    """
    last_sweep = services().doorbell.last_beat()
    report: dict[str, Any] = {
        "redis": redis_state(),
        "scheduler_s": _seconds(last_sweep and (clock.now() - last_sweep).total_seconds()),
    }
    try:
        with db.transaction(db.Role.AUDITOR, within_s=2) as session:
            now = {"now": clock.now()}
            waiting = {name: session.scalar(text(query), now) for name, query in WAITING.items()}
            operators = metrics.of_operators(session)
    except SQLAlchemyError as error:
        log.warning("database: %s", type(error).__name__)
        return jsonify(report | {"status": "down", "database": SILENT}), 503
    last = {name: row["last_callback_s"] for name, row in operators.items() if "last_callback_s" in row}
    report |= {"database": "ok", "last_callback_s": last, "operators": operators}
    report |= {name: _seconds(age) for name, age in waiting.items()}
    late = (report["scheduler_s"] or 0) > SWEEPS * services().settings.sweep_s
    report["status"] = "degraded" if late or report["redis"] != "ok" else "ready"
    return jsonify(report), 200


def redis_state() -> str:
    """`ok`, or what is wrong. A policy other than noeviction would drop jobs silently."""
    try:
        policy = services().redis.info("memory")["maxmemory_policy"]
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)
        return SILENT
    return "ok" if policy == "noeviction" else f"maxmemory-policy is {policy}, it must be noeviction"


def _seconds(age: Any) -> int | None:
    return None if age is None else int(age)
