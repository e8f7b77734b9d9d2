"""*Aujourd'hui*: the money of one day, per operator account, and the cases open for staff."""

from datetime import date
from uuid import UUID

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway.console import login_session, render
from mutuelle import audit
from mutuelle.reports import daybook

bp = Blueprint("today", __name__)


@bp.get("/")
def page() -> tuple[str, int]:
    """The requested day (`jour`), today by default."""
    with login_session.transaction() as session:
        tenant = render.tenant(session)
        today = tenant.today()
        number = render.page_number()
        day = min(_day(request.args.get("jour", "")) or today, today)
        lines = daybook.account_days(session, tenant, day)
        return render.page(
            session,
            "today.html",
            lines=lines,
            total=daybook.total(lines, tenant.currency),
            day=day,
            today=today,
            flags=daybook.flags(session, tenant.id, number),
            flag_count=daybook.open_flags(session, tenant.id),
            more=number * daybook.FLAGS_A_PAGE < daybook.open_flags(session, tenant.id),
            number=number,
            latest=daybook.latest_receipts(session, tenant, day),
        )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@bp.post("/signal/<uuid:flag_id>/vu")
def close_flag(flag_id: UUID) -> Response:
    """Closes a case that a manager has looked at."""
    with login_session.transaction() as session:
        manager = login_session.manager()
        flag = daybook.close_flag(session, manager.tenant_id, flag_id) or abort(404)
        audit.record(session, flag.tenant_id, manager.actor, "flag-seen", flag.subject, kind=flag.kind)
    return redirect(url_for("console.today.page", dit="vu"), 303)
