"""Whatever two mutuelles draft, decide and are answered: no draft asks for a day claimed elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mutuelle import clock, db
from mutuelle.cover import day_spans
from mutuelle.errors import Refused
from mutuelle.households import duplicate_decisions
from mutuelle.subsidies import claim_checks
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.subsidies.claim_store import Claim
from tests.mutuelle.subsidies import world as offices
from tests.mutuelle.subsidies.duplicates_world import (
    joins_again,
    look_for_duplicates,
    pairs,
    second_office,
)
from tests.mutuelle.subsidies.world import ClaimsWorld
from tests.support.templates import Database

VERDICTS = ("same-earlier", "same-later", "different")
ACTS = ("draft", "draft-again", "accept", "reject", "cancel", "look", "leaves", *VERDICTS)
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 1)), min_size=4, max_size=14)
Days = tuple[date, date]


@dataclass
class Federation:
    """A family that is a member of two mutuelles, and a third time of the first one."""

    offices: tuple[ClaimsWorld, ClaimsWorld]
    homes: tuple[UUID, UUID, UUID]
    claims: list[tuple[ClaimsWorld, Claim]] = field(default_factory=list)
    verdict: str | None = None
    months: int = 1

    def act(self, act: str, place: int) -> None:
        office = self.offices[place]
        match act:
            case "draft" | "draft-again":
                self.draft(office, again=act == "draft-again")
            case "accept" | "reject":
                self.answer(act == "accept")
            case "cancel" if self.claims and self.claims[-1][1].state == "drafted":
                self.cancel(*self.claims[-1])
            case "look":
                look_for_duplicates(*self.offices)
            case "leaves" if len(self.offices[0].members(self.homes[0])) == 3:
                self.offices[0].leaves(self.homes[0], 2)
            case "same-earlier" | "same-later" | "different":
                self.decide(office, act)

    def cancel(self, office: ClaimsWorld, claim: Claim) -> None:
        self.claims = [(owner, other) for owner, other in self.claims if other.id != claim.id]
        with office.console() as session:
            offices.claim_steps.cancel(session, office.bakary, office.now_is(claim))

    def decide(self, office: ClaimsWorld, verdict: str) -> None:
        ids = [pair.id for pair in pairs(office)]
        if ids:
            with office.console() as session:
                duplicate_decisions.decide(session, office.bakary, ids, verdict=verdict, why="papers")

    def draft(self, office: ClaimsWorld, *, again: bool) -> None:
        """Drafts until a day later each time, and asserts that nothing stood claimed already."""
        until = date(2027, 1, 1) + timedelta(3 * self.months)
        self.months += 1
        before, different = self.standing(), self.different()
        try:
            claim = office.draft(Period(until.replace(day=1), until), again=again)
        except Refused:  # there is nothing to claim
            return
        self.claims.append((office, claim))
        different |= self.different()  # the draft finds pairs, too
        couples = {
            frozenset((pair.member_id, pair.later_member_id)) for each in self.offices for pair in pairs(each)
        }
        for row in office.lines(claim):
            line = row.csv_line.line
            for member_id, days in before:
                couple = frozenset((member_id, line.member_id))
                if line.amount > 0 and couple in couples - different:
                    assert line.days_until < days[0] or line.days_from > days[1]

    def different(self) -> set[frozenset[UUID]]:
        """Returns the pairs of members that the newest decision calls two people."""
        by_id = {pair.id: pair for office in self.offices for pair in pairs(office)}
        with db.transaction(db.Role.AUDITOR) as session:
            decisions = duplicate_decisions.newest(session, list(by_id.values()))
        return {
            frozenset((by_id[pair_id].member_id, by_id[pair_id].later_member_id))
            for pair_id, decision in decisions.items()
            if decision.verdict == "different"
        }

    def standing(self) -> list[tuple[UUID, Days]]:
        """The members and days that are asked for, without those rejected or taken back."""
        days: dict[tuple[UUID, UUID], list[Days]] = {}
        for office, claim in self.claims:
            for row in office.lines(claim):
                line = row.csv_line.line
                spans = days.setdefault((line.member_id, line.bill_line_id), [])
                if row.answer != "rejected":
                    own = (line.days_from, line.days_until)
                    is_asked = line.amount > 0
                    spans[:] = (
                        day_spans.merge([*spans, own]) if is_asked else day_spans.subtract(spans, [own])
                    )
        return [(member_id, span) for (member_id, _), spans in days.items() for span in spans]

    def answer(self, accepted: bool) -> None:
        """Sends every claim and answers the lines that have no answer; a claim that is stale is cancelled."""
        for office, drafted in list(self.claims):
            claim = office.now_is(drafted)
            if claim.state == "drafted":
                try:
                    office.send(claim)
                except Refused:  # a duplicate was found since
                    self.cancel(office, claim)
                    continue
            answers: Sequence[PayerAnswer] = [
                PayerAnswer(row.csv_line.position, accepted, "" if accepted else "inconnu")
                for row in office.lines(claim)
                if row.answer is None
            ]
            if answers:
                office.answer(office.now_is(claim), *answers)
        self.claims = [(office, office.now_is(claim)) for office, claim in self.claims]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS)
@example([("draft", 1), ("reject", 0), ("draft", 1), ("draft", 0)])  # days of both, between each other
def test_no_draft_asks_for_a_day_on_which_the_person_stands_claimed_elsewhere(
    module_database: Database, steps: list[tuple[str, int]]
) -> None:
    module_database.empty()
    office = offices.opened(module_database.url)
    try:
        second = second_office(office)
        first = office.joins()
        there = joins_again(second, first)
        third = joins_again(office, first)
        federation = Federation((office, second), (first, there, third))
        for act, place in steps:
            federation.act(act, place)
        office.books_hold()
        for owner, claim in federation.claims:
            with owner.console() as session:
                assert claim_checks.remake(session, claim).differences == []
    finally:
        db.disconnect()
        clock.install(clock.Source())
