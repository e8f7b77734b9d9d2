"""Families that join twice: by a second phone, in a second mutuelle of a federation, in another scheme."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import clock, db
from mutuelle.households import duplicate_decisions
from mutuelle.households.duplicate_decisions import DuplicateDecision
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Login, Manager
from mutuelle.organisation.mutuelle_day import MutuelleDay
from mutuelle.organisation.tenants import Tenant, TenantKind
from mutuelle.subsidies.claim_store import Claim
from tests.mutuelle.subsidies.world import ClaimsWorld
from tests.support.people import TOKEN, Place
from workers import find_duplicates

ONE_SHARE = 3_500  # what the State pays for a general member of SN-CMU for a year


@dataclass
class SecondOffice(ClaimsWorld):
    """The office of a second mutuelle; the clock is the first one's."""

    first: ClaimsWorld | None = None

    def on(self, day: str) -> None:
        assert self.first is not None
        self.first.on(day)


def second_office(office: ClaimsWorld, *, scheme: str = "SN-CMU", federated: bool = True) -> SecondOffice:
    """Adds a mutuelle to the country of the office, in one federation with it or with no parent."""
    code = "SN-SECOND"
    with db.transaction(db.Role.LOGIN) as session:
        own = session.get_one(Tenant, office.tenant_id)
        place = {name: getattr(own, name) for name in ("country", "currency", "zone", "language")}
        tenant = tenants.add_mutuelle(
            session, code=code, short_code="109", name="Mutuelle de Thiès", scheme=scheme, **place
        )
        if federated:
            federation = Tenant(
                id=clock.new_id(),
                kind=TenantKind.FEDERATION,
                code="SN-UNION",
                short_code="199",
                name="Union",
                scheme=own.scheme,
                created_at=clock.now(),
                **place,
            )
            session.add(federation)
            session.flush()
            own.parent_id = tenant.parent_id = federation.id
        account = tenants.add_account(
            session,
            tenant.id,
            operator="wave",
            code=code,
            currency=own.currency,
            credentials={"api_key": "k", "signing_secrets": "s", "callback_token": TOKEN},
            token=f"{TOKEN}-{code}",
        )
        people = [_employ(session, tenant.id, login) for login in ("diarra", "sow")]
    return SecondOffice(
        office.world,
        Place(tenant.id, account, "*384*58#"),
        *people,
        office.coumba,
        numbers=office.numbers,
        families=office.families,
        first=office,
    )


def _employ(session: Session, tenant_id: UUID, login: str) -> Manager:
    row = Login(
        tenant_id=tenant_id,
        id=clock.new_id(),
        login=login,
        name=login.title(),
        password="x",
        active=True,
        created_at=clock.now(),
    )
    session.add(row)
    return Manager(tenant_id, row.id, row.name)


def joins_again(
    office: ClaimsWorld,
    household_id: UUID,
    born: tuple[int, ...] = (1985, 1990, 2015),
    paid: int | None = None,
) -> UUID:
    """Enrols the same family by another phone, perhaps in another mutuelle. Returns the new household."""
    again = office.joins(born, named=False, paid=paid)
    office.families[again] = office.families[household_id]
    office.name(again)
    return again


def look_for_duplicates(*offices: ClaimsWorld) -> None:
    """Looks at all households of each office, as the daily job does."""
    for office in offices:
        find_duplicates.find(MutuelleDay(office.tenant_id, "Africa/Dakar", clock.today("Africa/Dakar")), 2)


def pairs(office: ClaimsWorld) -> list[DuplicatePair]:
    with office.console() as session:
        return list(session.scalars(select(DuplicatePair).order_by(DuplicatePair.id)))


def decide(office: ClaimsWorld, verdict: str) -> list[DuplicateDecision]:
    """Decides about all pairs of the office at once."""
    with office.console() as session:
        ids = session.scalars(select(DuplicatePair.id)).all()
        return duplicate_decisions.decide(session, office.bakary, ids, verdict=verdict, why="papers")


def claimed(office: ClaimsWorld, claim: Claim) -> dict[UUID, int]:
    """Returns the units that the claim asks for, by household."""
    units: dict[UUID, int] = {}
    for row in office.lines(claim):
        line = row.csv_line.line
        units[line.household_id] = units.get(line.household_id, 0) + line.amount
    return units
