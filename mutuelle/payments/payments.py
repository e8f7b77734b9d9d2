"""Stores our requests to collect and their life-cycle. Each has our own reference, made before it is sent."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import audit, clock, crypto, inserts, outbox, pipeline
from mutuelle.audit import Subject
from mutuelle.cover import cover_books
from mutuelle.db import Row
from mutuelle.errors import Refused
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging import messages
from mutuelle.messaging.messages import Message, MessageKind
from mutuelle.payments.operators import PaymentStatus, Status
from mutuelle.schemes import schemes

LIVE = (Status.REQUESTED, Status.UNKNOWN, Status.PENDING)
FIRST_EXPIRY = timedelta(hours=1)  # until the operator says when it gives up
LINKS_MAX = 4  # SMS with the link of one payment, the first included: each is billed

MOVES: dict[Status, set[Status]] = {
    Status.REQUESTED: {Status.PENDING, Status.UNKNOWN, Status.CONFIRMED, Status.FAILED, Status.EXPIRED},
    Status.UNKNOWN: {Status.PENDING, Status.CONFIRMED, Status.FAILED, Status.EXPIRED},
    Status.PENDING: {Status.UNKNOWN, Status.CONFIRMED, Status.FAILED, Status.EXPIRED},
    Status.EXPIRED: {Status.CONFIRMED, Status.FAILED},  # an operator may answer after we gave up
    Status.CONFIRMED: {Status.REVERSED},
    Status.FAILED: set(),
    Status.REVERSED: set(),
}


class Payment(Row):
    """One request to collect. `ref` is its key at the operator, `payer_cipher` the phone that pays.

    `unread_proof_at` is when the operator first proved money for it in an answer that we cannot read; NULL
    once we can. Meanwhile the request is not called failed or expired, and the payer is not asked again.
    """

    __tablename__ = "payments"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ref: Mapped[UUID]
    account_id: Mapped[UUID]
    household_id: Mapped[UUID]
    household_tenant_id: Mapped[UUID]
    effect_key: Mapped[str]
    payer_index: Mapped[bytes]
    payer_cipher: Mapped[bytes]
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str | None]
    operator_ref: Mapped[str | None]
    link: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    unread_proof_at: Mapped[datetime | None]

    @property
    def live(self) -> bool:
        return Status(self.status) in LIVE

    @property
    def household(self) -> HouseholdKey:
        return self.household_tenant_id, self.household_id


def request(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    *,
    amount: int,
    operator: str,
    payer: str,
    effect_key: str,
) -> Payment:
    """Writes a request to collect `amount` whole units from `payer`, and the task to send it to the operator.

    Refused: "pay.pending" while another request is under way, "pay.nothing-owed", "pay.too-much" and
    "pay.step" when the scheme does not take this sum, "pay.no-operator" without an account at `operator`.
    """
    values = {"tenant": tenant_id, "home": household_id, "operator": operator}
    books_query = cover_books.statement(tenant_id, household_id)
    rows, books_rows = pipeline.query(session, (_REQUEST_FACTS, values), books_query)
    facts = pipeline.single_row(rows)
    if facts.account is None:
        raise Refused("pay.no-operator", operator=operator)
    if facts.pending is not None:
        raise Refused("pay.pending", amount=facts.pending)
    today = clock.today(facts.zone)
    books = cover_books.read(pipeline.single_row(books_rows))
    owed = cover_books.position_of(books, today).owed
    check_amount(amount, owed, schemes.get(facts.scheme).on(today).step)
    moment = clock.now()
    row = {
        "tenant_id": facts.owner,
        "id": clock.new_id(),
        "ref": clock.new_id(),
        "account_id": facts.account,
        "household_id": household_id,
        "household_tenant_id": tenant_id,
        "effect_key": effect_key,
        "payer_index": crypto.blind_index(payer),
        "payer_cipher": crypto.seal_phone(payer),
        "amount": amount,
        "currency": facts.currency,
        "status": Status.REQUESTED.value,
        "created_at": moment,
        "expires_at": moment + FIRST_EXPIRY,
    }
    payment = Payment(**row)
    inserts.add(session, Payment, row)
    outbox.put(session, payment.tenant_id, outbox.TaskKind.COLLECT, payment.id, lane=operator)
    audit.record(
        session,
        tenant_id,
        "member",
        "pay",
        audit.about(Subject.PAYMENT, payment.ref),
        amount=amount,
        operator=operator,
    )
    return payment


_REQUEST_FACTS = """
SELECT t.scheme, t.zone, o.tenant_id AS owner, o.id AS account, o.currency,
    (SELECT p.amount FROM payments p
        WHERE p.household_tenant_id = %(tenant)s AND p.household_id = %(home)s
        AND p.status IN ('requested', 'unknown', 'pending')) AS pending
FROM tenants t
LEFT JOIN operator_accounts o ON o.tenant_id = t.id AND o.operator = %(operator)s
WHERE t.id = %(tenant)s
ORDER BY o.created_at, o.code LIMIT 1
"""


def check_amount(amount: int, owed: int, step: int) -> None:
    """Refused unless `amount` is a multiple of `step`, or all of `owed`. Amounts are whole units."""
    if owed <= 0:
        raise Refused("pay.nothing-owed")
    if amount > owed:
        raise Refused("pay.too-much", left=owed)
    if amount <= 0 or (amount % step and amount != owed):
        raise Refused("pay.step", step=step)


def live_of(session: Session, tenant_id: UUID, household_id: UUID) -> Payment | None:
    """Returns the household's request that is still under way; there is at most one."""
    of_household = (Payment.household_tenant_id == tenant_id, Payment.household_id == household_id)
    return session.scalar(select(Payment).where(*of_household, Payment.status.in_(LIVE)))


def resend_link(session: Session, tenant_id: UUID, household_id: UUID, *, language: str) -> None:
    """Sends the link of the payment under way once more by SMS, to the phone that asked for it.

    Refused when there is no link any more ("pay.no-link") or it was sent LINKS_MAX times ("pay.links-sent").
    """
    payment = live_of(session, tenant_id, household_id)
    if payment is None or payment.link is None:
        raise Refused("pay.no-link")
    links = (
        Message.tenant_id == tenant_id,
        Message.household_id == household_id,
        Message.kind == MessageKind.LINK,
    )
    same = Message.facts["link"].astext == payment.link
    if (session.scalar(select(func.count()).where(*links, same)) or 0) >= LINKS_MAX:
        raise Refused("pay.links-sent")
    messages.queue(
        session,
        tenant_id,
        phone=crypto.open_phone(payment.payer_cipher),
        household_id=household_id,
        language=language,
        kind=MessageKind.LINK,
        facts={"amount": payment.amount, "link": payment.link},
    )


def get(session: Session, tenant_id: UUID, payment_id: UUID, *, lock: bool = False) -> Payment:
    """Returns one payment by its row id.

    `lock` keeps other transactions from settling it meanwhile, and reads it anew if it was loaded before.
    """
    query = select(Payment).where(Payment.tenant_id == tenant_id, Payment.id == payment_id)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalars(query).one()


def by_ref(session: Session, ref: UUID) -> Payment | None:
    """Returns the payment with our reference, if the transaction may see it."""
    return session.scalar(select(Payment).where(Payment.ref == ref))


def unsettled_refs(session: Session, refs: Collection[UUID]) -> set[str]:
    """Returns those of `refs` that are requests of ours without recorded money."""
    settled = (Status.CONFIRMED, Status.REVERSED)
    query = select(Payment.ref).where(Payment.ref.in_(refs), Payment.status.not_in(settled))
    return {str(ref) for ref in session.scalars(query)}


def transition(payment: Payment, status: Status) -> bool:
    """Moves the payment along MOVES. Returns False, and changes nothing, for a repeat or a stale status.

    ValueError when MOVES contradicts it (a success after a failure): the caller opens a case.
    """
    current = Status(payment.status)
    if status == current or (status not in MOVES[current] and current in _successors(status)):
        return False
    if status not in MOVES[current]:
        raise ValueError(f"{current} cannot become {status}")
    payment.status = status
    if status not in LIVE:
        payment.settled_at = clock.now()
    return True


def _successors(status: Status) -> set[Status]:
    """Returns every status that may still follow `status`."""
    successors: set[Status] = set()
    ahead = [status]
    while ahead:
        more = MOVES[ahead.pop()] - successors
        successors |= more
        ahead += more
    return successors


def record_answer(payment: Payment, answer: PaymentStatus) -> None:
    """Stores the operator's reference, link, reason and expiry of our request, where the answer has them."""
    payment.operator_ref = answer.operator_ref or payment.operator_ref
    payment.link = answer.link or payment.link
    payment.reason = answer.reason or payment.reason
    payment.expires_at = answer.expires or payment.expires_at
