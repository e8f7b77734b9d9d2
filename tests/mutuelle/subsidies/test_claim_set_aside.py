"""A household whose books cannot be read is left out of a claim, with a case; the others are claimed."""

from sqlalchemy import select

from mutuelle.audit import Flag
from mutuelle.subsidies import claim_checks, claim_drafts, claim_store
from mutuelle.subsidies.claim_store import ClaimLeftOut
from tests.mutuelle.subsidies.world import DECEMBER, ClaimsWorld
from tests.support.templates import Database


def test_a_household_that_cannot_be_read_is_left_out_of_a_claim(
    office: ClaimsWorld, module_database: Database
) -> None:
    bad, good = office.joins(), office.joins()
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        was = connection.execute("SELECT max(version) FROM bills WHERE household_id = %s", [bad]).fetchone()
        connection.execute("UPDATE bills SET version = '1999-01-01' WHERE household_id = %s", [bad])
    office.on("2027-01-05")
    with office.console() as session:
        claim = claim_drafts.draft(session, office.bakary, "state", DECEMBER)
    with office.console() as session:
        lines = claim_store.lines(session, claim)
        assert {line.csv_line.line.household_id for line in lines} == {good}
        left_out = session.scalars(select(ClaimLeftOut).where(ClaimLeftOut.household_id == bad)).all()
        assert [(part.reason, part.amount) for part in left_out] == [("unreadable", 10_500)]
        flags = session.scalars(select(Flag).where(Flag.kind == "set-aside")).all()
        assert [(flag.subject, flag.reason) for flag in flags] == [
            (f"household:{bad}", "subsidy claim: Conflict")
        ]
        assert claim_checks.remake(session, claim).differences == []
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE bills SET version = %s WHERE household_id = %s", [was[0], bad])
    office.on("2027-02-02")
    with office.console() as session:
        again = claim_drafts.draft(session, office.bakary, "state", DECEMBER)
        assert {line.csv_line.line.household_id for line in claim_store.lines(session, again)} == {bad}
        flag = session.scalars(select(Flag).where(Flag.kind == "set-aside")).one()
        assert flag.closed_at is not None
