"""What the tests of bills share: the clock, reversals, the billing run, a mutuelle of Ivory Coast."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from mutuelle import clock, db
from mutuelle.billing import billing_runs
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.verification import verify
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import CREDENTIALS, TOKEN, Place
from workers import bill

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


def on_day(days: int) -> None:
    """Sets the clock so many days after START; it runs on."""
    clock.install(clock.Source())
    moment = START + timedelta(days)
    clock.install(clock.Source(shift_s=round((moment - clock.now()).total_seconds())))


def on_date(year: int, month: int, day: int) -> None:
    """Stops the clock at nine in the morning (UTC) of a date."""
    moment = datetime(year, month, day, 9, tzinfo=UTC)
    clock.install(clock.Source(now=lambda: moment))


def later(household: BilledHousehold, days: int) -> None:
    on_day(days)
    household.today = clock.now().date()


def later_on(household: BilledHousehold, year: int, month: int, day: int) -> None:
    on_date(year, month, day)
    household.today = clock.now().date()


@contextmanager
def valid_books() -> Iterator[None]:
    """Checks after the block that `verify` finds nothing broken."""
    yield
    with db.transaction(db.Role.AUDITOR) as session:
        broken = verify.run(session).broken
    assert broken == [], broken


def take_back(household: BilledHousehold, transaction: str, units: int) -> None:
    """The operator reverses a payment of the household."""
    account = household.place.account
    back = Movement(str(clock.new_id()), Money(units, account.currency), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, household.tenant) as session:
        reversals.apply(session, account, back)


def write_bills(*households: BilledHousehold) -> None:
    """Does the billing run of today in every mutuelle."""
    with db.transaction(db.Role.WORKER) as session:
        days = billing_runs.due(session)
    for mutuelle_day in days:
        while bill.write_page(mutuelle_day):
            pass
    for household in households:
        household.today = clock.now().date()


def ivorian_place() -> Place:
    """Creates a mutuelle of Ivory Coast, which bills each person by the month."""
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.add_mutuelle(
            session,
            code="CI-TEST",
            short_code="109",
            name="Mutuelle CI",
            scheme="CI-CMU",
            country="CI",
            currency="XOF",
            zone="Africa/Abidjan",
            language="fr",
        )
        account = tenants.add_account(
            session,
            tenant.id,
            operator="wave",
            code="CI-TEST",
            currency="XOF",
            credentials=CREDENTIALS["wave"] | {"callback_token": TOKEN},
            token=TOKEN,
        )
    return Place(tenant.id, account, "*384*58#")
