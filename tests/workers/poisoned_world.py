"""Three mutuelles, their web application and one worker, in which a test breaks rows past every guard."""

from datetime import datetime
from uuid import UUID

from redis import Redis

from gateway.doorbell import Doorbell
from mutuelle import clock, crypto, db
from mutuelle.enrolment import enrolment
from mutuelle.money import Money
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from tests.gateway.hooks.world import WebWorld
from tests.support.people import Place
from tests.support.templates import Database
from tests.workers.world import settings_for
from workers import services
from workers.services import WorkerServices

JOINED, REMINDED = "2026-11-22T10:00", "2026-11-25T09:00"
PREFIX = {"SN": "+2217710", "RW": "+2507800", "ML": "+223710"}
CATEGORY = {"SN": "general", "RW": "level-3", "ML": "general"}
NOWHERE = "http://127.0.0.1:9"


class PoisonedWorld(WebWorld):
    """Three mutuelles, their web application and one worker; `poison` breaks rows past every guard."""

    def __init__(self, database: Database, redis_url: str) -> None:
        super().__init__(database, redis_url)
        redis = Redis.from_url(redis_url)
        self.hub = WorkerServices(settings_for(database, redis_url, NOWHERE, NOWHERE), redis, Doorbell(redis))
        services.install(self.hub)
        self.count = 0

    def joins(self, place: Place, phone: str = "") -> UUID:
        self.count += 1
        country = place.account.code[:2]
        phone = phone or PREFIX[country] + str(self.count).zfill(5)
        with db.transaction(db.Role.APP, place.tenant_id) as session:
            home = enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category=CATEGORY[country],
                birth_years=[1985, 1990, 2015],
                adults=2,
                consent="1",
                channel="ussd",
                sms=False,
            )
            return enrolment.enrol(session, place.tenant_id, home).id

    def poison(self, query: str, *values: object) -> None:
        with self.database.superuser() as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(query, values)

    def lose_rules(self, household_id: UUID) -> None:
        """The version of the rule book under which the household was billed is gone."""
        self.poison("UPDATE bills SET version = '1999-01-01' WHERE household_id = %s", household_id)

    def find_rules(self, household_id: UUID, place: Place) -> None:
        query = (
            "UPDATE bills SET version = (SELECT min(version) FROM bills WHERE tenant_id = %s"
            " AND version > '1999-01-01') WHERE household_id = %s"
        )
        self.poison(query, place.tenant_id, household_id)

    def pays(self, place: Place, household_id: UUID, amount: int) -> str:
        phone = self.phone(household_id)
        moved = Movement(
            f"T{clock.new_id()}", Money(amount, place.account.currency), clock.now(), payer=phone
        )
        with db.transaction(db.Role.WORKER, place.tenant_id) as session:
            settlement.credit(session, place.account, moved, "list")
        return moved.transaction

    def phone(self, household_id: UUID) -> str:
        return crypto.open_phone(
            bytes(self.rows("SELECT cipher FROM phones WHERE household_id = %s", household_id)[0][0])
        )

    def cases(self, is_open: bool = True) -> list[tuple[str, str]]:
        """(subject, reason) of the cases of what was set aside."""
        query = "SELECT subject, reason FROM flags WHERE kind = 'set-aside' AND (closed_at IS NULL) = %s"
        query += " ORDER BY 1, 2"
        return self.rows(query, is_open)

    def messages(self, kind: str) -> set[UUID]:
        return {row[0] for row in self.rows("SELECT household_id FROM messages WHERE kind = %s", kind)}

    def parts(self) -> list[tuple[str, int, str]]:
        return self.rows("SELECT kind, amount::int, reason FROM allocations ORDER BY at, kind")


def at(moment: str) -> None:
    now = datetime.fromisoformat(f"{moment}+00:00")
    clock.install(clock.Source(now=lambda: now))


def of(household_id: UUID) -> str:
    return f"household:{household_id}"


def of_mutuelle(place: Place) -> str:
    return f"mutuelle:{place.tenant_id}"
