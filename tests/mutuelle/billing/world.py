"""A household whose bills the tests change."""

from datetime import date, timedelta

from sqlalchemy import select, text

from mutuelle import audit, clock, db, inserts
from mutuelle.audit import Subject
from mutuelle.billing import adjustments
from mutuelle.billing.adjustment_writer import AdjustmentResult
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.contributions.bills import Bill
from mutuelle.cover import cover_books
from mutuelle.enrolment import enrolment
from mutuelle.households import households
from mutuelle.households.evidence import EvidenceKind
from mutuelle.households.households import CategoryClaim
from mutuelle.money import Money
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.schemes.money_rules import CategoryState
from tests.support.people import Place, World

TODAY = clock.today("Africa/Dakar")
PAST = 100  # days ago an EarlierHousehold joined

PARTS = text(
    "SELECT l.payer, sum(l.amount) FROM bill_lines l JOIN bills b ON b.id = l.bill_id"
    " WHERE b.household_id = :home AND b.kind = 'dues' GROUP BY 1"
)


class BilledHousehold:
    """A household whose members and money change; every act is a transaction of its own."""

    phones = iter(f"+22177{n:07d}" for n in range(5000, 6000))

    def __init__(
        self, place: Place, category: str | None = "general", born: tuple[int, ...] = (1985, 1990, 2015)
    ) -> None:
        self.place, self.tenant, self.phone = place, place.tenant_id, next(self.phones)
        self.today = clock.today("Africa/Dakar")
        with db.transaction(db.Role.APP, self.tenant) as session:
            household = enrolment.enrol(
                session,
                self.tenant,
                enrolment.NewHousehold(
                    phone=self.phone,
                    language="fr",
                    category=category,
                    birth_years=born,
                    adults=2,
                    consent="1",
                    channel="ussd",
                    sms=False,
                ),
            )
        self.id, self.number = household.id, household.number

    def pays(self, amount: int) -> str:
        """Returns the operator's transaction."""
        account = self.place.account
        moved = Movement(str(clock.new_id()), Money(amount, account.currency), clock.now(), payer=self.phone)
        with db.transaction(db.Role.WORKER, self.tenant) as session:
            settlement.credit(session, account, moved, "list")
        return moved.transaction

    def adds(self, born: int, after: int = 0) -> AdjustmentResult | None:
        with db.transaction(db.Role.CONSOLE, self.tenant) as session:
            households.add_member(session, self.tenant, self.id, born=born, on=self.today + timedelta(after))
            return adjustments.apply(
                session, self.tenant, self.id, self.today + timedelta(after), AdjustmentReason.HOUSEHOLD
            )

    def loses(self, born: int, after: int = 0) -> AdjustmentResult | None:
        with db.transaction(db.Role.CONSOLE, self.tenant) as session:
            gone = next(
                m for m in households.members_of(session, self.tenant, self.id) if m.birth_year == born
            )
            households.remove_member(session, self.tenant, gone.id, on=self.today + timedelta(after))
            return adjustments.apply(
                session, self.tenant, self.id, self.today + timedelta(after), AdjustmentReason.HOUSEHOLD
            )

    def proves(self) -> AdjustmentResult | None:
        with db.transaction(db.Role.WORKER, self.tenant) as session:
            claim = households.claim_of(session, self.tenant, self.id)
            assert claim is not None
            claim.until = self.today - timedelta(1)
            session.flush()
            proof = {
                "standing": CategoryState.CHECKED,
                "evidence": EvidenceKind.AGENT_VISIT,
                "since": self.today,
                "actor": "agent",
                "at": clock.now(),
            }
            shared = {"tenant_id": self.tenant, "household_id": self.id, "category": claim.category}
            inserts.add(session, CategoryClaim, {**shared, **proof, "id": clock.new_id()})
            facts = {"category": claim.category, "evidence": EvidenceKind.AGENT_VISIT.value}
            subject = audit.about(Subject.HOUSEHOLD, self.id)
            audit.record(session, self.tenant, "agent", "category-checked", subject, **facts)
            return adjustments.apply(session, self.tenant, self.id, self.today, AdjustmentReason.CATEGORY)

    def stands(self) -> cover_books.Position:
        with db.transaction(db.Role.AUDITOR) as session:
            return cover_books.position(session, self.tenant, self.id, self.today)

    def parts(self) -> dict[str, int]:
        """Returns what each payer owes of the dues now."""
        with db.transaction(db.Role.AUDITOR) as session:
            rows = session.execute(PARTS, {"home": self.id})
            return {payer: int(units) for payer, units in rows}

    def bill(self) -> Bill:
        with db.transaction(db.Role.AUDITOR) as session:
            return session.scalars(
                select(Bill).where(Bill.household_id == self.id, Bill.kind == "dues")
            ).one()

    def stored(self) -> list[tuple[str, date]]:
        with db.transaction(db.Role.AUDITOR) as session:
            query = (
                select(cover_books.RightsRow)
                .where(cover_books.RightsRow.household_id == self.id)
                .order_by(cover_books.RightsRow.since)
            )
            return [(row.state, row.since) for row in session.scalars(query)]


class EarlierHousehold(BilledHousehold):
    """A household of Senegal that joined some days ago, under the older version of a rule book."""

    def __init__(self, world: World, pays: int = 0, people: int = 3, days_ago: int = PAST) -> None:
        clock.install(clock.Source(shift_s=-86_400 * days_ago))
        super().__init__(world.senegal, born=(1985, 1990, 2015, 2017, 2019)[:people])
        if pays:
            self.pays(pays)
        clock.install(clock.Source())
        self.today = TODAY

    def sms(self) -> list[tuple[str, int, int]]:
        """Returns kind, amount and rest of each SMS about an adjustment, oldest first."""
        query = (
            "SELECT kind, facts FROM messages"
            " WHERE household_id = %s AND kind LIKE 'adjusted%%' ORDER BY created_at"
        )
        with db.transaction(db.Role.AUDITOR) as session:
            rows = session.connection().exec_driver_sql(query, (self.id,)).all()
        return [(kind, facts["amount"], facts["left"]) for kind, facts in rows]
