"""A day at Bakary's mutuelle: Awa pays on request, Fatou pays too much, strangers pay; Coumba has her own."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import func, select

from mutuelle import audit, clock, db, inbox
from mutuelle.enrolment import appeals, enrolment, office_list_csv, social_registry
from mutuelle.inbox import Door, Origin
from mutuelle.money import Money
from mutuelle.organisation import logins, tenants
from mutuelle.organisation.logins import Login, Manager
from mutuelle.payments import payments, receipts, settlement
from mutuelle.payments.operators import Movement, PaymentStatus, Status
from mutuelle.payments.receipts import Allocation, Receipt
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import AWA, Place

FATOU, STRANGER, MODOU = "+221770000011", "+221770000099", "+221770000012"
PASSWORD = "correct-horse-battery"


@cache
def password_hash() -> str:
    """Returns one password hash for all tests: hashing is slow on purpose."""
    return logins.hash_password(PASSWORD)


@dataclass
class ConsoleWorld:
    """The mutuelles with their `managers` by login, `households` by name and `receipts` by transaction."""

    world: people.World
    managers: dict[str, Manager] = field(default_factory=dict)
    households: dict[str, enrolment.Enrolment] = field(default_factory=dict)
    receipts: dict[str, UUID] = field(default_factory=dict)
    ref: UUID | None = None

    @property
    def senegal(self) -> Place:
        return self.world.senegal

    def employ(self, login: str, name: str, place: Place) -> None:
        with db.transaction(db.Role.LOGIN) as session:
            row = Login(
                tenant_id=place.tenant_id,
                id=clock.new_id(),
                login=login,
                name=name,
                password=password_hash(),
                active=True,
                created_at=clock.now(),
            )
            session.add(row)
        self.managers[login] = Manager(place.tenant_id, row.id, name)

    def join(
        self, name: str, phone: str, place: Place, category: str | None = "general", people: int = 3
    ) -> None:
        born = [1985, 1990, 2015, 2017, 2019][:people]
        with db.transaction(db.Role.APP, place.tenant_id) as session:
            applicant = enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category=category,
                birth_years=born,
                adults=2,
                consent="1",
                channel="ussd",
            )
            self.households[name] = enrolment.enrol(session, place.tenant_id, applicant)

    def receive(
        self,
        transaction: str,
        amount: int,
        place: Place,
        payer: str | None,
        minutes_ago: int = 10,
        **more: object,
    ) -> UUID:
        """Credits a movement that no request of ours caused. Returns the receipt's id."""
        moved = Movement(
            transaction,
            Money(amount, place.account.currency),
            clock.now() - timedelta(minutes=minutes_ago),
            payer=payer,
            **more,
        )  # type: ignore[arg-type]
        with db.transaction(db.Role.WORKER, place.tenant_id) as session:
            self.receipts[transaction] = settlement.credit(session, place.account, moved, "list").id
        return self.receipts[transaction]

    def awa_pays(self, amount: int = 5_000) -> UUID:
        """Requests a payment of Awa by USSD and settles it with a notice. Returns our reference."""
        tenant_id = self.senegal.tenant_id
        with db.transaction(db.Role.APP, tenant_id) as session:
            request = payments.request(
                session,
                tenant_id,
                self.households["awa"].id,
                amount=amount,
                operator="wave",
                payer=AWA,
                effect_key="awa-1",
            )
            body = (
                b'{"type": "checkout.session.completed", '
                b'"data": {"mobile": "+221770000001", "amount": "5000"}}'
            )
            origin = Origin(tenant_id, self.senegal.account.id, Door.MOMO, "wave")
            inbox.keep(session, origin, body=body, authentic=True, named_ref=request.ref)
        moved = Movement("T_AWA", Money(amount, "XOF"), clock.now(), payer=AWA, reference=str(request.ref))
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            payment = payments.get(session, tenant_id, request.id, lock=True)
            settlement.settle(
                session, self.senegal.account, payment, PaymentStatus(Status.CONFIRMED, moved), "poll"
            )
            self.receipts["T_AWA"] = session.scalars(
                select(Receipt.id).where(Receipt.transaction == "T_AWA")
            ).one()
        self.ref = request.ref
        return request.ref

    def load_list(self, *rows: str, name: str = social_registry.SOCIAL) -> None:
        """Loads a list of the social registry, as the command line does."""
        tenant_id = self.senegal.tenant_id
        body = "\n".join(["registry_number;phone;head_name;birth_year;category;valid_until", *rows])
        with db.transaction(db.Role.WORKER, tenant_id) as session:
            tenant = tenants.get(session, tenant_id)
            read, _ = social_registry.read(
                office_list_csv.read(body.encode(), social_registry.COLUMNS).lines, tenant
            )
            social_registry.load(session, tenant_id, read, "list:1", name)
            social_registry.carry_out(session, tenant_id, social_registry.matches(session, tenant), "list:1")

    def lodge_appeal(self) -> str:
        """Lodges Awa's appeal about a payment by USSD. Returns the ticket's number."""
        with db.transaction(db.Role.APP, self.senegal.tenant_id) as session:
            facts = {"language": "fr", "channel": "ussd", "text_id": "appeal.payment"}
            household_id = self.households["awa"].id
            return appeals.lodge(
                session, self.senegal.tenant_id, household_id, "payment", phone=AWA, **facts
            ).number


def open_world(url: str) -> ConsoleWorld:
    """Creates the people, their managers and some money in the database at `url`."""
    people.connect(url)
    scene = ConsoleWorld(people.settle_in())
    for login, name, place in (("bakary", "Bakary", scene.senegal), ("ndeye", "Ndèye", scene.senegal),
                               ("coumba", "Coumba", scene.world.mali)):  # fmt: skip
        scene.employ(login, name, place)
    scene.join("awa", AWA, scene.senegal)
    scene.join("fatou", FATOU, scene.senegal, people=2)
    scene.join("oumou", people.COUMBA, scene.world.mali, category=None, people=2)
    scene.awa_pays()
    scene.receive("T_FATOU", 20_000, scene.senegal, FATOU)
    scene.receive("T_LOST", 6_500, scene.senegal, STRANGER, minutes_ago=60 * 30)
    scene.receive("T_MALI", 3_000, scene.world.mali, "+22370000099")
    with db.transaction(db.Role.WORKER, scene.senegal.tenant_id) as session:
        audit.open_case(
            session, scene.senegal.tenant_id, "late", f"payment:{scene.ref}", "the money came late"
        )
    return scene


def parts(receipt_id: UUID) -> dict[str, int]:
    """Returns the units of one receipt by part."""
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Allocation.kind, func.sum(Allocation.amount)).where(
            Allocation.receipt_id == receipt_id
        )
        return {kind: int(units) for kind, units in session.execute(query.group_by(Allocation.kind)) if units}


def version(scene: ConsoleWorld, transaction: str) -> int:
    """Returns the number of allocations of a receipt."""
    with db.transaction(db.Role.AUDITOR) as session:
        row = session.scalars(select(Receipt).where(Receipt.id == scene.receipts[transaction])).one()
        return receipts.version(session, row)


def row_counts() -> dict[str, int]:
    """Returns the number of rows of each table that a refusal must not change."""
    tables = (
        "allocations",
        "entries",
        "postings",
        "messages",
        "refunds",
        "audit",
        "flags",
        "rights",
        "categories",
        "members",
        "adjustments",
        "registry_proposals",
        "tickets",
        "bills",
        "bill_lines",
        "sponsors",
        "sponsorships",
        "subsidy_claims",
        "claim_lines",
        "claim_answers",
        "claim_payments",
        "promises",
    )
    with db.transaction(db.Role.AUDITOR) as session:
        return {
            name: session.connection().exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in tables
        }


def verify_books() -> None:
    """Asserts that `mutuelle verify` finds nothing broken."""
    with db.transaction(db.Role.AUDITOR) as session:
        broken = verify.run(session).broken
    assert broken == [], broken
