"""Open figures: the indicators of every mutuelle for everybody, without a login; HTML, JSON and CSV.

Only months that are over, and only what `disclosure` lets through: no person, household, number or telephone
stands behind a page of it. Reading is the auditor's, one short transaction for a mutuelle and a month, and
what was read is kept in Redis for an hour. One reading at a time in a process: whoever comes meanwhile is
asked to come back.
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
from gateway.services import services
from mutuelle import clock, db
from mutuelle.errors import Malformed
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import disclosure, indicators
from mutuelle.reports.disclosure import PublicReading
from mutuelle.reports.indicators import INDICATORS, Month

WITHIN_S = 30
KEEP_S = 3600
AGAIN_S = 20
OLDEST = date(2020, 1, 1)  # this software is younger; nobody may ask for months without end
HEADLINES = ("penetration", "open-share", "renewal", "collection", "match-rate")


class FiguresBusy(Exception):
    """Figures are being read in this process at this moment."""


bp = Blueprint("open_figures", __name__, template_folder="templates")
log = logging.getLogger("gateway.figures")
_reading = threading.Lock()


@dataclass(frozen=True)
class PublishedMonth:
    """What is published of one mutuelle and month."""

    tenant: Tenant
    of: Month
    values: list[PublicReading]

    def as_json(self) -> dict[str, Any]:
        place = {name: getattr(self.tenant, name) for name in ("code", "name", "country", "currency")}
        return {**place, "on": self.of.last.isoformat(), "readings": [_row(one) for one in self.values]}


def _row(one: PublicReading) -> dict[str, Any]:
    return {**asdict(one), "per_mille": one.per_mille}


@bp.after_request
def seal(response: Response) -> Response:
    """The headers of the pages; what went well may be kept by whoever passes it on."""
    response.headers.update(HEADERS)
    kept = f"public, max-age={KEEP_S}" if response.status_code == 200 else "no-store"
    response.headers["Cache-Control"] = kept
    return response


@bp.get("/figures")
def page() -> str | tuple[str, int]:
    """All mutuelles with what matters most, or all of one mutuelle."""
    told = _asked()
    facts: dict[str, Any] = {
        "told": told,
        "notes": indicator_tables.NOTES,
        "least": services().settings.small_count,
    }
    facts |= {"lines": {one.tenant.code: indicator_tables.lines(one.tenant, one.values) for one in told}}
    facts |= {
        "headlines": HEADLINES,
        "one": bool(request.args.get("mutuelle")),
        "count": indicator_tables.count,
    }
    return render_template("figures.html", **facts)


@bp.get("/figures.json")
def document() -> Response:
    """For machines."""
    told = _asked()
    about = [
        {
            "code": one.code,
            "unit": one.unit,
            "kind": one.kind,
            "name": _pair(one.name),
            "formula": _pair(one.formula),
        }
        for one in INDICATORS
    ]
    shown: dict[str, Any] = {
        "month": str(told[0].of) if told else None,
        "small_count": services().settings.small_count,
    }
    shown |= {"notes": [_pair(note) for note in indicator_tables.NOTES], "indicators": about}
    return jsonify({**shown, "mutuelles": [one.as_json() for one in told]})


@bp.get("/figures.csv")
def table() -> Response:
    """For spreadsheets."""
    written = indicator_tables.as_csv(
        (one.tenant.code, str(one.of), value) for one in _asked() for value in one.values
    )
    return Response(written, content_type="text/csv; charset=utf-8")


def _pair(told: tuple[str, str]) -> dict[str, str]:
    return {"fr": told[0], "en": told[1]}


def _asked() -> list[PublishedMonth]:
    """What the address asks for: `mois`, else the last one that is over, and `mutuelle`, else all. 404 when
    there is none."""
    code = request.args.get("mutuelle")
    with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
        all_of_them = tenants.mutuelles(session)
    asked = [tenant for tenant in all_of_them if not code or tenant.code == code]
    if code and not asked:
        abort(404)
    return [_told(tenant, _month(tenant)) for tenant in asked]


def _month(tenant: Tenant) -> Month:
    """Of a month that is not over, or before there was a mutuelle at all, nothing is published."""
    today = clock.today(tenant.zone)
    try:
        told = request.args.get("mois")
        of = indicators.month(told, today) if told else indicators.last_over(today)
    except Malformed:
        abort(404)
    if not of.over or of.first < OLDEST:
        abort(404)
    return of


def _told(tenant: Tenant, of: Month) -> PublishedMonth:
    least = services().settings.small_count
    target = services().targets.on(tenant.code, of.last)
    key = f"figures:{tenant.id}:{of}:{least}:{target}"
    kept = _kept(key)
    if kept is not None:
        return PublishedMonth(tenant, of, kept)
    if not _reading.acquire(blocking=False):
        raise FiguresBusy
    try:
        with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
            read = indicators.read(session, tenant, of, target)
    finally:
        _reading.release()
    found = disclosure.protect(read, least)
    _keep(key, found)
    return PublishedMonth(tenant, of, found)


def _kept(key: str) -> list[PublicReading] | None:
    try:
        said = services().redis.get(key)
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)
        return None
    return [PublicReading(**one) for one in json.loads(said)] if isinstance(said, bytes | str) else None


def _keep(key: str, found: list[PublicReading]) -> None:
    try:
        services().redis.set(key, json.dumps([asdict(one) for one in found]), ex=KEEP_S)
    except RedisError as error:
        log.warning("Redis: %s", type(error).__name__)


@bp.errorhandler(HTTPException)
def refused(error: HTTPException) -> Response:
    """A month that is not over, or a mutuelle nobody knows."""
    said = "Rien n'est publié ici : vérifiez le mois et la mutuelle.\nNothing is published here: check month and mutuelle.\n"
    return Response(said, error.code or 500, content_type="text/plain; charset=utf-8")


@bp.errorhandler(FiguresBusy)
def come_back(_: Exception) -> Response:
    """Soon they are there."""
    said = "Ces chiffres sont en préparation, revenez dans un instant.\nThese figures are being prepared, come back soon.\n"
    return Response(
        said, 503, content_type="text/plain; charset=utf-8", headers={"Retry-After": str(AGAIN_S)}
    )


@bp.errorhandler(SQLAlchemyError)
def database_busy(error: SQLAlchemyError) -> Response:
    """The database is away, or has more to do than figures."""
    log.error("database: %s", type(error).__name__)
    return come_back(error)
