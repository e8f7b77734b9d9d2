"""Every act on a household, its bills and its money leaves one line in the audit trail, with who did it."""

from sqlalchemy import select

from mutuelle import db
from mutuelle.audit import AuditEntry
from mutuelle.enrolment import appeals, household_changes
from mutuelle.households import households
from mutuelle.payments import payments, promises
from tests.mutuelle.billing import days
from tests.mutuelle.billing.same_day_acts import no_longer_sponsored, proves_indigence, sponsor
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World

BY = "manager:1"


def trail(household: BilledHousehold) -> list[tuple[str, str]]:
    """Returns actor and action of each line about the household, in its order."""
    query = (
        select(AuditEntry).where(AuditEntry.subject == f"household:{household.id}").order_by(AuditEntry.at)
    )
    with db.transaction(db.Role.AUDITOR) as session:
        return [(entry.actor, entry.action) for entry in session.scalars(query)]


def adjusted_bills(household: BilledHousehold) -> list[dict[str, object]]:
    """Returns the facts of each adjustment in the trail but its ids, in its order."""
    of_household = (AuditEntry.subject == f"household:{household.id}", AuditEntry.action == "adjusted")
    with db.transaction(db.Role.AUDITOR) as session:
        entries = session.scalars(select(AuditEntry).where(*of_household).order_by(AuditEntry.at)).all()
    return [{k: v for k, v in e.facts.items() if k not in ("bill", "adjustment")} for e in entries]


def test_every_act_of_staff_and_member_on_a_household_stands_in_the_trail(day_world: World) -> None:
    household = BilledHousehold(day_world.senegal)
    key = (household.tenant, household.id)
    with db.transaction(db.Role.APP, household.tenant) as session:
        households.set_language(session, *key, "en")
        promises.make(session, *key, day=promises.months(household.today)[0], effect_key="promise")
        words = {"language": "fr", "channel": "ussd", "text_id": "appeal.payment"}
        appeals.lodge(session, *key, "payment", phone=household.phone, **words)
    days.later(household, 1)
    household.adds(2020)
    days.later(household, 2)
    sponsor(household, 50)
    no_longer_sponsored(household)
    days.later(household, 3)
    with db.transaction(db.Role.CONSOLE, household.tenant) as session:
        child = next(m for m in households.members_of(session, *key) if m.birth_year == 2015)
        for student in (True, True, False):  # the second one changes nothing, and leaves no line
            household_changes.set_student(session, *key, child.id, student=student, expected_count=4, by=BY)
        household_changes.recalculate(session, *key, why="typing", expected_count=4, by=BY)
    household.loses(2020)
    proves_indigence(household)
    assert trail(household) == [
        ("ussd", "enrol"),
        ("member", "language"),
        ("member", "promise"),
        ("ussd", "appeal-opened"),
        ("agent", "member-added"),
        ("rules", "adjusted"),
        (BY, "sponsored"),
        ("rules", "adjusted"),
        (BY, "sponsor-ended"),
        ("rules", "adjusted"),
        (BY, "member-studies"),
        (BY, "member-studies-no-more"),
        (BY, "bill-recalculated"),
        ("agent", "member-left"),
        ("rules", "adjusted"),
        (BY, "category-checked"),
        ("rules", "adjusted"),
    ]
    assert adjusted_bills(household) == [
        {"on": "2026-11-23", "reason": "household", "member": 3_500, "state": 3_500},
        {"on": "2026-11-24", "reason": "sponsor", "member": -7_000, "sponsor": 7_000},
        {"on": "2026-11-24", "reason": "sponsor", "member": 7_000, "sponsor": -7_000},
        {"on": "2026-11-25", "reason": "household", "member": -3_500, "state": -3_500},
        {"on": "2026-11-25", "reason": "category", "member": -10_500, "state": 10_500},
    ]
    with db.transaction(db.Role.APP, household.tenant) as session:
        wish = {"amount": 500, "operator": "wave"}
        payment = payments.request(session, *key, **wish, payer=household.phone, effect_key="pay")
    query = select(AuditEntry).where(AuditEntry.subject == f"payment:{payment.ref}")
    with db.transaction(db.Role.AUDITOR) as session:
        assert [(e.actor, e.action, e.facts) for e in session.scalars(query)] == [("member", "pay", wish)]
