"""What may be claimed: categories and evidence, odd units, days. What is not claimed is left out."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mutuelle import clock, db
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.errors import Refused
from mutuelle.households.households import Member
from mutuelle.organisation import tenants
from mutuelle.payments import ledger
from mutuelle.subsidies import claim_checks, claim_drafts, claim_whole_bills
from mutuelle.subsidies.claim_balances import ClaimBalances
from mutuelle.subsidies.claim_lines import ClaimHousehold, ClaimMember, DraftLine, PayableLine, Period
from mutuelle.subsidies.claim_shares import shares
from mutuelle.subsidies.claim_steps import PayerAnswer
from tests.mutuelle.subsidies import world as offices
from tests.mutuelle.subsidies.world import DECEMBER, JANUARY, ClaimsWorld
from tests.support.templates import Database


def owed(office: ClaimsWorld, period: Period) -> int:
    """Returns the State's part of all bills of the period."""
    query = text(
        "SELECT coalesce(sum(l.amount), 0) FROM bill_lines l JOIN bills b ON b.id = l.bill_id"
        " WHERE l.payer = 'state' AND b.issued BETWEEN :since AND :until"
    )
    with db.transaction(db.Role.AUDITOR) as session:
        return int(session.scalar(query, {"since": period.since, "until": period.until}) or 0)


@given(st.integers(-10_000, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_parts_add_up_and_only_the_head_carries_odd_units(units: int, weights: list[int]) -> None:
    parts = shares(units, weights)
    assert sum(parts) == units
    if any(weights):
        exact = [abs(units) * weight / sum(weights) for weight in weights]
        assert all(abs(part) <= whole for part, whole in zip(parts[1:], exact[1:], strict=True))


def test_evidence_must_be_checked_and_in_force_when_cover_begins(office: ClaimsWorld) -> None:
    checked, claimed, expired = (office.joins(category="indigent", paid=0) for _ in range(3))
    office.on("2026-11-25")
    for household_id in (checked, claimed, expired):
        office.bills(household_id, "indigent")
    office.proven(checked, "document")
    office.proven(expired, "list", until=date(2026, 12, 20))
    claim = office.draft(DECEMBER)
    lines = [row.csv_line.line for row in office.lines(claim)]
    assert {(line.household_id, line.category, line.amount) for line in lines} == {
        (checked, "indigent", 7_000)
    }
    assert {line.evidence.partition(", dossier ")[0] for line in lines} == {
        "document vu, depuis le 2026-11-25"
    }
    assert lines[0].days_from == date(2026, 12, 25)
    left_out = {"evidence-missing": 21_000, "evidence-expired": 21_000, "not-open": 31_500}
    assert office.left_out(claim) == left_out
    with office.console() as session:
        assert claim_checks.remake(session, claim).differences == []


def test_who_left_before_the_bill_and_who_came_after_it_are_not_on_it(office: ClaimsWorld) -> None:
    household_id = office.joins()
    with db.transaction(db.Role.APP, office.tenant_id) as session:
        born = Member(
            tenant_id=office.tenant_id,
            id=clock.new_id(),
            household_id=household_id,
            kind="dependant",
            birth_year=2026,
            provisional=True,
            since=date(2026, 11, 23),
        )
        session.add(born)
    claim = office.draft(DECEMBER)
    assert len(office.members(household_id)) == 4
    assert claim.lines == 3


def test_a_claim_made_again_names_what_was_recorded_since_and_what_differs(
    office: ClaimsWorld, module_database: Database
) -> None:
    office.joins()
    late_household_id = office.joins(named=False)
    claim = office.draft(DECEMBER)
    office.name(late_household_id)
    office.pays(late_household_id, 100)
    with office.console() as session:
        made = claim_checks.remake(session, claim)
    assert made.differences == []
    assert len(made.since) == 3
    assert all("(provisional)" in message for message in made.since)
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE members SET name = 'Awa Diop' WHERE name = 'Awa Ndiaye' AND birth_year = 1985"
        )
        connection.execute("DELETE FROM allocations")
    with office.console() as session:
        made = claim_checks.remake(session, claim)
    assert made.differences == [f"line {n}: it could not be claimed (not-open)" for n in (1, 2, 3)]


def test_money_that_was_recorded_later_does_not_change_what_a_claim_was_made_from(
    office: ClaimsWorld,
) -> None:
    office.joins()
    late_household_id, joined = office.joins(paid=0), office.now
    claim = office.draft(DECEMBER)
    # The operator's list arrives after the claim, with money of November.
    office.pays(late_household_id, 10_500, at=joined)
    with office.console() as session:
        assert claim_checks.remake(session, claim) == claim_checks.ClaimComparison()
    assert office.draft(DECEMBER, on="2027-01-03").total == 10_500


def test_a_draft_whose_rights_are_gone_is_stale_for_the_second_person(
    office: ClaimsWorld, module_database: Database
) -> None:
    office.joins()
    claim = office.draft(DECEMBER)
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE consents SET given = false")
    with pytest.raises(Refused) as stale:
        office.check(claim)
    assert (stale.value.key, stale.value.values) == (
        "claim.stale",
        {"first": "line 1: it could not be claimed (no-consent)"},
    )


HOUSEHOLDS = st.lists(
    st.tuples(
        st.tuples(st.integers(1950, 2000), st.lists(st.integers(1950, 2024), max_size=3)).map(
            lambda people: (people[0], *people[1])
        ),  # born, the head first
        st.integers(0, 2),  # unnamed
        st.sampled_from(["whole", "part", "none", "taken-back"]),
        st.booleans(),  # indigent, and proven
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(families=HOUSEHOLDS, answers=st.lists(st.booleans(), min_size=32, max_size=32))
def test_claimed_and_left_out_add_up_to_what_the_payer_owes_and_to_the_ledger(
    office: ClaimsWorld,
    module_database: Database,
    families: list[tuple[tuple[int, ...], int, str, bool]],
    answers: list[bool],
) -> None:
    module_database.empty()
    office = offices.opened(module_database.url)
    for born, unnamed, paying, indigent in families:
        family(office, born, unnamed, paying, indigent)
    period = Period(date(2026, 11, 1), DECEMBER.until)
    office.on("2027-01-02")
    with office.console() as session:
        tenant = tenants.get(session, office.tenant_id)
        lines, left_out = claim_drafts.preview(session, tenant, "state", period)
    assert sum(line.amount for line in lines) + sum(part.amount for part in left_out) == owed(office, period)
    if lines:
        claim = office.draft(period)
        assert claim.total == sum(line.amount for line in lines)
        assert claim.total == sum(row.csv_line.line.amount for row in office.lines(claim))
        office.send(claim)
        payer_answers = [
            PayerAnswer(n, good, "" if good else "inconnu")
            for n, good in zip(range(1, claim.lines + 1), answers, strict=False)
        ]
        office.answer(claim, *payer_answers)
        sums = office.sums(claim)
        assert sums.requested == claim.total == sums.accepted + sums.rejected
        assert office.balance(ledger.receivable_of(office.tenant_id, "state")) == -sums.rest == -sums.accepted
        if sums.rest:
            office.pay(claim, sums.rest)
        assert office.now_is(claim).state == "paid"
        # Every line was accepted, or rejected and not asked for again.
        with pytest.raises(Refused, match=r"claim\.nothing"):
            office.draft(JANUARY)
    office.books_hold()


def family(office: ClaimsWorld, born: tuple[int, ...], unnamed: int, paying: str, indigent: bool) -> None:
    born = tuple(sorted(born))
    household_id = office.joins(born, category="indigent" if indigent else "general", named=False, paid=0)
    office.name(household_id, but=unnamed)
    due = 3_500 * len(born)
    if paying != "none":
        transaction = office.pays(household_id, due if paying != "part" else 500)
        if paying == "taken-back":
            office.taken_back(transaction, due)
    if indigent:
        office.now += timedelta(days=1)
        office.proven(household_id, "agent-visit")
        office.bills(household_id, "indigent", born)


@given(
    claimed=st.lists(st.integers(1, 5_000), min_size=3, max_size=3),
    less=st.integers(1, 15_000),
    leaver=st.integers(0, 2),
)
def test_who_left_gives_back_no_more_than_was_asked_for_them_and_the_others_carry_the_rest(
    claimed: list[int], less: int, leaver: int
) -> None:
    day, ids = date(2026, 11, 22), [UUID(int=n) for n in range(4)]
    people = [ClaimMember(ids[n], n == 0, f"N{n}", 1980, day, None) for n in range(3)]
    bill = PayableLine(
        ids[3], ids[3], day, day, sum(claimed), "", "SN-CMU", day, "year", (1980,) * 3, None, "state"
    )
    lines = [
        DraftLine(
            ids[0], "", member.id, "N", 1980, "", "SN-CMU", day, "", "", day, day, day, units, ids[3], None
        )
        for member, units in zip(people, claimed, strict=True)
    ]
    household = ClaimHousehold(ids[0], "", tuple(people), (), day, HouseholdBooks(()), (bill,), ())
    smaller = replace(bill, line_id=ids[2], amount=-less)
    others = [member for member in people if member.id != ids[leaver]]
    ledger = ClaimBalances(household)
    ledger.book(bill.bill_id, lines)
    parts = claim_whole_bills.split_decrease(ledger, smaller.bill_id, [(people[leaver], -less)], others)
    given_back = {member.id: -units for member, units in parts}
    assert sum(given_back.values()) == less
    assert given_back[ids[leaver]] == min(less, claimed[leaver]) or sum(claimed) < less
    assert all(given_back.get(member.id, 0) <= claimed[n] for n, member in enumerate(people) if n != leaver)
