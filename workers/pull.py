"""Pull: read each account's transaction list, today's and yesterday's, with an overlap: what no callback told is found here."""

import logging
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select

from mutuelle import audit, clock, db, payments, pulls, reconcile
from mutuelle.errors import Malformed, Unavailable
from mutuelle.operator import Movement
from mutuelle.tenants import OperatorAccount
from workers.hub import Hub

PAGES = 200  # of one day in one run; the rest waits for the next
log = logging.getLogger("workers.pull")


def run(hub: Hub) -> int:
    """Pull every account whose turn has come; how many were read."""
    with db.transaction(db.Role.WORKER) as session:
        accounts = list(session.scalars(select(OperatorAccount).order_by(OperatorAccount.code)))
    return sum(_pull(hub, account, hub.settings.pull_s) for account in accounts if hub.operator(account).lists)


def account(hub: Hub, tenant_id: UUID, account_id: UUID) -> None:
    """Pull one account now, because it was told that money came. Unavailable when the operator does not answer."""
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        one = session.get_one(OperatorAccount, (tenant_id, account_id))
    if hub.operator(one).lists:
        _read(hub, one, clock.now().date(), 0)


def _pull(hub: Hub, one: OperatorAccount, older_than_s: float) -> int:
    today = clock.now().date()  # an operator's day is assumed to be UTC; with yesterday's, the difference does not matter
    try:
        return max(_read(hub, one, day, older_than_s) for day in (today - timedelta(days=1), today))
    except (Unavailable, Malformed) as error:
        log.warning("the list of %s cannot be read: %s", one.code, type(error).__name__)
        return 0


def _read(hub: Hub, one: OperatorAccount, day: date, older_than_s: float) -> int:
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        ours, cursor = pulls.begin(session, one.tenant_id, one.id, day, older_than_s=older_than_s)
    if not ours:
        return 0
    for _ in range(PAGES):
        page = hub.operator(one).list_movements(day, cursor)
        for moved in page.movements:
            _take_in(one, moved)
        with db.transaction(db.Role.WORKER, one.tenant_id) as session:
            pulls.advance(session, one.tenant_id, one.id, day, began=cursor, cursor=page.cursor)
        cursor = page.cursor
        if not page.more:
            break
    hub.doorbell.ring("messages")
    return 1


def _take_in(one: OperatorAccount, moved: Movement) -> None:
    """One line in its own transaction: a line that contradicts our records is kept aside and holds no other back."""
    with db.transaction(db.Role.WORKER, one.tenant_id) as session:
        if moved.reverses is None:
            payment = payments.by_ref(session, ref) if (ref := _uuid(moved.reference)) else None
            if payment is not None and payment.account_id == one.id:
                payment = payments.get(session, payment.tenant_id, payment.id, lock=True)
            else:
                payment = None
            reconcile.credit(session, one, moved, "list", payment)
            return
        try:
            reconcile.take_back(session, one, moved)
        except LookupError as missing:
            audit.flag(session, one.tenant_id, "reversal", f"transaction:{moved.transaction}", str(missing))


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
