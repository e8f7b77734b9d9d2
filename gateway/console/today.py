"""*Aujourd'hui*: the money of one day, per operator account, and what waits for a person."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway.console import login_session, render
from mutuelle import audit, clock
from mutuelle.reports import daybook

bp = Blueprint("today", __name__)


@bp.get("/")
def page() -> tuple[str, int]:
    """The day asked for, today by default."""
    with login_session.acting() as session:
        tenant = render.mine(session)
        today = clock.today(tenant.zone)
        day = min(_day(request.args.get("jour", "")) or today, today)
        lines = daybook.lines(session, tenant, day)
        facts: dict[str, Any] = {
            "lines": lines,
            "total": daybook.total(lines, tenant.currency),
            "day": day,
            "today": today,
        }
        facts |= {
            "flags": list(daybook.flags(session, tenant.id)),
            "latest": daybook.latest(session, tenant, day),
        }
        return render.page(session, "today.html", **facts)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@bp.post("/signal/<uuid:flag_id>/vu")
def seen(flag_id: UUID) -> Response:
    """A person has looked at it."""
    with login_session.acting() as session:
        flag = daybook.close_flag(session, login_session.me().tenant_id, flag_id) or abort(404)
        audit.record(
            session, flag.tenant_id, login_session.me().actor, "flag-seen", flag.subject, kind=flag.kind
        )
    return redirect(url_for("console.today.page", dit="vu"), 303)
