"""Any story through the database: each monthly claim can be drafted and made again, and the books hold."""

from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutuelle import clock, db
from mutuelle.billing import adjustments
from mutuelle.enrolment import category_proofs
from mutuelle.errors import Refused
from mutuelle.households import households
from mutuelle.households.evidence import Evidence
from mutuelle.subsidies import claim_checks, claim_steps
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from tests.mutuelle.subsidies import world as offices
from tests.mutuelle.subsidies.claiming import month, month_after
from tests.mutuelle.subsidies.world import ClaimsWorld
from tests.support.templates import Database

EVENTS = st.tuples(
    st.sampled_from(["pays", "pays", "joins", "leaves", "reversed", "proven", "sponsored", "mistake"]),
    st.integers(3, 28),
    st.integers(0, 9),
)
ANSWERS = st.sampled_from(["accept", "reject", "wait", "cancel"])
STEPS = st.lists(st.tuples(st.lists(EVENTS, max_size=2), ANSWERS, st.booleans()), min_size=3, max_size=9)


class Family:
    """A household of three, and what happens to it."""

    def __init__(self, office: ClaimsWorld) -> None:
        self.office = office
        self.id = office.joins(paid=0)
        self.payments: list[tuple[str, int]] = []
        self.sponsored = self.proven = False

    def happens(self, event: str, number: int) -> None:
        office, day = self.office, clock.today("Africa/Dakar")
        if event == "pays":
            units = (1_500, 3_500, 7_000, 11_500)[number % 4]
            self.payments.append((office.pays(self.id, units), units))
        elif event == "reversed" and self.payments:
            office.taken_back(*self.payments.pop(number % len(self.payments)))
        elif event == "proven" and not self.proven:
            self.proven = True
            with office.console() as session:
                category_proofs.check(
                    session, office.tenant_id, self.id, "indigent", Evidence("agent-visit"), by="manager:1"
                )
        elif event == "sponsored" and not self.sponsored:
            self.sponsored = True
            office.helped(self.id, "secours", "Secours")
        elif event in ("joins", "mistake"):
            self.joins(day, number)
            if event == "mistake":
                self.leaves(day)
        elif event == "leaves":
            self.leaves(day)

    def joins(self, day: date, number: int) -> None:
        with db.transaction(db.Role.FEDERATION, self.office.tenant_id) as session:
            born = (1990, 2000, 2015, 2024)[number % 4]
            households.add_member(
                session, self.office.tenant_id, self.id, born=born, on=day, name=f"Ibou {number} Ndiaye"
            )
            adjustments.apply(session, self.office.tenant_id, self.id, day, "household")

    def leaves(self, day: date) -> None:
        present = [n for n, row in enumerate(self.office.members(self.id)) if row.until is None]
        if len(present) > 1:
            self.office.leaves(self.id, present[-1])


def claimed(office: ClaimsWorld, period: Period, answer: str, *, again: bool) -> None:
    try:
        claim = office.draft(period, again=again)
    except Refused as nothing:
        if nothing.key != "claim.nothing":
            raise
        return
    with office.console() as session:
        assert claim_checks.remake(session, claim) == claim_checks.ClaimComparison()
    if answer == "cancel":
        with office.console() as session:
            claim_steps.cancel(session, office.bakary, claim)
        return
    office.send(claim)
    if answer == "reject":
        office.answer(claim, PayerAnswer(1, False, "inconnu au registre"))
    if answer != "wait":
        office.accept(claim)


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_any_story_can_be_claimed_month_by_month(
    days_office: ClaimsWorld,
    module_database: Database,
    steps: list[tuple[list[tuple[str, int, int]], str, bool]],
) -> None:
    module_database.empty()
    office = offices.opened(module_database.url)
    family, period = Family(office), month(2026, 12)
    office.pays(family.id, 11_500)
    for events, answer, again in steps:
        for event, number, choice in sorted(events, key=lambda row: row[1]):
            office.on(period.since.replace(day=number).isoformat())
            family.happens(event, choice)
        claimed(office, period, answer, again=again)
        office.books_hold()
        period = month_after(period)
    claimed(office, period, "accept", again=True)
    office.books_hold()
