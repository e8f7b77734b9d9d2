"""Renders the pages: what every page shows, French words for codes, money, local dates and masked phones."""

import hashlib
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from flask import g, render_template, request
from sqlalchemy.orm import Session

from gateway.console import login_session, words
from mutuelle import clock, crypto, phone
from mutuelle.errors import Refused
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount, Tenant
from mutuelle.payments.receipts import Receipt
from mutuelle.reports import daybook
from mutuelle.schemes import schemes

STYLE = (Path(__file__).parent / "style.css").read_bytes()
STYLE_MARK = hashlib.sha256(STYLE).hexdigest()[:12]


def page(session: Session, template: str, *, refusal: Refused | None = None, **facts: Any) -> tuple[str, int]:
    """Renders a page of the manager's mutuelle, with the counters of its menu; 409 with a `refusal`."""
    manager, row = login_session.manager(), tenant(session)
    g.zone = row.zone
    facts |= {"tenant": row, "manager": manager, "open_work": daybook.open_work(session, row.id)}
    facts |= {"notice": words.NOTICES.get(request.args.get("dit", "")), "refusal": refusal}
    return render_template(template, **facts), 409 if refusal else 200


def page_number() -> int:
    """Returns the requested page of a list (`page`), the first by default."""
    return max(1, min(request.args.get("page", 1, type=int), 100_000))


def tenant(session: Session) -> Tenant:
    """Returns the mutuelle of the logged-in manager."""
    return tenants.get(session, login_session.manager().tenant_id)


def today(session: Session) -> date:
    """Returns the local date of the manager's mutuelle."""
    return tenant(session).today()


def operator_account(session: Session, receipt: Receipt) -> OperatorAccount:
    """Returns the operator account that received a receipt."""
    return session.get_one(OperatorAccount, (receipt.tenant_id, receipt.account_id))


def categories(mutuelle: Tenant) -> dict[str, str]:
    """Returns the French name of each category of today's rules."""
    rules = schemes.get(mutuelle.scheme).on(mutuelle.today()).categories
    return {rule.code: rule.label.get("fr") or next(iter(rule.label.values())) for rule in rules}


def money(units: int, currency: str) -> str:
    """`5 000 FCFA`, with no-break spaces."""
    return str(Money(int(units), currency)).replace(" ", "\u00a0")


def local(at: datetime) -> str:
    """`22 nov. 2026, 09:14` in the mutuelle's zone."""
    return format_datetime(at.astimezone(ZoneInfo(g.zone)), "d MMM y, HH:mm", locale="fr")


def local_seconds(at: datetime) -> str:
    """`22 nov. 2026, 09:14:05`."""
    return format_datetime(at.astimezone(ZoneInfo(g.zone)), "d MMM y, HH:mm:ss", locale="fr")


def whole_phone(cipher: bytes) -> str:
    """The whole number, only for the manager who must pay to it by hand."""
    return crypto.open_phone(cipher)


def hour_minute(at: datetime) -> str:
    """`09:14`."""
    return at.astimezone(ZoneInfo(g.zone)).strftime("%H:%M")


def day(on: date) -> str:
    """`dimanche 22 novembre 2026`."""
    return format_date(on, "EEEE d MMMM y", locale="fr")


def short_day(on: date) -> str:
    """`22 novembre 2026`."""
    return format_date(on, "d MMMM y", locale="fr")


def month(first: date) -> str:
    """`novembre 2026`."""
    return format_date(first, "MMMM y", locale="fr")


def masked(cipher: bytes | None) -> str:
    """A phone with its middle hidden."""
    return phone.mask(crypto.open_phone(cipher)) if cipher else "masqué par l'opérateur"


def age(at: datetime) -> str:
    """The time since `at`: `3 jours`, `2 h`, `5 min`."""
    minutes = max(0, int((clock.now() - at).total_seconds()) // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} jours"


def grouped(number: str) -> str:
    """A member number in groups: `123 456 7890`."""
    return f"{number[:3]}\u00a0{number[3:6]}\u00a0{number[6:]}"


FILTERS = {
    "money": money,
    "typed": lambda units, currency: Money(int(units), currency).typed(),
    "local": local,
    "local_seconds": local_seconds,
    "whole_phone": whole_phone,
    "hour_minute": hour_minute,
    "day": day,
    "short_day": short_day,
    "month": month,
    "masked": masked,
    "age": age,
    "grouped": grouped,
    "operator": lambda name: words.OPERATORS.get(name, name.capitalize()),
    "part": lambda kind: words.PARTS.get(kind, kind),
    "status": lambda status: words.STATUSES.get(status, status),
    "right": lambda state: words.RIGHTS.get(state, (state, state))[0],
    "flag": words.flag,
    "word": words.word,
    "address": words.address,
}
