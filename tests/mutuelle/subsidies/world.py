"""Bakary's office, on days the test sets: households join, get names, pay; he drafts claims, Ndeye checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from string import ascii_uppercase
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle import audit, clock, db
from mutuelle.audit import Subject
from mutuelle.billing import adjustments, sponsorships
from mutuelle.contributions import bills
from mutuelle.contributions.quotes import quote
from mutuelle.cover import cover_books
from mutuelle.enrolment import enrolment
from mutuelle.households import households
from mutuelle.households.households import CategoryClaim, Member
from mutuelle.money import Money
from mutuelle.organisation import sponsors
from mutuelle.organisation.logins import Login, Manager
from mutuelle.organisation.sponsors import Sponsor, SponsorTerms
from mutuelle.payments import reversals, settlement
from mutuelle.payments.ledger import Posting
from mutuelle.payments.operators import Movement
from mutuelle.schemes import schemes
from mutuelle.subsidies import claim_drafts, claim_steps, claim_store, claim_totals
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_store import AnsweredLine, Claim
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import Place, World

NAMES = ("Awa Ndiaye", "Modou Ndiaye", "Fatou Ndiaye", "Ibou Ndiaye", "Khady Ndiaye", "Omar Ndiaye")
FAMILIES = ("Ndiaye", *(f"Sarr {first}{second}" for first in ascii_uppercase for second in ascii_uppercase))
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
DECEMBER = Period(date(2026, 12, 1), date(2026, 12, 31))
JANUARY = Period(date(2027, 1, 1), date(2027, 1, 31))


@dataclass
class ClaimsWorld:
    """One mutuelle, two of its managers, and one of another mutuelle.

    The clock moves on by a millisecond each time it is read.
    """

    world: World
    place: Place
    bakary: Manager
    ndeye: Manager
    coumba: Manager
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    now: datetime = datetime(2026, 11, 22, 10, tzinfo=UTC)
    families: dict[UUID, str] = field(default_factory=dict)

    @property
    def tenant_id(self) -> UUID:
        return self.place.tenant_id

    def on(self, day: str) -> None:
        """Sets the clock to the morning of this day, unless it is later already."""
        self.now = max(self.now, datetime.fromisoformat(f"{day}T10:00+00:00"))

    def look(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    @contextmanager
    def console(self, person: Manager | None = None) -> Iterator[Session]:
        with db.transaction(db.Role.CONSOLE, (person or self.bakary).tenant_id) as session:
            yield session

    def joins(
        self,
        born: tuple[int, ...] = (1985, 1990, 2015),
        category: str = "general",
        named: bool = True,
        paid: int | None = None,
    ) -> UUID:
        """Enrols a household, by default with names and with the member's dues paid. Returns its id."""
        phone = f"+2217701{next(self.numbers):05d}"
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            household = enrolment.enrol(
                session,
                self.tenant_id,
                enrolment.NewHousehold(
                    phone=phone,
                    language="fr",
                    category=category,
                    birth_years=born,
                    adults=1,
                    consent="1",
                    channel="ussd",
                ),
            )
        if named:
            self.name(household.id)
        due = 3_500 * len(born) + 1_000 if paid is None else paid
        if due:
            self.pays(household.id, due, phone)
        return household.id

    def name(self, household_id: UUID, *, but: int = 0) -> None:
        """Names the members, except the last `but`. Each household has a family name of its own."""
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            members = households.members_of(session, self.tenant_id, household_id)
            family = self.families.setdefault(household_id, FAMILIES[len(self.families)])
            for member, name in zip(members[: len(members) - but], NAMES, strict=False):
                member.name, member.provisional = name.replace(FAMILIES[0], family), False

    def pays(
        self, household_id: UUID, amount: int, phone: str | None = None, at: datetime | None = None
    ) -> str:
        """Records money that moved now, or `at` an earlier moment. Returns its transaction."""
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            payer = phone or households.phone_of(session, self.tenant_id, household_id)
            moved = Movement(f"T{next(self.numbers)}", Money(amount, "XOF"), at or clock.now(), payer=payer)
            settlement.credit(session, self.place.account, moved, "list")
        return moved.transaction

    def taken_back(self, transaction: str, amount: int) -> None:
        """Records that the operator reverses a payment today."""
        moved = Movement(f"R{transaction}", Money(amount, "XOF"), clock.now(), reverses=transaction)
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            reversals.apply(session, self.place.account, moved)

    def proven(self, household_id: UUID, evidence: str, until: date | None = None) -> None:
        """Verifies the household's category with this kind of evidence."""
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            before, day = (
                households.claim_of(session, self.tenant_id, household_id),
                clock.today("Africa/Dakar"),
            )
            assert before is not None
            before.until = day - timedelta(1)
            session.flush()
            row = CategoryClaim(
                tenant_id=self.tenant_id,
                id=clock.new_id(),
                household_id=household_id,
                category=before.category,
                standing="checked",
                evidence=evidence,
                since=day,
                until=until,
                actor=self.bakary.actor,
                at=clock.now(),
            )
            session.add(row)
            facts = {"category": before.category, "evidence": evidence}
            subject = audit.about(Subject.HOUSEHOLD, household_id)
            audit.record(session, self.tenant_id, self.bakary.actor, "category-checked", subject, **facts)

    def bills(self, household_id: UUID, category: str, born: tuple[int, ...] = (1985, 1990, 2015)) -> None:
        """Bills the household today in a verified category."""
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            day = clock.today("Africa/Dakar")
            price = quote(schemes.get("SN-CMU"), born, on=day, category=category, checked=True)
            bills.issue(session, self.tenant_id, household_id, price, born=born, on=day, joining=False)
            cover_books.recompute(session, self.tenant_id, household_id)

    def leaves(self, household_id: UUID, place: int) -> None:
        """Removes a member from today on, which makes the bill smaller."""
        day = clock.today("Africa/Dakar")
        with db.transaction(db.Role.FEDERATION, self.tenant_id) as session:
            member = households.members_of(session, self.tenant_id, household_id)[place]
            households.remove_member(session, self.tenant_id, member.id, on=day)
            adjustments.apply(session, self.tenant_id, household_id, day, "household")

    def helped(self, household_id: UUID, code: str, name: str) -> Sponsor:
        """Adds a sponsor that promises half of what this household has to pay."""
        with self.console() as session:
            day = clock.today("Africa/Dakar")
            made = sponsors.add(
                session,
                self.tenant_id,
                code=code,
                name=name,
                kind="ngo",
                terms=SponsorTerms(percent=50, cap=1_000_000, since=day),
                by="bakary",
            )
            sponsorships.help_household(session, made, household_id, day, "bakary")
        return made

    def draft(
        self,
        period: Period = JANUARY,
        payer: str = "state",
        *,
        sponsor: str | None = None,
        again: bool = False,
        on: str | None = None,
    ) -> Claim:
        self.on(on or (period.until + timedelta(2)).isoformat())
        with self.console() as session:
            return claim_drafts.draft(session, self.bakary, payer, period, sponsor=sponsor, again=again)

    def check(self, claim: Claim, person: Manager | None = None) -> None:
        with self.console() as session:
            claim_steps.check(session, person or self.ndeye, claim)

    def send(self, claim: Claim) -> None:
        self.check(claim)
        with self.console() as session:
            claim_steps.send(session, self.bakary, claim)

    def answer(self, claim: Claim, *answers: claim_steps.PayerAnswer) -> int:
        with self.console() as session:
            return claim_steps.answer(session, self.bakary, claim, answers)

    def accept(self, claim: Claim) -> int:
        with self.console() as session:
            return claim_steps.accept_rest(session, self.bakary, claim)

    def pay(self, claim: Claim, amount: int, reference: str = "") -> None:
        """Notes a payment, by default under a new reference."""
        with self.console() as session:
            reference = reference or f"VIR-{next(self.numbers)}"
            claim_steps.pay(session, self.bakary, claim, amount, reference, clock.today("Africa/Dakar"))

    def lines(self, claim: Claim) -> list[AnsweredLine]:
        with self.console() as session:
            return claim_store.lines(session, claim)

    def sums(self, claim: Claim) -> claim_totals.ClaimTotals:
        with self.console() as session:
            return claim_totals.sums(session, claim)

    def now_is(self, claim: Claim) -> Claim:
        with self.console() as session:
            return session.get_one(Claim, (claim.tenant_id, claim.id))

    def left_out(self, claim: Claim) -> dict[str, int]:
        """Returns the units that the claim leaves out, by reason."""
        with self.console() as session:
            return {subtotal.name: subtotal.units for subtotal in claim_totals.by_reason(session, claim)}

    def members(self, household_id: UUID) -> list[Member]:
        with db.transaction(db.Role.AUDITOR) as session:
            return households.members_of(session, self.tenant_id, household_id)

    def balance(self, address: str) -> int:
        """Returns the balance of an address of the ledger."""
        with db.transaction(db.Role.AUDITOR) as session:
            into = session.scalar(
                select(func.coalesce(func.sum(Posting.amount), 0)).where(Posting.target == address)
            )
            out = session.scalar(
                select(func.coalesce(func.sum(Posting.amount), 0)).where(Posting.source == address)
            )
        return int(into or 0) - int(out or 0)

    def books_hold(self) -> None:
        with db.transaction(db.Role.AUDITOR) as session:
            broken = verify.run(session).broken
        assert broken == []


def opened(url: str) -> ClaimsWorld:
    """Returns the office on 22 November 2026."""
    people.connect(url)
    world = people.settle_in()
    persons = []
    with db.transaction(db.Role.LOGIN) as session:
        for login, name, place in (("bakary", "Bakary", world.senegal), ("ndeye", "Ndèye", world.senegal),
                                   ("coumba", "Coumba", world.mali)):  # fmt: skip
            row = Login(
                tenant_id=place.tenant_id,
                id=clock.new_id(),
                login=login,
                name=name,
                password="x",
                active=True,
                created_at=clock.now(),
            )
            session.add(row)
            persons.append(Manager(place.tenant_id, row.id, name))
    office = ClaimsWorld(world, world.senegal, *persons)
    clock.install(clock.Source(now=office.look))
    return office
