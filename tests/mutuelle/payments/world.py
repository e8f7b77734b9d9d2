"""A mutuelle with two managers and Awa, what happens to its money, and what the books say of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from mutuelle import clock, db
from mutuelle.audit import AuditEntry, Flag
from mutuelle.money import Money
from mutuelle.payments import payout_corrections, payouts, receipts, refunds, reversals
from mutuelle.payments.ledger import Posting
from mutuelle.payments.operators import Movement, OutflowDirection
from mutuelle.payments.receipts import Allocation, Receipt
from mutuelle.payments.refunds import Refund
from mutuelle.verification import verify
from tests.gateway.console.world import ConsoleWorld
from tests.support import people
from tests.support.people import AWA
from tests.support.templates import Database


@contextmanager
def opened(database: Database) -> Iterator[ConsoleWorld]:
    people.connect(database.url)
    world = ConsoleWorld(people.settle_in())
    for login in ("bakary", "ndeye"):
        world.employ(login, login, world.senegal)
    world.join("awa", AWA, world.senegal)
    yield world
    db.disconnect()


def comes(world: ConsoleWorld, transaction: str, amount: int, payer: str = AWA, **more: Any) -> UUID:
    return world.receive(transaction, amount, world.senegal, payer, **more)


def reverse(
    world: ConsoleWorld, transaction: str, amount: int, of: str, at: datetime | None = None, **more: Any
) -> bool:
    moved = Movement(transaction, Money(amount, "XOF"), at or clock.now(), reverses=of, **more)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        return reversals.apply(session, world.senegal.account, moved)


def leaves(
    world: ConsoleWorld,
    transaction: str,
    amount: int,
    flow: OutflowDirection = OutflowDirection.OUT,
    **more: Any,
) -> bool:
    moved = Movement(transaction, Money(amount, "XOF"), clock.now(), flow=flow, **more)
    with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
        return payouts.settle(session, world.senegal.account, moved)


def ask(world: ConsoleWorld, receipt_id: UUID, amount: int) -> UUID:
    tenant_id = world.senegal.tenant_id
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        receipt = session.get_one(Receipt, (tenant_id, receipt_id))
        version = receipts.version(session, receipt)
        manager = world.managers["bakary"]
        return refunds.ask(
            session, manager, receipt, amount=amount, reason="asked", expected_version=version
        ).id


def approved(world: ConsoleWorld, receipt_id: UUID, amount: int) -> UUID:
    """A refund that two people decided. Returns its id."""
    refund_id = ask(world, receipt_id, amount)
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        row = session.get_one(Refund, (world.senegal.tenant_id, refund_id))
        refunds.approve(session, world.managers["ndeye"], row)
    return refund_id


def note_paid(world: ConsoleWorld, refund_id: UUID, transaction: str) -> None:
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        row = session.get_one(Refund, (world.senegal.tenant_id, refund_id))
        refunds.mark_paid(session, world.managers["ndeye"], row, transaction)


def correct(world: ConsoleWorld, refund_id: UUID, transaction: str) -> None:
    with db.transaction(db.Role.CONSOLE, world.senegal.tenant_id) as session:
        row = session.get_one(Refund, (world.senegal.tenant_id, refund_id))
        payout_corrections.correct_transaction(session, world.managers["ndeye"], row, transaction)


def refund_of(world: ConsoleWorld, refund_id: UUID) -> Refund:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.get_one(Refund, (world.senegal.tenant_id, refund_id))


def parts() -> dict[str, int]:
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Allocation.kind, func.sum(Allocation.amount)).group_by(Allocation.kind)
        return {kind: int(units) for kind, units in session.execute(query) if units}


def balances() -> dict[str, int]:
    """The balance of each kind of ledger address."""
    with db.transaction(db.Role.AUDITOR) as session:
        units: Counter[str] = Counter()
        for posting in session.scalars(select(Posting)):
            units[posting.source.split(":")[0]] -= posting.amount
            units[posting.target.split(":")[0]] += posting.amount
    return {address: amount for address, amount in units.items() if amount}


def wallet() -> int:
    """Returns the balance of the wallet by the books."""
    return -balances().get("outside", 0)


def cases() -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        return sorted(session.scalars(select(Flag.kind).where(Flag.closed_at.is_(None))))


def acts(action: str) -> list[dict[str, object]]:
    with db.transaction(db.Role.AUDITOR) as session:
        return [
            dict(facts)
            for facts in session.scalars(select(AuditEntry.facts).where(AuditEntry.action == action))
        ]


def check_books() -> None:
    with db.transaction(db.Role.AUDITOR, within_s=100) as session:
        assert verify.run(session).broken == []
