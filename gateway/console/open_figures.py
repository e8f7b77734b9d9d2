"""Open figures: the indicators of every mutuelle for the public, without a login, as HTML, JSON and CSV.

Only full months are published, and only what `disclosure` lets through: no person, household, number or phone
is shown. Reading runs as the auditor, one short transaction for a mutuelle and a month, and Redis keeps the
result for an hour. A process computes one month at a time; meanwhile other requests get 503 with Retry-After.
"""

import json
import logging
import threading
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from gateway.console import indicator_tables
from gateway.console.blueprint import HEADERS
from gateway.console.indicators import requested_month
from gateway.services import services
from mutuelle import db
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import disclosure, indicators
from mutuelle.reports.disclosure import PublicReading
from mutuelle.reports.indicator_list import INDICATORS
from mutuelle.reports.indicators import Month

WITHIN_S = 30
KEEP_S = 3600
AGAIN_S = 20
OLDEST = date(2020, 1, 1)  # before this software existed: bounds the months that can be requested
HEADLINES = ("penetration", "open-share", "renewal", "collection", "match-rate")
NOT_PUBLISHED = (
    "Rien n'est publié ici : vérifiez le mois et la mutuelle.\n"
    "Nothing is published here: check month and mutuelle.\n"
)
BUSY = (
    "Ces chiffres sont en préparation, revenez dans un instant.\n"
    "These figures are being prepared, come back soon.\n"
)
TEXT = "text/plain; charset=utf-8"


class FiguresBusy(Exception):
    """Another request of this process is computing figures."""


bp = Blueprint("open_figures", __name__, template_folder="templates")
log = logging.getLogger("gateway.figures")
_reading = threading.Lock()


@dataclass(frozen=True)
class PublishedMonth:
    """What is published of one mutuelle and month."""

    tenant: Tenant
    month: Month
    values: list[PublicReading]

    def as_json(self) -> dict[str, Any]:
        tenant = {name: getattr(self.tenant, name) for name in ("code", "name", "country", "currency")}
        readings = [{**asdict(reading), "per_mille": reading.per_mille} for reading in self.values]
        return {**tenant, "on": self.month.last.isoformat(), "readings": readings}


@bp.after_request
def add_headers(response: Response) -> Response:
    """Adds the console's security headers. Proxies may keep a successful response."""
    response.headers.update(HEADERS)
    cached = f"public, max-age={KEEP_S}" if response.status_code == 200 else "no-store"
    response.headers["Cache-Control"] = cached
    return response


@bp.get("/figures")
def page() -> str | tuple[str, int]:
    """The headlines of all mutuelles, or every indicator of one (`mutuelle`)."""
    months, missing = _requested_months()
    return render_template(
        "open_figures.html",
        months=months,
        missing=missing,
        lines={entry.tenant.code: indicator_tables.lines(entry.tenant, entry.values) for entry in months},
        headlines=HEADLINES,
        single=bool(request.args.get("mutuelle")),
        notes=indicator_tables.NOTES,
        least=services().settings.small_count,
        count=indicator_tables.count,
    )


@bp.get("/figures.json")
def document() -> Response:
    """For machines."""
    months, missing = _requested_months()
    about = [
        {
            "code": indicator.code,
            "unit": indicator.unit,
            "kind": indicator.kind,
            "name": _translations(indicator.name),
            "formula": _translations(indicator.formula),
        }
        for indicator in INDICATORS
    ]
    return jsonify(
        {
            "month": str(months[0].month) if months else None,
            "small_count": services().settings.small_count,
            "notes": [_translations(note) for note in indicator_tables.NOTES],
            "indicators": about,
            "mutuelles": [entry.as_json() for entry in months],
            "missing": [tenant.code for tenant in missing],
        }
    )


@bp.get("/figures.csv")
def table() -> Response:
    """For spreadsheets."""
    text = indicator_tables.as_csv(
        (entry.tenant.code, str(entry.month), value)
        for entry in _requested_months()[0]
        for value in entry.values
    )
    return Response(text, content_type="text/csv; charset=utf-8")


def _translations(pair: tuple[str, str]) -> dict[str, str]:
    return {"fr": pair[0], "en": pair[1]}


def _requested_months() -> tuple[list[PublishedMonth], list[Tenant]]:
    """Returns the requested month (`mois`, else the last full one) of one mutuelle (`mutuelle`), else of all.

    Also returns those mutuelles whose figures cannot be computed, where others can. 404 when there is none.
    """
    code = request.args.get("mutuelle")
    with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
        mutuelles = tenants.mutuelles(session)
    matches = [tenant for tenant in mutuelles if not code or tenant.code == code]
    if code and not matches:
        abort(404)
    months: list[PublishedMonth] = []
    missing: list[Tenant] = []
    failure: Exception | None = None
    for tenant in matches:
        try:
            months.append(_published_month(tenant, _month(tenant)))
        except (HTTPException, FiguresBusy):
            raise
        except Exception as error:  # of any kind: the other mutuelles publish theirs
            log.exception("figures of a mutuelle: %s", type(error).__name__)
            missing.append(tenant)
            failure = error
            if db.is_lost(error):
                raise
    if failure is not None and not months:
        raise failure
    return months, missing


def _month(tenant: Tenant) -> Month:
    """Returns the requested month; 404 when it is not over or lies before OLDEST."""
    month = requested_month(tenant)
    if not month.over or month.first < OLDEST:
        abort(404)
    return month


def _published_month(tenant: Tenant, month: Month) -> PublishedMonth:
    """Returns the month from the cache, or computes it and caches it. Raises FiguresBusy."""
    least = services().settings.small_count
    target = services().targets.on(tenant.code, month.last)
    key = f"figures-2:{tenant.id}:{month}:{least}:{target}"
    cached = _read_cache(key)
    if cached is not None:
        return PublishedMonth(tenant, month, cached)
    if not _reading.acquire(blocking=False):
        raise FiguresBusy
    try:
        with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
            readings = indicators.read(session, tenant, month, target)
    finally:
        _reading.release()
    values = disclosure.protect(readings, least)
    _write_cache(key, values)
    return PublishedMonth(tenant, month, values)


def _read_cache(key: str) -> list[PublicReading] | None:
    try:
        text = services().redis.get(key)
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)
        return None
    return [PublicReading(**row) for row in json.loads(text)] if isinstance(text, bytes | str) else None


def _write_cache(key: str, values: list[PublicReading]) -> None:
    try:
        services().redis.set(key, json.dumps([asdict(value) for value in values]), ex=KEEP_S)
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)


@bp.errorhandler(HTTPException)
def not_published(error: HTTPException) -> Response:
    """The month is not over, or the mutuelle is unknown."""
    return Response(NOT_PUBLISHED, error.code or 500, content_type=TEXT)


@bp.errorhandler(FiguresBusy)
def busy(_: Exception) -> Response:
    """503: the figures are being computed."""
    return Response(BUSY, 503, content_type=TEXT, headers={"Retry-After": str(AGAIN_S)})


@bp.errorhandler(SQLAlchemyError)
def database_busy(error: SQLAlchemyError) -> Response:
    """503: the database does not answer, or not in time."""
    log.error("database: %s", type(error).__name__)
    return busy(error)
