"""Metrics in Prometheus' text format, for machines on this machine; others are answered as if there were
none."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from ipaddress import IPv6Address, ip_address

from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import SQLAlchemyError

from gateway.hooks import health
from gateway.hooks.replies import plain
from gateway.services import services
from mutuelle import clock, db
from mutuelle.reports import metrics
from mutuelle.reports.metrics import Sample

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
WITHIN_S = 5.0
# A proxy on this machine passes the outside world on: who comes through one is not who scrapes.
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def scrape() -> Response:
    """Every figure; with the database away what can be said without it."""
    if not _invited():
        abort(404)
    lines = [*_process()]
    try:
        with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
            read = [
                line
                for figure, samples in metrics.read(session)
                for line in _family(figure.name, figure.kind, figure.help, samples)
            ]
        lines += [*_single("database_up", "1 while the database answers", 1), *read]
    except SQLAlchemyError:
        lines += _single("database_up", "1 while the database answers", 0)
    return plain("\n".join(lines) + "\n", content_type=FORMAT)


def _invited() -> bool:
    if any(name in request.headers for name in PASSED_ON):
        return False
    try:
        peer = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(peer in network for network in services().settings.metrics_networks)


def _process() -> Iterator[str]:
    """What is known without the database."""
    build = {"version": version("mutuelle-gateway"), "python": platform.python_version()}
    yield from _family("build_info", "gauge", "Which version answers", [Sample(build, 1)])
    redis = health.redis_state()
    yield from _single("redis_up", "1 while Redis answers", redis != health.SILENT)
    yield from _single(
        "redis_keeps_jobs", "1 while Redis answers and its policy is noeviction", redis == "ok"
    )
    swept = services().doorbell.last_beat()
    age = [] if swept is None else [Sample({}, (clock.now() - swept).total_seconds())]
    yield from _family(
        "scheduler_swept_seconds",
        "gauge",
        "Since the scheduler last swept; none when Redis does not know",
        age,
    )


def _single(name: str, told: str, value: float) -> Iterator[str]:
    return _family(name, "gauge", told, [Sample({}, float(value))])


def _family(name: str, kind: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP mutuelle_{name} {told}"
    yield f"# TYPE mutuelle_{name} {kind}"
    for one in samples:
        labels = ",".join(f'{label}="{_quoted(word)}"' for label, word in one.labels.items())
        yield f"mutuelle_{name}{{{labels}}} {one.value!r}" if labels else f"mutuelle_{name} {one.value!r}"


def _quoted(word: str) -> str:
    return word.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
