"""Bakary's office: households join, are named, pay and lose money on days the test sets; he drafts, Ndeye
checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mutuelle import clock, db
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
from mutuelle.subsidies import claim_store, claim_totals, claims
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_store import AnsweredLine, Claim
from mutuelle.verification import verify
from tests.support import people
from tests.support.people import Place, World

NAMES = ("Awa Ndiaye", "Modou Ndiaye", "Fatou Ndiaye", "Ibou Ndiaye", "Khady Ndiaye", "Omar Ndiaye")
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
DECEMBER = Period(date(2026, 12, 1), date(2026, 12, 31))
JANUARY = Period(date(2027, 1, 1), date(2027, 1, 31))


@dataclass
class ClaimsWorld:
    """One mutuelle of a world, two managers, and one of another mutuelle. The clock ticks a millisecond at
    each look."""

    world: World
    place: Place
    bakary: Manager
    ndeye: Manager
    coumba: Manager
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    now: datetime = datetime(2026, 11, 22, 10, tzinfo=UTC)

    @property
    def tenant_id(self) -> UUID:
        return self.place.tenant_id

    def on(self, day: str) -> None:
        """It is the morning of this day, or a little later when it is already."""
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
        """A household signs up; everybody is named and the member's dues are paid unless told otherwise."""
        phone = f"+2217701{next(self.numbers):05d}"
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            home = enrolment.enrol(
                session,
                self.tenant_id,
                phone=phone,
                language="fr",
                category=category,
                born=born,
                adults=1,
                consent="1",
                channel="ussd",
            )
        if named:
            self.name(home.id)
        due = 3_500 * len(born) + 1_000 if paid is None else paid
        if due:
            self.pays(home.id, due, phone)
        return home.id

    def name(self, home: UUID, *, but: int = 0) -> None:
        """Somebody notes the names, but of the last ones."""
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            found = households.members_of(session, self.tenant_id, home)
            for one, name in zip(found[: len(found) - but], NAMES, strict=False):
                one.name, one.provisional = name, False

    def pays(self, home: UUID, amount: int, phone: str | None = None, at: datetime | None = None) -> str:
        """Money comes now, or is only recorded now and moved `at` an earlier moment."""
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            payer = phone or households.phone_of(session, self.tenant_id, home)
            moved = Movement(f"T{next(self.numbers)}", Money(amount, "XOF"), at or clock.now(), payer=payer)
            settlement.credit(session, self.place.account, moved, "list")
        return moved.transaction

    def taken_back(self, transaction: str, amount: int) -> None:
        """The operator takes a payment back, today."""
        moved = Movement(f"R{transaction}", Money(amount, "XOF"), clock.now(), reverses=transaction)
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            reversals.apply(session, self.place.account, moved)

    def proven(self, home: UUID, evidence: str, until: date | None = None) -> None:
        """Somebody looked at what proves the household's category."""
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            before, day = households.claim_of(session, self.tenant_id, home), clock.today("Africa/Dakar")
            assert before is not None
            before.until = day - timedelta(1)
            session.flush()
            row = CategoryClaim(
                tenant_id=self.tenant_id,
                id=clock.new_id(),
                household_id=home,
                category=before.category,
                standing="checked",
                evidence=evidence,
                since=day,
                until=until,
                actor=self.bakary.actor,
                at=clock.now(),
            )
            session.add(row)

    def bills(self, home: UUID, category: str, born: tuple[int, ...] = (1985, 1990, 2015)) -> None:
        """The household is billed today for a category that somebody checked."""
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            day = clock.today("Africa/Dakar")
            price = quote(schemes.get("SN-CMU"), born, on=day, category=category, checked=True)
            bills.issue(session, self.tenant_id, home, price, born=born, on=day, joining=False)
            cover_books.recompute(session, self.tenant_id, home)

    def leaves(self, home: UUID, place: int) -> None:
        """Somebody is not in the household any more from today on, and its bill becomes smaller."""
        day = clock.today("Africa/Dakar")
        with db.transaction(db.Role.FEDERATION, self.tenant_id) as session:
            households.members_of(session, self.tenant_id, home)[place].until = day
            session.flush()
            adjustments.apply(session, self.tenant_id, home, day, "household")

    def helped(self, home: UUID, code: str, name: str) -> Sponsor:
        """A new sponsor promises half of what this household has to pay."""
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
            sponsorships.help_household(session, made, home, day, "bakary")
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
            return claims.draft(session, self.bakary, payer, period, sponsor=sponsor, again=again)

    def check(self, claim: Claim, person: Manager | None = None) -> None:
        with self.console() as session:
            claims.check(session, person or self.ndeye, claim)

    def send(self, claim: Claim) -> None:
        self.check(claim)
        with self.console() as session:
            claims.send(session, self.bakary, claim)

    def answer(self, claim: Claim, *answers: claims.PayerAnswer) -> int:
        with self.console() as session:
            return claims.answer(session, self.bakary, claim, answers)

    def accept(self, claim: Claim) -> int:
        with self.console() as session:
            return claims.accept_rest(session, self.bakary, claim)

    def pay(self, claim: Claim, amount: int, reference: str = "") -> None:
        """Under a reference of its own unless told otherwise."""
        with self.console() as session:
            reference = reference or f"VIR-{next(self.numbers)}"
            claims.pay(session, self.bakary, claim, amount, reference, clock.today("Africa/Dakar"))

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
        """Units by reason."""
        with self.console() as session:
            return {told.name: told.units for told in claim_totals.by_reason(session, claim)}

    def members(self, home: UUID) -> list[Member]:
        with db.transaction(db.Role.AUDITOR) as session:
            return households.members_of(session, self.tenant_id, home)

    def balance(self, address: str) -> int:
        """What an address of the ledger holds."""
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
            assert verify.run(session).broken == []


def opened(url: str) -> ClaimsWorld:
    """The office on 22 November 2026."""
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
