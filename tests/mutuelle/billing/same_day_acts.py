"""The acts of one day whose effects the tests of a day compare."""

from datetime import date

from sqlalchemy import text

from mutuelle import db
from mutuelle.billing import sponsorships
from mutuelle.cover import cover_books, household_rights, insured_people, member_rights
from mutuelle.cover.cover_books import Position
from mutuelle.cover.household_rights import RightsState
from mutuelle.enrolment import category_proofs, household_changes
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.households import households
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


def correct_year(household: BilledHousehold, born: int, year: int) -> None:
    """A manager corrects a typing mistake in a year of birth."""
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        members = households.members_of(session, household.tenant, household.id)
        member = next(member for member in members if member.birth_year == born)
        shown = PageSnapshot(len(members), born, next(other.id for other in members if other.kind == "head"))
        household_changes.correct_member(
            session, household.tenant, household.id, member.id, born=str(year), head=False, why="typing",
            shown=shown, by="manager:1",
        )  # fmt: skip


def is_found_to_be(household: BilledHousehold, category: str) -> None:
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        category_proofs.check(session, household.tenant, household.id, category, CARD, by="manager:1")


def states_of_members(household: BilledHousehold, born: int, on: date | None = None) -> list[RightsState]:
    """The states, today or `on` a day, of the members noted with that year now, the oldest first."""
    with db.transaction(db.Role.AUDITOR) as session:
        books = cover_books.load(session, household.tenant, household.id)
        everybody = insured_people.load(session, household.tenant, household.id)
    members = [person for person in everybody if person.born == born and person.until is None]
    lines = (
        member_rights.timeline(books.version_of, books.bills, books.paid, everybody, member)
        for member in sorted(members, key=lambda member: member.since)
    )
    return [household_rights.on(line, on or household.today).state for line in lines]


def state_of_member(household: BilledHousehold, born: int, on: date | None = None) -> RightsState:
    """The state of the newest member of that year."""
    return states_of_members(household, born, on)[-1]
