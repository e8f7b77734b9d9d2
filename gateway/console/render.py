"""How a page is shown: layout facts, French words for codes, money, local dates and masked phones."""

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


def page(session: Session, template: str, *, why: Refused | None = None, **facts: Any) -> tuple[str, int]:
    """A page of the logged-in person's mutuelle, with the counters of its menu; 409 when it says `why` an act
    was refused."""
    tenant = tenants.get(session, login_session.me().tenant_id)
    g.zone = tenant.zone
    facts |= {"tenant": tenant, "me": login_session.me(), "waiting": daybook.waiting(session, tenant.id)}
    facts |= {"told": words.TOLD.get(request.args.get("dit", "")), "why": why}
    return render_template(template, **facts), 409 if why else 200


def place() -> int:
    """Which page of a list is asked for, the first by default."""
    return max(1, min(request.args.get("page", 1, type=int), 100_000))


def today(session: Session) -> date:
    """The local date of the person's mutuelle."""
    return clock.today(mine(session).zone)


def owner(session: Session, receipt: Receipt) -> OperatorAccount:
    """The operator account a receipt came in by."""
    return session.get_one(OperatorAccount, (receipt.tenant_id, receipt.account_id))


def mine(session: Session) -> Tenant:
    """The mutuelle of the person acting."""
    return tenants.get(session, login_session.me().tenant_id)


def categories(tenant: Tenant) -> dict[str, str]:
    """What each category of today's rules is called, in French."""
    rules = schemes.get(tenant.scheme).on(clock.today(tenant.zone)).categories
    return {rule.code: rule.label.get("fr") or next(iter(rule.label.values())) for rule in rules}


def money(units: int, currency: str) -> str:
    """`5 000 FCFA`, never broken over two lines."""
    return str(Money(int(units), currency)).replace(" ", "\u00a0")


def local(at: datetime, zone: str | None = None) -> str:
    """`22 nov. 2026, 09:14` in the mutuelle's zone."""
    return format_datetime(at.astimezone(ZoneInfo(zone or g.zone)), "d MMM y, HH:mm", locale="fr")


def local_s(at: datetime) -> str:
    """The same with seconds."""
    return format_datetime(at.astimezone(ZoneInfo(g.zone)), "d MMM y, HH:mm:ss", locale="fr")


def whole_phone(cipher: bytes) -> str:
    """The whole number, only for who must pay to it by hand."""
    return crypto.open_phone(cipher)


def clock_of(at: datetime) -> str:
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
    """A phone of which the middle is hidden."""
    return phone.mask(crypto.open_phone(cipher)) if cipher else "masqué par l'opérateur"


def age(at: datetime) -> str:
    """`3 jours`, `2 h`, `5 min`: how long ago."""
    minutes = max(0, int((clock.now() - at).total_seconds()) // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} jours"


def grouped(number: str) -> str:
    """A member number as it is read: `123 456 7890`."""
    return f"{number[:3]}\u00a0{number[3:6]}\u00a0{number[6:]}"


FILTERS = {
    "money": money,
    "typed": lambda units, currency: Money(int(units), currency).typed(),
    "local": local,
    "local_s": local_s,
    "whole_phone": whole_phone,
    "clock": clock_of,
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
