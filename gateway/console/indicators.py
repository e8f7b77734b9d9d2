"""*Indicateurs*: what a regulator reads of the mutuelle and a month, with formulas and as CSV."""

from flask import Blueprint, Response, abort, request

from gateway.console import indicator_tables, login_session, render
from gateway.services import services
from mutuelle import db
from mutuelle.errors import Malformed
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import indicators
from mutuelle.reports.indicators import Month, Reading
from mutuelle.schemes.version_rules import months_after

WITHIN_S = 60
MONTHS = 24  # that can be chosen from

bp = Blueprint("indicators", __name__)


@bp.get("/indicateurs")
def page() -> tuple[str, int]:
    """The requested month (`mois`), the last full one by default."""
    tenant, month, readings = _read()
    with login_session.transaction() as session:
        return render.page(
            session,
            "indicators.html",
            lines=indicator_tables.lines(tenant, readings),
            selected=month,
            notes=indicator_tables.NOTES,
            months=_months(tenant),
            count=indicator_tables.count,
        )


@bp.get("/indicateurs.csv")
def table() -> Response:
    """The same as CSV, for a spreadsheet."""
    tenant, month, readings = _read()
    text = indicator_tables.as_csv((tenant.code, str(month), reading) for reading in readings)
    headers = {"Content-Disposition": f'attachment; filename="{tenant.code}-{month}.csv"'}
    return Response(text, content_type="text/csv; charset=utf-8", headers=headers)


def _read() -> tuple[Tenant, Month, list[Reading]]:
    """Reads the indicators of the manager's mutuelle as the auditor: no other role may count sessions."""
    with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
        tenant = tenants.get(session, login_session.manager().tenant_id)
        month = requested_month(tenant)
        target = services().targets.on(tenant.code, month.last)
        return tenant, month, indicators.read(session, tenant, month, target)


def requested_month(tenant: Tenant) -> Month:
    """Returns the month of the address (`mois`), the last full one by default; 404 when it is no month."""
    today, text = tenant.today(), request.args.get("mois")
    try:
        return indicators.month(text, today) if text else indicators.last_over(today)
    except Malformed:
        abort(404)


def _months(tenant: Tenant) -> list[Month]:
    """The months to choose from, newest first."""
    today = tenant.today()
    first = today.replace(day=1)
    return [indicators.month(f"{months_after(first, -back):%Y-%m}", today) for back in range(MONTHS)]
