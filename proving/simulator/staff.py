"""Simulates the staff of a mutuelle: they name, add and correct members, prove categories and find sponsors.

Each act is one transaction of the domain, as a page of the console makes it, and may be cut off by a crash.
A refusal is a normal answer: it is counted, and the act ends. Some acts are mistakes that are taken back on
the same day. The treasurer's acts are in `treasury`, the claims in `claim_office`.
"""

import random
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.billing import sponsorships
from mutuelle.enrolment import category_proofs, household_changes, member_names, relationship_changes
from mutuelle.enrolment.household_changes import PageSnapshot
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence, EvidenceKind
from mutuelle.households.households import Member
from mutuelle.organisation import sponsors
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.schemes import schemes
from proving.demo.demo import DemoMutuelle
from proving.simulator.people import Simulation
from proving.simulator.timeline import Steps

MISTAKES = 0.35  # share of acts that are taken back on the same day
SOON_S = (60.0, 1500.0)  # between an act and the next one on the same page
FIRST_NAMES = ("Awa", "Modou", "Fatou", "Ibrahima", "Mariam", "Jean", "Claudine", "Oumar", "Aminata", "Eric")
FAMILY_NAMES = ("Diop", "Traoré", "Ndiaye", "Uwimana", "Coulibaly", "Mugisha", "Sow", "Keita")
RELATIONSHIPS = ("", "spouse", "child", "parent", "other")
UNNAMED = "SELECT id FROM members WHERE tenant_id = %s AND provisional AND until IS NULL ORDER BY id"
Result = TypeVar("Result")


class Office:
    """The staff of one mutuelle: two managers, and what they look up before they act."""

    def __init__(self, world: Simulation, place: DemoMutuelle) -> None:
        self.world, self.place = world, place
        (self.tenant_id,) = self.query("SELECT id FROM tenants WHERE code = %s", place.code)[0]
        rows = self.query("SELECT id, name FROM logins WHERE tenant_id = %s ORDER BY login", self.tenant_id)
        self.first, self.second = (Manager(self.tenant_id, *row) for row in rows[:2])
        self.by = self.first.actor
        self.numbers = 0

    def query(self, sql: LiteralString, *values: Any) -> list[Any]:
        """Returns rows of the whole database, as an observer sees them."""
        return self.world.product.observe(sql, values)

    def act(self, do: Callable[[Session], Result]) -> Result | None:
        """Does one act in a transaction. Returns None when it was refused, or the process crashed."""
        try:
            return self.world.product.act(self.tenant_id, do)
        except Refused as refusal:
            self.world.counts[f"refused {refusal.key}"] += 1
            return None

    def repeat(self, do: Callable[[Session], Result], times: int = 20) -> Steps:
        """Tries an act again after a crash or a refusal, until it is done or was tried `times` times."""
        for _ in range(times):
            if self.act(do) is not None:
                return
            yield 1800

    def today(self) -> date:
        """Returns the local date of the mutuelle."""
        return clock.local_date(clock.now(), self.place.zone)

    def pick(self, chance: random.Random) -> UUID | None:
        """Returns a random household, None if nobody has joined."""
        rows = self.query("SELECT id FROM households WHERE tenant_id = %s ORDER BY number", self.tenant_id)
        return UUID(str(chance.choice(rows)[0])) if rows else None

    def members(self, session: Session, household_id: UUID) -> list[Member]:
        return list(households.members_of(session, self.tenant_id, household_id))

    def next_code(self, prefix: str) -> str:
        """Returns a code that this mutuelle has not used."""
        self.numbers += 1
        return f"{prefix}-{self.numbers}"


def name_members(office: Office, _: UUID, chance: random.Random) -> Steps:
    """Names the members of most households that have no name yet, from a list."""
    for (member_id,) in office.query(UNNAMED, office.tenant_id):
        if chance.random() < 0.2:
            continue
        name = f"{chance.choice(FIRST_NAMES)} {chance.choice(FAMILY_NAMES)}"
        set_name = partial(
            member_names.set_name, tenant_id=office.tenant_id, member_id=member_id, name=name, by=office.by
        )
        office.act(set_name)
        yield chance.uniform(5, 60)


def add_member(office: Office, household_id: UUID, chance: random.Random) -> Steps:
    """Adds a member, or one by mistake."""
    born = str(office.today().year - chance.randint(0, 70))
    relationship = chance.choice(RELATIONSHIPS)
    name = chance.choice(("", f"{chance.choice(FIRST_NAMES)} {chance.choice(FAMILY_NAMES)}"))

    def add(session: Session) -> bool:
        household_changes.add_member(
            session,
            office.tenant_id,
            household_id,
            born=born,
            name=name,
            relationship=relationship,
            expected_count=len(office.members(session, household_id)),
            by=office.by,
        )
        return True

    if office.act(add) and chance.random() < MISTAKES:
        yield chance.uniform(*SOON_S)
        yield from remove_member(office, household_id, chance)


def remove_member(office: Office, household_id: UUID, chance: random.Random) -> Steps:
    """Ends the membership of the dependant who came last, or of any one."""
    draw = chance.random()

    def remove(session: Session) -> bool:
        people = office.members(session, household_id)
        dependants = sorted(
            (row for row in people if row.kind != "head"), key=lambda row: (row.since, row.id)
        )
        if not dependants:
            return True
        leaver = dependants[-1] if draw < MISTAKES else dependants[int(draw * len(dependants))]
        household_changes.remove_member(
            session, office.tenant_id, household_id, leaver.id, expected_count=len(people), by=office.by
        )
        return True

    office.act(remove)
    yield 0


def correct_member(office: Office, household_id: UUID, chance: random.Random) -> Steps:
    """Corrects a year of birth, or notes a relationship. Half of the years are put right again."""
    place, shift, relationship = chance.random(), chance.choice((-9, -3, 3, 9)), chance.choice(RELATIONSHIPS)

    def correct(session: Session, years: int) -> bool:
        people = sorted(office.members(session, household_id), key=lambda row: row.id)
        member = people[int(place * len(people))]
        head = next(row for row in people if row.kind == "head")
        household_changes.correct_member(
            session,
            office.tenant_id,
            household_id,
            member.id,
            born=str(min(member.birth_year + years, office.today().year)),
            head=False,
            why="typing",
            shown=PageSnapshot(len(people), member.birth_year, head.id),
            by=office.by,
        )
        return True

    def relate(session: Session) -> bool:
        people = sorted(office.members(session, household_id), key=lambda row: row.id)
        relationship_changes.set_relationship(
            session,
            office.tenant_id,
            household_id,
            people[int(place * len(people))].id,
            relationship=relationship,
            expected_count=len(people),
            by=office.by,
        )
        return True

    if chance.random() < 0.3:
        office.act(relate)
    elif office.act(lambda session: correct(session, shift)) and chance.random() < 0.5:
        yield chance.uniform(*SOON_S)
        office.act(lambda session: correct(session, -shift))


def prove_category(office: Office, household_id: UUID, chance: random.Random) -> Steps:
    """Checks a category that needs evidence; some proofs turn out wrong on the same day."""
    version = schemes.get(office.place.scheme).on(office.today())
    category = chance.choice([row.code for row in version.categories if row.evidence])
    evidence = Evidence(EvidenceKind.DOCUMENT, office.next_code("CARTE"))
    done = office.act(
        lambda session: category_proofs.check(
            session, office.tenant_id, household_id, category, evidence, by=office.by
        )
    )
    if done and chance.random() < MISTAKES:
        yield chance.uniform(*SOON_S)
        yield from refuse_category(office, household_id, chance)


def refuse_category(office: Office, household_id: UUID, chance: random.Random) -> Steps:
    """Notes that a category is not proven, or no longer."""
    office.act(
        lambda session: category_proofs.refuse(
            session, office.tenant_id, household_id, why="not-found", by=office.by
        )
    )
    yield 0


def change_sponsor(office: Office, household_id: UUID, chance: random.Random) -> Steps:
    """Lets a sponsor help a household, or ends the help; some help was noted by mistake."""
    terms = SponsorTerms(
        percent=chance.choice((25, 50, 100)), cap=chance.choice((5_000, 100_000)), since=office.today()
    )
    code = office.next_code("ong")

    def begin(session: Session) -> bool:
        sponsor = sponsors.add(
            session, office.tenant_id, code=code, name="ONG", kind="ngo", terms=terms, by=office.by
        )
        sponsorships.help_household(session, sponsor, household_id, office.today(), office.by)
        return True

    def end(session: Session) -> bool:
        return sponsorships.end_help(session, office.tenant_id, household_id, office.today(), office.by)

    if office.act(end) or not office.act(begin) or chance.random() >= MISTAKES:
        return
    yield chance.uniform(*SOON_S)
    office.act(end)


HOUSEHOLD_ACTS: dict[str, Callable[[Office, UUID, random.Random], Steps]] = {
    "name": name_members,
    "add": add_member,
    "remove": remove_member,
    "correct": correct_member,
    "prove": prove_category,
    "refuse": refuse_category,
    "sponsor": change_sponsor,
}
