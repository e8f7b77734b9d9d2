"""One member: a new-born, a child grown too old, the seventh person, one who came or left; days by hand."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover import household_rights, member_rights
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.member_rights import InsuredPerson, on_bill, too_old
from mutuelle.schemes import schemes
from tests.mutuelle.schemes.world import scheme

TODAY = date(2026, 11, 22)
BILL = UUID(int=1)
SENEGAL, MALI, RAMED, TOGO = (schemes.get(code) for code in ("SN-CMU", "ML-5050", "ML-RAMED", "TG-AMU-TNS"))


def due(book, born, issued=TODAY, changes=(), bill_id=BILL, covered_until=None, **options):
    q = quote(book, born, on=issued, covered_until=covered_until, checked=True, **options)
    return BillState(
        bill_id,
        "dues",
        issued,
        book.code,
        date.fromisoformat(q.version),
        q.option,
        q.shares["member"],
        q.total,
        q.period_from,
        q.period_until,
        tuple(changes),
    )


def person(number, born, since=TODAY, until=None, **more):
    return InsuredPerson(UUID(int=number), number == 1, born, since, until, **more)


def member_timeline(book, dues, paid, people, member):
    timeline = member_rights.timeline(book.version, dues, paid, people, member)
    return [
        (i.state, i.since.isoformat(), i.reason.removeprefix("rights."), i.next_step.removeprefix("rights."))
        for i in timeline
    ]


PARENTS = [person(1, 1985), person(2, 1990)]
BIRTH = date(2027, 3, 1)


def test_a_new_born_is_covered_from_the_day_its_share_is_paid():
    baby = person(3, 2027, BIRTH)
    grown_bill = due(SENEGAL, [1985, 1990], changes=[Change(BIRTH, 2_916, 5_832)])  # 3 500 x 10/12
    paid = [BillPayment(BILL, TODAY, 7_000)]
    assert member_timeline(SENEGAL, [grown_bill], paid, [*PARENTS, baby], baby) == [
        ("never", "2026-11-22", "not-yet-member", "wait"),
        ("part-paid", "2027-03-01", "part-paid", "pay-to-open"),
    ]
    paid.append(BillPayment(BILL, date(2027, 3, 20), 2_916))
    assert member_timeline(SENEGAL, [grown_bill], paid, [*PARENTS, baby], baby)[1:] == [
        ("part-paid", "2027-03-01", "part-paid", "pay-to-open"),
        ("open", "2027-03-20", "open", "nothing-to-do"),
        ("lapsed", "2027-12-22", "over", "renew"),
    ]
    assert member_timeline(SENEGAL, [grown_bill], paid[:1], [*PARENTS, baby], PARENTS[0])[1][:2] == (
        "open",
        "2026-12-22",
    )


def test_a_new_born_who_costs_nothing_is_covered_at_once():
    free = scheme(pricing={"basis": "person", "free_below": 5})
    baby = person(3, 2027, BIRTH)
    paid = [BillPayment(BILL, TODAY, 7_000)]
    assert member_timeline(free, [due(free, [1985, 1990])], paid, [*PARENTS, baby], baby)[1][:2] == (
        "open",
        "2027-03-01",
    )


def test_a_new_born_whose_waiting_is_waived_does_not_wait_with_the_others():
    spares = scheme(waiting={"days": 30, "waived_below": 5})
    baby = person(3, 2026)
    paid = [BillPayment(BILL, TODAY, 10_500)]
    family = [*PARENTS, baby]
    assert member_timeline(spares, [due(spares, [1985, 1990, 2026])], paid, family, baby)[0][:2] == (
        "open",
        "2026-11-22",
    )
    assert member_timeline(spares, [due(spares, [1985, 1990, 2026])], paid, family, PARENTS[1])[0][:2] == (
        "waiting",
        "2026-11-22",
    )


def test_a_child_over_age_keeps_what_was_paid_and_then_sees_an_agent():
    # Mali: children below 18. Born in 2009: 17 on the bill of 2026, 18 from 2027 on.
    child = person(3, 2009)
    family = [*PARENTS, child]
    first = due(MALI, [1985, 1990, 2009])
    assert member_timeline(MALI, [first], [BillPayment(BILL, TODAY, 9_900)], family, child) == [
        ("waiting", "2026-11-22", "waiting", "wait"),
        ("open", "2027-02-20", "open", "nothing-to-do"),
        ("never", "2028-02-20", "over-age", "ask-agent"),
    ]
    version = MALI.on(TODAY)
    assert on_bill(version, family, TODAY, TODAY) == [1985, 1990, 2009]
    assert on_bill(version, family, date(2028, 2, 20), date(2028, 2, 20)) == [1985, 1990]
    again = due(MALI, [1985, 1990], date(2028, 2, 1), bill_id=UUID(int=2), covered_until=date(2028, 2, 19))
    paid = [BillPayment(BILL, TODAY, 9_900), BillPayment(UUID(int=2), date(2028, 2, 1), 6_600)]
    assert member_timeline(MALI, [first, again], paid, family, child)[-1] == (
        "never",
        "2028-02-20",
        "over-age",
        "ask-agent",
    )
    assert member_timeline(MALI, [first, again], paid, family, PARENTS[1])[-2][0] == "open"


def test_the_rules_of_the_newest_bill_say_up_to_which_age_a_child_is_covered():
    older = MALI.on(TODAY)  # below 18
    limits = older.dependants.model_copy(update={"child_below": 21})
    newer = older.model_copy(update={"dependants": limits})
    first, second = due(MALI, [1985, 1990, 2009]), date(2028, 2, 1)
    again = due(MALI, [1985, 1990, 2009], second, bill_id=UUID(int=2), covered_until=date(2028, 2, 19))
    again = replace(again, version=second)
    paid = [BillPayment(BILL, TODAY, 9_900), BillPayment(UUID(int=2), second, 9_900)]
    child = person(3, 2009)  # 19 in the second year, 20 when it is over
    timeline = member_rights.timeline(
        lambda since: newer if since == second else older, [first, again], paid, [*PARENTS, child], child
    )
    assert [(part.state, part.since) for part in timeline] == [
        ("waiting", TODAY),
        ("open", date(2027, 2, 20)),  # both years
        ("lapsed", date(2029, 2, 20)),  # over age under the rules of the first bill
        ("never", date(2030, 1, 1)),
    ]


@pytest.mark.parametrize(("student", "over"), [(False, True), (True, False)])
def test_a_student_counts_as_a_child_for_longer(student, over):
    version = RAMED.on(TODAY)  # below 14, students below 21
    assert too_old(version, person(3, 2010, student=student), TODAY) is over
    assert too_old(version, person(3, 2006, date(2023, 1, 1), student=student), date(2027, 1, 1))  # 21
    assert not too_old(version, person(2, 1990), TODAY)  # came as an adult


def test_the_seventh_person_is_named_and_takes_the_place_of_one_who_leaves():
    born = [1985, 1990, 2010, 2012, 2014, 2016, 2018]
    leaves = date(2027, 4, 1)
    people = [person(i, year, until=leaves if i == 3 else None) for i, year in enumerate(born, 1)]
    paid = [BillPayment(BILL, TODAY, 102_000)]
    bill = due(TOGO, born, option="year")
    assert member_timeline(TOGO, [bill], paid, people, people[6]) == [
        ("never", "2026-11-22", "over-limit", "ask-agent"),
        ("open", "2027-04-02", "open", "nothing-to-do"),
        ("lapsed", "2028-02-20", "over", "renew"),
    ]
    assert member_timeline(TOGO, [bill], paid, people, people[5])[0][0] == "waiting"
    assert member_timeline(TOGO, [bill], paid, people, people[2])[-1] == (
        "never",
        "2027-04-02",
        "left",
        "ask-agent",
    )


def test_where_the_bill_is_for_persons_rights_are_too():
    # Côte d'Ivoire bills each person: a newcomer is covered once that person's month is paid, and the others
    # stay covered.
    book = schemes.get("CI-CMU")
    came = date(2027, 2, 25)
    newcomer = person(3, 2000, came)
    bill = due(book, [1985, 1990], changes=[Change(came, 1_000, 1_000)])
    paid = [BillPayment(BILL, TODAY, 2_000)]
    assert member_timeline(book, [bill], paid, [*PARENTS, newcomer], newcomer)[1][0] == "part-paid"
    paid.append(BillPayment(BILL, date(2027, 2, 26), 1_000))
    assert member_timeline(book, [bill], paid, [*PARENTS, newcomer], newcomer)[2][:2] == (
        "open",
        "2027-02-26",
    )
    assert (
        household_rights.on(
            member_rights.timeline(book.version, [bill], paid, [*PARENTS, newcomer], PARENTS[0]), came
        ).state
        == "open"
    )
