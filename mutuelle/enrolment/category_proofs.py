"""The category of a household: claimed, checked with evidence, refused, expired.

Rows are never edited: a claim, a check and a refusal are rows of their own, and each ends the row before it
on the day before. A proof counts up to its last day; the household then claims as before. Bills and rights
follow each step at once, by an adjustment as of today. Callers pass the row that their page showed, so that a
double click, an outdated page or a second manager at the same moment changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, inserts
from mutuelle.audit import FlagKind, Subject
from mutuelle.billing import adjustments
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.errors import Refused
from mutuelle.households import household_sms, households, locks, unique_evidence
from mutuelle.households.evidence import Evidence, columns, holds_until
from mutuelle.households.households import CategoryClaim
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import sponsors, tenants
from mutuelle.schemes import schemes
from mutuelle.schemes.money_rules import CategoryState

DAY = timedelta(1)


class NotProven(StrEnum):
    """Why a category is refused."""

    NOT_FOUND = "not-found"
    OVER = "over"
    OTHER_HOUSEHOLD = "other-household"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class CategoryInForce:
    """The category of a household on a day; `checked` if evidence valid on that day proves it.

    `evidence` is the kind of the evidence.
    """

    id: UUID
    category: str
    standing: str
    checked: bool
    since: date
    until: date | None
    evidence: str | None


def in_force(session: Session, tenant_id: UUID, household_id: UUID, on: date) -> CategoryInForce | None:
    """Returns the household's category on the local date `on`; None if it had claimed none by then."""
    query = select(CategoryClaim).where(
        CategoryClaim.tenant_id == tenant_id,
        CategoryClaim.household_id == household_id,
        CategoryClaim.since <= on,
    )
    rows = session.scalars(query.order_by(CategoryClaim.since.desc()))
    row = next((row for row in rows if row.until is None or row.until >= row.since), None)
    if row is None:
        return None
    standing = row.standing_on(on)
    checked = standing == CategoryState.CHECKED
    return CategoryInForce(row.id, row.category, standing, checked, row.since, row.until, row.evidence)


def claim(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    category: str,
    *,
    by: str,
    evidence: Evidence | None = None,
) -> bool:
    """Records the household's claim, with evidence not yet checked. Returns False if nothing is new.

    Refused: "category.proven" while a proof is in force, which a claim would end, "category.unknown",
    "category.elsewhere", "evidence.kind", "evidence.number".
    """
    current = _lock_current(session, tenant_id, household_id, None)
    _rule(session, tenant_id, category)
    values = columns(evidence) if evidence else {}
    today = tenants.today(session, tenant_id)
    if current is not None:
        if current.standing == CategoryState.CHECKED and (current.until is None or current.until >= today):
            raise Refused("category.proven")
        same_claim = (current.category, current.standing) == (category, CategoryState.CLAIMED)
        if same_claim and _has_evidence(current, values):
            return False
    _write(session, current, tenant_id, household_id, category, CategoryState.CLAIMED, by, today, values)
    return True


def check(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    category: str,
    evidence: Evidence,
    *,
    by: str,
    since: date | None = None,
    until: date | None = None,
    expected_row: UUID | None = None,
) -> bool:
    """Records that the evidence proves the category from `since` on. Returns False if nothing is new.

    Without `until` the proof holds as long as the scheme says. `expected_row` is the id of the row that the
    page showed. Refused: "category.changed" if it is no longer the current row, "category.unknown",
    "category.elsewhere", "evidence.kind", "evidence.number", "evidence.since" if `since` lies after today or
    before the current row, "evidence.over" if the proof has ended, "evidence.taken" if it is a registry
    number that proves another household.
    """
    current = _lock_current(session, tenant_id, household_id, expected_row)
    rule, today = _rule(session, tenant_id, category), tenants.today(session, tenant_id)
    values, begins = columns(evidence), since or today
    if current is not None and begins < current.since:
        raise Refused("evidence.since")
    until = holds_until(rule, begins, until, today)
    same = current is not None and (current.category, current.standing) == (category, CategoryState.CHECKED)
    if current is not None and same and _has_evidence(current, values) and _holds_until(current, until):
        return False
    sponsors.lock_of_households(session, tenant_id, [household_id])  # lock order: sponsors before numbers
    is_shared = unique_evidence.proves_another(session, tenant_id, evidence, begins, household_id)
    values["until"] = until
    _write(session, current, tenant_id, household_id, category, CategoryState.CHECKED, by, begins, values)
    if is_shared:
        unique_evidence.open_case(session, tenant_id, household_id)
    _notify(session, tenant_id, household_id, MessageKind.PROOF_ACCEPTED)
    return True


def refuse(
    session: Session,
    tenant_id: UUID,
    household_id: UUID,
    *,
    why: str,
    by: str,
    expected_row: UUID | None = None,
) -> bool:
    """Records that the category is not proven, or no longer. Returns False if it was refused before.

    Refused: "category.changed" if `expected_row` is no longer the current row, "category.none" if the
    household claims none, "category.why" if `why` is not a NotProven.
    """
    current = _lock_current(session, tenant_id, household_id, expected_row)
    if current is None:
        raise Refused("category.none")
    if why not in list(NotProven):
        raise Refused("category.why")
    if current.standing == CategoryState.REFUSED:
        return False
    today = tenants.today(session, tenant_id)
    values, state = {"why": why}, CategoryState.REFUSED
    _write(session, current, tenant_id, household_id, current.category, state, by, today, values)
    _notify(session, tenant_id, household_id, MessageKind.PROOF_REFUSED)
    return True


def expire(session: Session, tenant_id: UUID, row: CategoryClaim) -> bool:
    """Expires a proof: the category returns to *claimed* the day after its last day.

    Returns False if the row is no longer the current one, or its proof has not ended.
    """
    current = _lock_current(session, tenant_id, row.household_id, None)
    if current is None or current.id != row.id:
        return False
    if row.until is None or row.until >= tenants.today(session, tenant_id):
        return False
    values = {name: getattr(row, name) for name in ("evidence", "reference_index", "reference_cipher")}
    household_id, since, state = row.household_id, row.until + DAY, CategoryState.CLAIMED
    _write(session, current, tenant_id, household_id, row.category, state, households.EXPIRY, since, values)
    return True


@contextmanager
def or_open_case(session: Session, tenant_id: UUID, household_id: UUID) -> Iterator[None]:
    """Isolates one household of many: a refusal undoes its changes only and opens a case for staff.

    A failure of another kind is raised, so that the caller tries its rows one by one (`set_aside.in_pages`).
    """
    try:
        with session.begin_nested():
            yield
    except Refused as refused:
        audit.open_case(
            session,
            tenant_id,
            FlagKind.PROOF,
            audit.about(Subject.HOUSEHOLD, household_id),
            f"could not be noted: {refused.key}",
        )


def _lock_current(
    session: Session, tenant_id: UUID, household_id: UUID, expected_row: UUID | None
) -> CategoryClaim | None:
    """Locks the household and returns its current row.

    Refused("category.changed") if it is not `expected_row`.
    """
    locks.lock(session, (tenant_id, household_id))
    current = households.claim_of(session, tenant_id, household_id)
    if expected_row is not None and (current is None or current.id != expected_row):
        raise Refused("category.changed")
    return current


def _notify(session: Session, tenant_id: UUID, household_id: UUID, kind: MessageKind) -> None:
    """Queues an SMS to the household for sending hours, at the pace of reminders: a list proves many at once.

    The text names no category, because phones are shared.
    """
    row = households.claim_of(session, tenant_id, household_id)
    if row is not None:
        household_sms.queue_once(session, (tenant_id, household_id), kind, {}, key=f"{kind}:{row.id}")


def _rule(session: Session, tenant_id: UUID, category: str) -> Any:
    """The scheme's rule of a category today."""
    tenant = tenants.get(session, tenant_id)
    return schemes.get(tenant.scheme).on(tenant.today()).category(category)


def _has_evidence(row: CategoryClaim, values: dict[str, Any]) -> bool:
    """Whether the row holds this evidence already; True if `values` hold no evidence."""
    if not values:
        return True
    return (row.evidence, row.reference_index) == (values["evidence"], values.get("reference_index"))


def _holds_until(row: CategoryClaim, until: date | None) -> bool:
    """Whether the row's proof ends on `until` or a day earlier: the same proof a day later is not new."""
    if row.until is None or until is None:
        return row.until == until
    return row.until <= until <= row.until + DAY


def _write(
    session: Session,
    current: CategoryClaim | None,
    tenant_id: UUID,
    household_id: UUID,
    category: str,
    standing: str,
    by: str,
    since: date,
    values: dict[str, Any],
) -> None:
    """Ends the current row, writes the row that holds from `since`, and adjusts the household's bills.

    An SMS about the current row that has not left is withdrawn.
    """
    messages.withdraw(session, tenant_id, household_id, messages.PROOF_ANSWERS)
    if current is not None and (current.until is None or current.until >= since):
        current.until = since - DAY
        session.flush()
    row = {"tenant_id": tenant_id, "id": clock.new_id(), "household_id": household_id, "category": category}
    row |= {"standing": standing, "since": since, "actor": by, "at": clock.now(), **values}
    inserts.add(session, CategoryClaim, row)
    facts = {name: str(values[name]) for name in ("evidence", "until", "why") if values.get(name)}
    subject = audit.about(Subject.HOUSEHOLD, household_id)
    audit.record(session, tenant_id, by, f"category-{standing}", subject, category=category, **facts)
    adjustments.apply(
        session, tenant_id, household_id, tenants.today(session, tenant_id), AdjustmentReason.CATEGORY
    )
