"""*Indicateurs*: what a regulator reads of the mutuelle and a month, each with formula, numerator and
denominator; also CSV."""

from typing import Any

from flask import Blueprint, Response, abort, request

from gateway.console import indicator_tables, login_session, render
from gateway.services import services
from mutuelle import clock, db
from mutuelle.errors import Malformed
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import indicators
from mutuelle.reports.indicators import Month, Reading
from mutuelle.schemes.versions import months_after

WITHIN_S = 60
MONTHS = 24  # that can be chosen from

bp = Blueprint("indicators", __name__)


@bp.get("/indicateurs")
def page() -> tuple[str, int]:
    """The month asked for; the last one that is over by default."""
    tenant, of, readings = _read()
    facts: dict[str, Any] = {
        "lines": indicator_tables.lines(tenant, readings),
        "of": of,
        "notes": indicator_tables.NOTES,
    }
    facts |= {"months": _months(tenant), "count": indicator_tables.count}
    with login_session.acting() as session:
        return render.page(session, "indicators.html", **facts)


@bp.get("/indicateurs.csv")
def table() -> Response:
    """The same for a spreadsheet."""
    tenant, of, readings = _read()
    written = indicator_tables.as_csv((tenant.code, str(of), one) for one in readings)
    named = {"Content-Disposition": f'attachment; filename="{tenant.code}-{of}.csv"'}
    return Response(written, content_type="text/csv; charset=utf-8", headers=named)


def _read() -> tuple[Tenant, Month, list[Reading]]:
    """As the auditor, who alone may count sessions; only of the mutuelle of the person who asks."""
    with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
        tenant = tenants.get(session, login_session.me().tenant_id)
        today = clock.today(tenant.zone)
        try:
            told = request.args.get("mois")
            of = indicators.month(told, today) if told else indicators.last_over(today)
        except Malformed:
            abort(404)
        target = services().targets.on(tenant.code, of.last)
        return tenant, of, indicators.read(session, tenant, of, target)


def _months(tenant: Tenant) -> list[Month]:
    """The newest first."""
    today = clock.today(tenant.zone)
    first = today.replace(day=1)
    return [indicators.month(f"{months_after(first, -back):%Y-%m}", today) for back in range(MONTHS)]
