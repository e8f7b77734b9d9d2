"""A small town in Senegal, enrolled and billed by the product, whose November 2026 can be computed by hand.

Members pay 3 500 FCFA a person, the State as much, and 1 000 for joining; cover begins 30 days after payment.

| who      | people | joins      | pays                                   | rights on 30 November 2026      |
|----------|--------|------------|----------------------------------------|---------------------------------|
| Awa      | 3      | 2025-09-10 | all on 2025-09-20; again on 2026-10-15 | open since 2025-10-20; renewed  |
| Fatou    | 2      | 2025-10-01 | all on 2025-10-05                      | lapsed since 2026-11-04; proven |
| Modou    | 4      | 2026-09-01 | all on 2026-09-15                      | open since 2026-10-15; proven   |
| Binta    | 5      | 2026-11-02 | 5 000 of 17 500 on 2026-11-10          | part-paid                       |
| Seynabou | 2      | 2026-11-20 | 1 000 of 7 000, allocated by hand      | part-paid                       |
| Khady    | 1      | 2026-11-28 | nothing                                | never                           |

On 30 November 2025 the rights of Awa and Fatou (since 2025-11-04) were open.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from mutuelle import clock, crypto, db
from mutuelle.contributions import bills
from mutuelle.contributions.quotes import quote
from mutuelle.enrolment import enrolment, social_registry
from mutuelle.enrolment.office_list_csv import ListRow
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.organisation.logins import Manager
from mutuelle.payments import allocation, manual_attribution, receipts, settlement
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import Receipt
from mutuelle.schemes import schemes
from tests.support import people
from tests.support.people import World
from tests.support.templates import Database

BORN = [1985, 1990, 2015, 2017, 2019]
PHONES = {
    name: f"+22177000{place:04d}"
    for place, name in enumerate(("awa", "fatou", "modou", "binta", "seynabou", "khady"), 1)
}
STRANGER = "+221770009999"
ORANGE, FREE = "60801", "60802"


def at(moment: str) -> None:
    """Stops the clock at this moment, in UTC."""
    now = datetime.fromisoformat(f"{moment}+00:00")
    clock.install(clock.Source(now=lambda: now))


@dataclass
class ReportsWorld:
    """The three mutuelles of every test; the households are all in Senegal's."""

    database: Database
    world: World
    homes: dict[str, enrolment.Enrolment] = field(default_factory=dict)

    @property
    def tenant_id(self) -> UUID:
        return self.world.senegal.tenant_id

    def joins(self, name: str, size: int, moment: str, language: str = "fr", channel: str = "ussd") -> None:
        at(moment)
        with db.transaction(db.Role.APP, self.tenant_id) as session:
            applicant = enrolment.NewHousehold(
                phone=PHONES[name],
                language=language,
                category="general",
                birth_years=BORN[:size],
                adults=min(size, 2),
                consent="1",
                channel=channel,
            )
            self.homes[name] = enrolment.enrol(session, self.tenant_id, applicant)

    def pays(self, name: str, amount: int, moment: str, payer: str = "", after_s: int = 60) -> UUID:
        """Credits money that moved `after_s` seconds before, from the household's phone or from `payer`."""
        at(moment)
        moved = Movement(f"T_{name}_{moment}", Money(amount, "XOF"), clock.now() - timedelta(seconds=after_s),
                         payer=payer or PHONES[name])  # fmt: skip
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            return settlement.credit(session, self.world.senegal.account, moved, "list").id

    def is_billed_again(self, name: str, moment: str, size: int) -> None:
        at(moment)
        home, day = (self.tenant_id, self.homes[name].id), date.fromisoformat(moment[:10])
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            price = quote(schemes.get("SN-CMU"), BORN[:size], on=day, category="general", checked=False)
            bills.issue(session, *home, price, born=BORN[:size], on=day, joining=False)
            allocation.use_credit(session, home, day)

    def by_hand(self, name: str, receipt_id: UUID, moment: str) -> None:
        at(moment)
        person = Manager(self.tenant_id, clock.new_id(), "Bakary")
        with db.transaction(db.Role.CONSOLE, self.tenant_id) as session:
            receipt = session.scalars(select(Receipt).where(Receipt.id == receipt_id)).one()
            version = receipts.version(session, receipt)
            manual_attribution.attribute(
                session, person, receipt, self.homes[name].id, expected_version=version
            )

    def lists(self, moment: str, *numbers: str, source: str = "social") -> None:
        """Loads a list of a social registry with these numbers, all of them indigent."""
        at(moment)
        with db.transaction(db.Role.WORKER, self.tenant_id) as session:
            cells = dict.fromkeys(social_registry.COLUMNS, "") | {
                "head_name": "Awa Ba",
                "category": "indigent",
            }
            lines = [ListRow(n, {**cells, "registry_number": number}) for n, number in enumerate(numbers, 2)]
            rows, problems = social_registry.read(lines, tenants.get(session, self.tenant_id))
            assert not problems
            social_registry.load(session, self.tenant_id, rows, "test", source)

    def proves(self, name: str, category: str, since: str, number: str) -> None:
        """Writes a category checked by a line of a list from `since` on; rows before it hold on no day."""
        home = self.homes[name].id
        with self.database.superuser() as connection:
            connection.execute("UPDATE categories SET until = since - 1 WHERE household_id = %s", [home])
            connection.execute(
                "INSERT INTO categories"
                " (tenant_id, id, household_id, category, standing, evidence, since, actor, at,"
                " reference_index, reference_cipher)"
                " VALUES (%s, %s, %s, %s, 'checked', 'list', %s, 'bakary', now(), %s, %s)",
                [
                    *(self.tenant_id, clock.new_id(), home, category, since),
                    *(crypto.number_index(number), crypto.seal_number(number)),
                ],
            )

    def calls(
        self, moment: str, phone: str, screen: str = "", network: str = "", hops: int | None = None
    ) -> None:
        """Writes a USSD session as it is stored a day later, without what was typed."""
        report = f'{{"network": "{network}", "hops": {hops or "null"}}}' if network else None
        with self.database.superuser() as connection:
            session_id = clock.new_id()
            connection.execute(
                "INSERT INTO ussd_sessions"
                " (gateway_id, id, foreign_id, phone_index, tenant_id, opening, began_at, report)"
                " VALUES (%s, %s, %s, %s, %s, '{}', %s, %s)",
                [
                    self.world.gateway_id,
                    session_id,
                    str(session_id),
                    crypto.blind_index(phone),
                    self.tenant_id,
                    f"{moment}+00:00",
                    report,
                ],
            )
            if screen:
                connection.execute(
                    "INSERT INTO ussd_effects VALUES (%s, %s, %s, 0, '{}', %s)",
                    [self.world.gateway_id, session_id, screen, f"{moment}+00:00"],
                )


def settle(database: Database) -> ReportsWorld:
    """Plays the town's history up to 5 December 2026."""
    people.connect(database.url)
    at("2025-01-01T10:00")
    town = ReportsWorld(database, people.settle_in())
    town.joins("awa", 3, "2025-09-10T10:00")
    town.pays("awa", 11_500, "2025-09-20T10:00")
    town.joins("fatou", 2, "2025-10-01T10:00", language="en")
    town.pays("fatou", 8_000, "2025-10-05T10:00")
    town.joins("modou", 4, "2026-09-01T10:00", channel="agent")
    town.pays("modou", 15_000, "2026-09-15T10:00")
    town.is_billed_again("awa", "2026-10-14T10:00", 3)
    town.pays("awa", 10_500, "2026-10-15T10:00")
    town.joins("binta", 5, "2026-11-02T10:00")
    town.pays("binta", 5_000, "2026-11-10T10:00")
    town.joins("seynabou", 2, "2026-11-20T10:00")
    town.pays("lost", 6_500, "2026-11-21T10:00", payer=STRANGER)
    receipt_id = town.pays("found", 1_000, "2026-11-25T10:00", payer=STRANGER)
    town.by_hand("seynabou", receipt_id, "2026-11-26T10:00")
    town.joins("khady", 1, "2026-11-28T10:00")
    town.proves("fatou", "indigent", "2026-10-01", "LISTED1")
    town.proves("modou", "indigent", "2026-10-01", "LISTED2")
    town.lists("2026-10-01T10:00", "LISTED1", "LISTED2", "LISTED3")  # the third is no member
    town.lists("2026-12-02T10:00", "LISTED1", "LISTED4")  # the month after
    town.calls("2026-11-10T09:55", PHONES["binta"], "pay.confirm", ORANGE, 4)
    town.calls("2026-11-28T09:58", PHONES["khady"], "join.confirm", ORANGE, 8)
    town.calls("2026-11-29T11:00", "+221770008881", "", FREE, 3)
    town.calls("2026-11-30T23:30", "+221770008882")
    town.calls("2026-12-01T00:30", "+221770008883")  # the month after
    at("2026-12-05T10:00")
    return town
