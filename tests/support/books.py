"""Books in use: the product writes a row of Awa's into every table."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import sql

from menus import idempotent_turn, session_rows
from mutuelle import audit, clock, crypto, db, inbox, inserts
from mutuelle.audit import Subject
from mutuelle.billing import billing_runs
from mutuelle.enrolment import appeals, enrolment, office_list_csv, social_registry
from mutuelle.households import households
from mutuelle.households.members import MemberClass
from mutuelle.inbox import Door, Origin
from mutuelle.messaging import messages, reminder_runs
from mutuelle.money import Money
from mutuelle.organisation import sponsors, tenants
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.payments import list_cursor, payments, payouts, promises, reversals, settlement
from mutuelle.payments.operators import Movement, OutflowDirection, PaymentStatus, Status
from tests.support.people import AWA, BAKARY, World
from tests.support.templates import Database

JOIN = ("3", "1", "1", "2", "1", "858015")  # what Awa types to enrol; then `1` confirms


@dataclass(frozen=True)
class Books:
    """Keys of Awa's rows. T1 and T5 pay her bills, T2 is in suspense, T4 reverses T3, T6 left the wallet."""

    world: World
    household: enrolment.Enrolment
    payment_ref: UUID
    session_id: UUID


def paid(amount: int, transaction: str, **more: Any) -> Movement:
    return Movement(transaction, Money(amount, "XOF"), clock.now(), **more)


def enrol(world: World, phone: str = AWA) -> enrolment.Enrolment:
    tenant_id = world.senegal.tenant_id
    with db.transaction(db.Role.APP, tenant_id) as session:
        return enrolment.enrol(
            session,
            tenant_id,
            enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category="general",
                birth_years=[1985, 1990, 2015],
                adults=2,
                consent="1",
                channel="ussd",
            ),
        )


def fill(world: World) -> Books:
    """Awa joins and pays more than she owes, a stranger pays, a payment is reversed, a notice arrives."""
    account, tenant_id = world.senegal.account, world.senegal.tenant_id
    household = enrol(world)
    with db.transaction(db.Role.APP, tenant_id) as session:
        requested = payments.request(
            session, tenant_id, household.id, amount=2_000, operator="wave", payer=AWA, effect_key="k1"
        )
        promises.make(
            session,
            tenant_id,
            household.id,
            day=promises.months(clock.today("Africa/Dakar"))[0],
            effect_key="k2",
        )
        messages.stop(session, tenant_id, crypto.blind_index(BAKARY))
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        payment = payments.get(session, tenant_id, requested.id, lock=True)
        status = PaymentStatus(
            Status.CONFIRMED, paid(2_000, "T1", payer=AWA, reference=str(payment.ref), fee=20)
        )
        settlement.settle(session, account, payment, status, "poll")
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        settlement.credit(session, account, paid(20_000, "T3", payer=AWA), "list")
        settlement.credit(session, account, paid(500, "T2", payer=BAKARY), "list")
        day = MutuelleDay(tenant_id, "Africa/Dakar", clock.today("Africa/Dakar"))
        reminder_runs.take(session, day)
        billing_runs.take(session, day)
        list_cursor.begin(session, tenant_id, account.id, clock.today("Africa/Dakar"), older_than_s=0)
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        reversals.apply(session, account, paid(20_000, "T4", reverses="T3"))
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        settlement.credit(session, account, paid(10_500, "T5", payer=AWA), "list")
        payouts.settle(session, account, paid(100, "T6", flow=OutflowDirection.OUT))
        inbox.keep(session, Origin(tenant_id, account.id, Door.MOMO, "wave"), body=f"from {AWA}".encode())
    add_proposal_and_ticket(world, household.id)
    add_class_and_sponsor(world, household.id)
    request = idempotent_turn.TurnRequest(world.gateway_id, tenant_id, "ATUid_1", AWA, "")
    response = idempotent_turn.answer(request, None)
    assert response.state is not None
    session_id = response.state.session_id
    with db.transaction(db.Role.APP, tenant_id, gateway=world.gateway_id) as session:
        session_rows.record_effect(session, world.gateway_id, session_id, "some.screen", 0, {"done": True})
    return Books(world, household, payment.ref, session_id)


def add_class_and_sponsor(world: World, household_id: UUID) -> None:
    """Notes a class of Awa's, and adds a sponsor who pays for her household from next year on."""
    tenant_id = world.senegal.tenant_id
    day = clock.today("Africa/Dakar")
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        member_class = {
            "tenant_id": tenant_id,
            "id": clock.new_id(),
            "household_id": household_id,
            "code": "disabled",
            "member_id": households.members_of(session, tenant_id, household_id)[0].id,
            "evidence": "agent-visit",
            "since": day,
            "actor": "manager:1",
            "at": clock.now(),
        }
        # Senegal's rules use no member classes: no page of the console would write this row.
        inserts.add(session, MemberClass, member_class)
        subject = audit.about(Subject.HOUSEHOLD, household_id)
        audit.record(session, tenant_id, "manager:1", "rule-noted", subject, noted=str(member_class["id"]))
        later = sponsors.add(
            session,
            tenant_id,
            code="next-year",
            name="Commune",
            kind="commune",
            terms=SponsorTerms(percent=50, cap=1_000_000, since=day + timedelta(365)),
            by="bakary",
        )
        # It promises nothing yet: the amounts in every test stay.
        sponsors.begin_sponsorship(session, later, household_id, day, "bakary")


def add_proposal_and_ticket(world: World, household_id: UUID) -> None:
    """Loads a registry line that may be Awa's, by her phone, and opens a ticket of hers."""
    tenant_id = world.senegal.tenant_id
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        tenant = tenants.get(session, tenant_id)
        columns = "registry_number;phone;head_name;birth_year;category;valid_until"
        body = f"{columns}\nRNU1;{AWA};Awa Diop;1950;indigent;"
        rows, _ = social_registry.read(
            office_list_csv.read(body.encode(), social_registry.COLUMNS).lines, tenant
        )
        social_registry.load(session, tenant_id, rows, "list:1")
        social_registry.carry_out(session, tenant_id, social_registry.matches(session, tenant), "list:1")
    with db.transaction(db.Role.APP, tenant_id) as session:
        words = {"language": "fr", "channel": "ussd", "text_id": "appeal.payment"}
        appeals.lodge(session, tenant_id, household_id, "payment", phone=AWA, **words)


def tables(database: Database) -> dict[str, list[str]]:
    """Returns the product's tables, each with its columns that are not generated."""
    query = (
        "SELECT c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position)"
        " FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
        " AND c.table_name <> 'alembic_version' AND c.is_generated = 'NEVER' GROUP BY 1"
    )
    with database.superuser() as connection:
        return dict(connection.execute(query).fetchall())  # type: ignore[arg-type]


def contents(database: Database) -> dict[str, list[str]]:
    """Returns every row of every table as text, by table."""
    rows_by_table = {}
    with database.superuser() as connection:
        for name in sorted(tables(database)):
            query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(name))
            rows_by_table[name] = [row[0] for row in connection.execute(query)]
    return rows_by_table
