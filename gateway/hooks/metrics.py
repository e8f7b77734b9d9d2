"""Serves the metrics in Prometheus' text format to the networks of METRICS_FROM; other clients get a 404."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from ipaddress import IPv6Address, ip_address

from flask import Blueprint, Response, abort, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as MetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from gateway.hooks import health
from gateway.hooks.replies import plain
from gateway.services import services
from mutuelle import clock, db
from mutuelle.reports import metrics
from mutuelle.reports.metrics import Metric, Sample

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
WITHIN_S = 5.0
# A proxy on this machine forwards requests from outside: these headers show that the peer is not the scraper.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
DATABASE_UP = "1 while the database answers"

bp = Blueprint("metrics", __name__)


class _Scrape(Collector):
    """Computes all metrics anew at each scrape; without the database, only those that need none."""

    def collect(self) -> Iterator[MetricFamily]:
        yield from _process()
        try:
            with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
                families = [_family(metric, samples) for metric, samples in metrics.read(session)]
        except SQLAlchemyError:
            yield _single("database_up", DATABASE_UP, 0)
        else:
            yield _single("database_up", DATABASE_UP, 1)
            yield from families


REGISTRY = CollectorRegistry()  # of our own: the library's also reports on this process and on Python
REGISTRY.register(_Scrape())


@bp.get("/metrics")
def scrape() -> Response:
    """Returns all metrics, or those that need no database while it is away."""
    if not _is_allowed():
        abort(404)
    return plain(generate_latest(REGISTRY).decode(), content_type=FORMAT)


def _is_allowed() -> bool:
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        peer = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(peer in network for network in services().settings.metrics_networks)


def _process() -> Iterator[MetricFamily]:
    """The metrics that need no database."""
    build = {"version": version("mutuelle-gateway"), "python": platform.python_version()}
    yield _gauge("build_info", "Which version answers", [Sample(build, 1)])
    redis = health.redis_state()
    yield _single("redis_up", "1 while Redis answers", redis != health.SILENT)
    yield _single("redis_keeps_jobs", "1 while Redis answers and its policy is noeviction", redis == "ok")
    swept = services().doorbell.last_beat()
    age = [] if swept is None else [Sample({}, (clock.now() - swept).total_seconds())]
    help_text = "Since the scheduler last swept; none when Redis does not know"
    yield _gauge("scheduler_swept_seconds", help_text, age)


def _single(name: str, help_text: str, value: float) -> MetricFamily:
    return _gauge(name, help_text, [Sample({}, value)])


def _gauge(name: str, help_text: str, samples: Iterable[Sample]) -> MetricFamily:
    return _fill(GaugeMetricFamily(f"mutuelle_{name}", help_text), f"mutuelle_{name}", samples)


def _family(metric: Metric, samples: Iterable[Sample]) -> MetricFamily:
    if metric.kind == "counter":
        name = f"mutuelle_{metric.name}"
        return _fill(CounterMetricFamily(name, metric.help), name, samples)
    return _gauge(metric.name, metric.help, samples)


def _fill(family: MetricFamily, name: str, samples: Iterable[Sample]) -> MetricFamily:
    for sample in samples:
        family.add_sample(name, sample.labels, float(sample.value))
    return family
