"""Holders: who has proven a category with a number. A registry's number proves one household at a time (I12).

Papers are numbered by many offices, so that a document's number that proves two households is shown to a
person, not refused.
"""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from mutuelle import audit, crypto
from mutuelle.errors import Refused
from mutuelle.households.evidence import NUMBERED_KINDS, Evidence, number_of
from mutuelle.households.households import CategoryClaim

REGISTRY_KINDS = ("registry-number", "list")

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:number, 0))")


def lock(session: Session, tenant_id: UUID, numbers: Iterable[bytes]) -> None:
    """Whoever proves with one of these numbers waits for who does. Households and sponsors come before
    (decision 0015)."""
    for number in sorted(set(numbers)):
        session.execute(_LOCK, {"number": f"{tenant_id}:{number.hex()}"})


def proves_another(
    session: Session, tenant_id: UUID, proof: Evidence, since: date, home_id: UUID | None = None
) -> bool:
    """Whether the number proves a household that is not `home_id`, on `since` or after; locked until the
    transaction ends.

    Refused: "evidence.taken" when it is a registry's, "evidence.number".
    """
    if proof.kind not in NUMBERED_KINDS:
        return False
    number = crypto.number_index(number_of(proof.number or ""))
    lock(session, tenant_id, [number])
    same = (
        CategoryClaim.tenant_id == tenant_id,
        CategoryClaim.reference_index == number,
        CategoryClaim.standing == "checked",
    )
    held = or_(CategoryClaim.until.is_(None), CategoryClaim.until >= since)
    kinds = CategoryClaim.evidence.in_(REGISTRY_KINDS if proof.kind in REGISTRY_KINDS else (proof.kind,))
    other = select(CategoryClaim.id).where(*same, held, kinds)
    if home_id is not None:
        other = other.where(CategoryClaim.household_id != home_id)
    found = session.scalar(other.limit(1)) is not None
    if found and proof.kind in REGISTRY_KINDS:
        raise Refused("evidence.taken")
    return found


def open_case(session: Session, tenant_id: UUID, home_id: UUID) -> None:
    """A person must look: the household was proven by a document whose number proves another one."""
    reason = "the number of its document proves another household"
    audit.open_case(session, tenant_id, "document-twice", f"household:{home_id}", reason)
