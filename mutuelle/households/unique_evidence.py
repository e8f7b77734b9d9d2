"""Keeps a registry number from proving two households at once (I12).

Documents are numbered by many offices: a document's number that proves two households is not refused, but
opens a case for staff.
"""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from mutuelle import audit, crypto
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Refused
from mutuelle.households.evidence import NUMBERED_KINDS, Evidence, EvidenceKind, number_of
from mutuelle.households.households import CategoryClaim
from mutuelle.schemes.money_rules import CategoryState

REGISTRY_KINDS = (EvidenceKind.REGISTRY_NUMBER, EvidenceKind.LIST)

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:number, 0))")


def lock(session: Session, tenant_id: UUID, numbers: Iterable[bytes]) -> None:
    """Locks these numbers until the transaction ends. Lock households and sponsors before (decision 0015)."""
    for number in sorted(set(numbers)):
        session.execute(_LOCK, {"number": f"{tenant_id}:{number.hex()}"})


def proves_another(
    session: Session, tenant_id: UUID, proof: Evidence, since: date, household_id: UUID | None = None
) -> bool:
    """Whether the number proves a household other than `household_id`, on `since` or after. Locks the number.

    Refused: "evidence.taken" if it does and the number is a registry's, "evidence.number".
    """
    if proof.kind not in NUMBERED_KINDS:
        return False
    number = crypto.number_index(number_of(proof.number or ""))
    lock(session, tenant_id, [number])
    kinds = REGISTRY_KINDS if proof.kind in REGISTRY_KINDS else (proof.kind,)
    query = select(CategoryClaim.id).where(
        CategoryClaim.tenant_id == tenant_id,
        CategoryClaim.reference_index == number,
        CategoryClaim.standing == CategoryState.CHECKED,
        or_(CategoryClaim.until.is_(None), CategoryClaim.until >= since),
        CategoryClaim.evidence.in_(kinds),
    )
    if household_id is not None:
        query = query.where(CategoryClaim.household_id != household_id)
    is_used = session.scalar(query.limit(1)) is not None
    if is_used and proof.kind in REGISTRY_KINDS:
        raise Refused("evidence.taken")
    return is_used


def open_case(session: Session, tenant_id: UUID, household_id: UUID) -> None:
    """Opens a case for staff: the number of the household's document proves another household, too."""
    reason = "the number of its document proves another household"
    audit.open_case(
        session, tenant_id, FlagKind.DOCUMENT_TWICE, audit.about(Subject.HOUSEHOLD, household_id), reason
    )
