"""The daily job finds the pairs that no name of the day has found."""

from datetime import UTC, datetime

from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.audit import Flag, FlagKind
from mutuelle.households import households
from mutuelle.households.duplicates import DuplicatePair
from workers import queues, services

NINE = datetime(2026, 11, 25, 9, tzinfo=UTC)


def test_the_daily_job_finds_likely_duplicates_once(town):
    town.pass_time(round((NINE - clock.now()).total_seconds()))
    homes = [town.joins(), town.joins(phone="+221770000077")]
    services.install(town.services)
    tenant_id = homes[0].account.tenant_id
    with db.transaction(db.Role.APP, tenant_id) as session:
        for home in homes:
            for place, member in enumerate(households.members_of(session, tenant_id, home.id)):
                member.name, member.provisional = f"Awa {'ABCDEF'[place]}ne", False
    for days in (0, 1):
        town.pass_time(86_400 * days)
        queues.daily()
    with db.transaction(db.Role.AUDITOR) as session:
        pairs = session.scalars(select(DuplicatePair)).all()
        cases = session.scalars(select(Flag.subject).where(Flag.kind == FlagKind.DUPLICATE)).all()
    assert {(pair.household_id, pair.later_household_id) for pair in pairs} == {(homes[0].id, homes[1].id)}
    assert cases == [f"household:{homes[1].id}"]
