"""The acts of one day whose effects the tests of a day compare."""

from sqlalchemy import text

from mutuelle import db
from mutuelle.billing import sponsorships
from mutuelle.cover.cover_books import Position
from mutuelle.enrolment import category_proofs
from mutuelle.households.evidence import Evidence, EvidenceKind
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import Sponsor, SponsorTerms
from tests.mutuelle.billing.world import BilledHousehold

CARD = Evidence(EvidenceKind.DOCUMENT, "BF0042-17")
MESSAGES = text("SELECT kind, facts, status FROM messages WHERE household_id = :home ORDER BY created_at, id")
CODES = (f"aide-{n}" for n in range(1_000))


def proves_indigence(household: BilledHousehold) -> None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        assert category_proofs.check(
            session, household.tenant, household.id, "indigent", CARD, by="manager:1"
        )


def is_refused(household: BilledHousehold) -> None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        assert category_proofs.refuse(
            session, household.tenant, household.id, why="not-found", by="manager:1"
        )


def claims_category(household: BilledHousehold, category: str) -> None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        assert category_proofs.claim(session, household.tenant, household.id, category, by="manager:1")


def sponsor(household: BilledHousehold, percent: int) -> Sponsor:
    terms = SponsorTerms(percent=percent, cap=1_000_000, per_bill=None, since=household.today, until=None)
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        row = sponsors.add(
            session, household.tenant, code=next(CODES), name="ONG", kind="ngo", terms=terms, by="manager:1"
        )
        sponsorships.help_household(session, row, household.id, household.today, "manager:1")
        return row


def no_longer_sponsored(household: BilledHousehold) -> None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        assert sponsorships.end_help(session, household.tenant, household.id, household.today, "manager:1")


def state_of(household: BilledHousehold) -> tuple[Position, dict[str, int], list[object]]:
    """Returns what the household owes, each payer's part of the dues, and its stored rights."""
    parts = {payer: units for payer, units in household.parts().items() if units}
    return household.stands(), parts, list(household.stored())


def waiting_sms(household: BilledHousehold) -> list[tuple[str, int | None]]:
    """Returns kind and amount of each SMS about a change that is still to be sent."""
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.execute(MESSAGES, {"home": household.id}).all()
    return [
        (row.kind, row.facts.get("amount"))
        for row in rows
        if row.status == "queued" and row.kind not in ("receipt", "welcome", "proof")
    ]
