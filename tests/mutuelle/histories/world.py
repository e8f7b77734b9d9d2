"""A mutuelle of the real product in which a history happens, one act a transaction."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mutuelle import clock, db
from mutuelle.billing import billing_runs, rule_changes, sponsorships
from mutuelle.cover import cover_books, explain_facts, household_rights, member_rights
from mutuelle.cover.household_rights import Interval
from mutuelle.enrolment import category_proofs, enrolment, household_changes
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.households.households import Member
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.organisation.logins import Login, Manager
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.payments import receipts, refunds, reversals, settlement
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import Receipt
from mutuelle.subsidies import claim_drafts, claim_steps, claim_store
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.subsidies.claim_store import Claim
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import Place
from workers import bill, expire_proofs

PARTS = text("""
SELECT b.kind, b.issued, l.payer, sum(l.amount) AS units FROM bill_lines l
JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
WHERE b.household_id = :home GROUP BY 1, 2, 3
""")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
PHONES = {"senegal": "+2217750", "mali": "+223705", "rwanda": "+2507850"}  # how those of a country begin
BILLS_OF_LINES = text("""
SELECT l.id, b.issued FROM bill_lines l JOIN bills b ON b.tenant_id = l.tenant_id AND b.id = l.bill_id
WHERE b.household_id = :home
""")
NAMES = ("Awa", "Modou", "Fatou", "Ibou", "Khady", "Omar", "Binta", "Lamine", "Coumba", "Cheikh", "Sokhna",
         "Babacar", "Ndeye", "Pape", "Astou", "Alioune", "Mariama", "Moussa")  # fmt: skip


@dataclass
class Office:
    """The mutuelle, its two managers and its clock, which moves on by a second each time it is read."""

    place: Place
    phones: str  # how the phones of its country begin
    asking: Manager
    approving: Manager
    now: datetime = LONG_AGO
    numbers: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def begin(self) -> None:
        """Forgets the clock and the ids of the history before."""
        self.now = LONG_AGO
        self.chance.seed(1)

    def look(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def on(self, day: date) -> None:
        """Sets the clock to nine in the morning of a day, unless it is later already."""
        self.now = max(self.now, datetime.combine(day, time(9), UTC))
        clock.install(clock.Source(now=self.look, ids=self.new_id, chance=self.chance))

    def new_id(self) -> UUID:
        """Returns the next id of this world, the same in every replay."""
        return UUID(int=self.chance.getrandbits(128), version=4)

    @contextmanager
    def role(self, role: db.Role) -> Iterator[Session]:
        with db.transaction(role, self.place.tenant_id) as session:
            yield session

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def night(self) -> None:
        """The daily work: proofs that ran out, then bills."""
        with db.transaction(db.Role.WORKER) as session:
            days = billing_runs.due(session)
        for mutuelle_day in days:
            if mutuelle_day.tenant_id == self.place.tenant_id:
                expire_proofs._expire(mutuelle_day)
                while bill.write_page(mutuelle_day):
                    pass

    def broken(self) -> list[str]:
        with db.transaction(db.Role.AUDITOR) as session:
            return verify.run(session).broken


class AskedLine(NamedTuple):
    """A line of a claim: its bill by day of issue, the member by name, the days, the units."""

    position: int
    issued: date
    name: str
    since: date
    until: date
    units: int


class RealHousehold:
    """A household of the product, with the acts of a history."""

    claim: Claim | None
    lines: list[AskedLine]

    def __init__(self, office: Office, born: list[int], category: str) -> None:
        self.office, self.tenant = office, office.place.tenant_id
        self.phone, self.payments = f"{office.phones}{office.number():05d}", list[tuple[str, int]]()
        names = [f"{name} Ndiaye" for name in NAMES[: len(born)]]
        with office.role(db.Role.APP) as session:
            applicant = enrolment.NewHousehold(phone=self.phone, language="fr", category=category,
                birth_years=born, adults=1, consent="1", channel="ussd", sms=False, names=names)  # fmt: skip
            enrolled = enrolment.enrol(session, self.tenant, applicant)
        self.id, self.number = enrolled.id, enrolled.number
        self.by_name: dict[str, UUID] = {}
        self._note_members()

    def _note_members(self) -> None:
        with self.office.role(db.Role.AUDITOR) as session:
            rows = session.scalars(select(Member).where(Member.household_id == self.id)).all()
        places = {f"{name} Ndiaye": f"P{place}" for place, name in enumerate(NAMES)}
        self.by_name = {places[row.name or ""]: row.id for row in rows}

    def joins(self, born: int) -> None:
        with self.office.role(db.Role.CONSOLE) as session:
            count = len(households.members_of(session, self.tenant, self.id))
            household_changes.add_member(session, self.tenant, self.id, born=str(born), by="manager:1",
                name=f"{NAMES[len(self.by_name)]} Ndiaye", expected_count=count)  # fmt: skip
        self._note_members()

    def leaves(self, name: str) -> None:
        with self.office.role(db.Role.CONSOLE) as session:
            count = len(households.members_of(session, self.tenant, self.id))
            household_changes.remove_member(
                session, self.tenant, self.id, self.by_name[name], expected_count=count, by="manager:1"
            )

    def claims(self, category: str) -> None:
        with self.office.role(db.Role.CONSOLE) as session:
            category_proofs.claim(session, self.tenant, self.id, category, by="manager:1")

    def proven(self, category: str, until: date | None) -> None:
        with self.office.role(db.Role.CONSOLE) as session:
            category_proofs.check(
                session, self.tenant, self.id, category, Evidence("agent-visit"), by="manager:1", until=until
            )

    def refused(self) -> None:
        with self.office.role(db.Role.CONSOLE) as session:
            category_proofs.refuse(session, self.tenant, self.id, why="not-found", by="manager:1")

    def pays(self, units: int) -> None:
        account = self.office.place.account
        moved = Movement(
            f"T{self.office.number()}", Money(units, account.currency), clock.now(), payer=self.phone
        )
        with self.office.role(db.Role.WORKER) as session:
            settlement.credit(session, account, moved, "list")
        self.payments.append((moved.transaction, units))

    def taken_back(self, number: int, units: int) -> None:
        """The operator reverses (a part of) a payment."""
        account, transaction = self.office.place.account, self.payments[number][0]
        back = Movement(
            f"R{self.office.number()}", Money(units, account.currency), clock.now(), reverses=transaction
        )
        with self.office.role(db.Role.WORKER) as session:
            reversals.apply(session, account, back)

    def refunded(self, number: int, units: int) -> None:
        """One manager asks for a refund and another one approves it."""
        office = self.office
        with office.role(db.Role.CONSOLE) as session:
            receipt = session.scalars(select(Receipt).filter_by(transaction=self.payments[number][0])).one()
            version = receipts.version(session, receipt)
            refunds.ask(
                session, office.asking, receipt, amount=units, reason="asked", expected_version=version
            )
        with office.role(db.Role.CONSOLE) as session:
            refund = refunds.open_of(session, receipt)
            assert refund is not None
            refunds.approve(session, office.approving, refund)

    def sponsored(self, percent: int, cap: int, per_bill: int | None, day: date) -> None:
        terms = SponsorTerms(percent=percent, cap=cap, per_bill=per_bill, since=day, until=None)
        with self.office.role(db.Role.CONSOLE) as session:
            code = f"aide-{self.office.number()}"
            row = sponsors.add(
                session, self.tenant, code=code, name="ONG", kind="ngo", terms=terms, by="manager:1"
            )
            sponsorships.help_household(session, row, self.id, day, "manager:1")

    def sponsor_ends(self, day: date) -> None:
        with self.office.role(db.Role.CONSOLE) as session:
            sponsorships.end_help(session, self.tenant, self.id, day, "manager:1")

    def new_tariff(self, day: date) -> None:
        with self.office.role(db.Role.WORKER) as session:
            rule_changes.apply(session, self.tenant, [self.id], day, day)

    def asks_state(self, first: date, until: date, again: bool) -> list["AskedLine"]:
        """Drafts a claim on the State. Returns its lines; none if nothing is to be asked."""
        self.claim = None
        office = self.office
        try:
            with office.role(db.Role.CONSOLE) as session:
                self.claim = claim_drafts.draft(
                    session, office.asking, "state", Period(first, until), again=again
                )
        except Refused as refusal:
            if refusal.key != "claim.nothing":
                raise
            return []
        names = {member: name for name, member in self.by_name.items()}
        with office.role(db.Role.CONSOLE) as session:
            issued = {row.id: row.issued for row in session.execute(BILLS_OF_LINES, {"home": self.id})}
            self.lines = [
                AskedLine(row.csv_line.position, issued[line.bill_line_id], names[line.member_id],
                          line.days_from, line.days_until, line.amount)
                for row in claim_store.lines(session, self.claim)
                if (line := row.csv_line.line)
            ]  # fmt: skip
        return self.lines

    def cancels_claim(self) -> None:
        if self.claim is not None:
            with self.office.role(db.Role.CONSOLE) as session:
                claim_steps.cancel(session, self.office.asking, self.claim)

    def answers_claim(self, rejects: str | None) -> None:
        """The claim is checked and sent; the State accepts all, but what is asked more for one member."""
        office, claim = self.office, self.claim
        if claim is None:
            return
        with office.role(db.Role.CONSOLE) as session:
            claim_steps.check(session, office.approving, claim)
        with office.role(db.Role.CONSOLE) as session:
            claim_steps.send(session, office.asking, claim)
            answers = [PayerAnswer(line.position, False, "inconnu au registre")
                       for line in self.lines if line.name == rejects and line.units > 0]  # fmt: skip
            claim_steps.answer(session, office.asking, claim, answers)
            claim_steps.accept_rest(session, office.asking, claim)

    def owed(self, day: date) -> tuple[dict[tuple[str, date], int], int]:
        """What the household owes of each bill, and its credit."""
        with db.transaction(db.Role.AUDITOR) as session:
            books = cover_books.load(session, self.tenant, self.id)
        return {(bill.kind.value, bill.issued): units for bill, units in books.left(day)}, books.credit

    def parts(self) -> dict[tuple[str, date, str], int]:
        """What each payer owes of each bill."""
        with db.transaction(db.Role.AUDITOR) as session:
            rows = session.execute(PARTS, {"home": self.id}).all()
        parts: dict[tuple[str, date, str], int] = {}
        for row in rows:
            parts[row.kind, row.issued, row.payer] = int(row.units)
        return {key: units for key, units in parts.items() if units}

    def timelines(self) -> tuple[tuple[Interval, ...], dict[str, tuple[Interval, ...]]]:
        """The stored-form time line of the household, and one of each member by name."""
        with db.transaction(db.Role.AUDITOR) as session:
            case = explain_facts.read(session, self.number)
        assert case is not None
        books, names = case.books, {member: name for name, member in self.by_name.items()}
        return household_rights.intervals(books.version_of, books.bills, books.paid), {
            names[person.id]: member_rights.timeline(
                books.version_of, books.bills, books.paid, case.people, person
            )
            for person in case.people
        }


def opened(url: str) -> dict[str, Office]:
    """Returns the mutuelles of three countries, with two managers each, in a database without rows."""
    people.connect(url)
    world = people.settle_in()
    offices = {}
    for country, phones in PHONES.items():
        place, managers = getattr(world, country), []
        with db.transaction(db.Role.LOGIN) as session:
            for login in ("bakary", "ndeye"):
                names = {"login": f"{login}-{country}", "name": login.title(), "password": "x"}
                row = Login(
                    tenant_id=place.tenant_id, id=clock.new_id(), active=True, created_at=clock.now(), **names
                )
                session.add(row)
                managers.append(Manager(place.tenant_id, row.id, row.name))
        offices[country] = Office(place, phones, *managers)
    return offices
