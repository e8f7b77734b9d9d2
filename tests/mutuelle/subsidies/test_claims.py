"""A subsidy claim from joining to the money: its lines, the two people, answers, corrections, the books."""

import csv
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date

import pytest

from mutuelle import db
from mutuelle.errors import Refused
from mutuelle.payments import ledger
from mutuelle.subsidies import claim_steps, claim_store, claim_totals
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.verification import verify
from tests.mutuelle.subsidies.world import DECEMBER, JANUARY, NAMES, NOVEMBER, ClaimsWorld
from tests.support.templates import Database


def refused(act: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


@pytest.mark.every_postgres
def test_a_claim_from_joining_to_the_money(office: ClaimsWorld) -> None:
    household_id = office.joins()
    unnamed = office.joins(named=False)
    claim = office.draft()
    assert claim.number == "SN-TEST/ETAT/2027/001"
    assert (claim.state, claim.lines, claim.total) == ("drafted", 3, 10_500)
    rows = [
        (
            line.csv_line.line.name,
            line.csv_line.line.amount,
            line.csv_line.line.category,
            line.csv_line.line.rule,
        )
        for line in office.lines(claim)
    ]
    assert rows == [(name, 3_500, "general", "SN-CMU/2020-01-01/general/state") for name in NAMES[:3]]
    line = office.lines(claim)[0].csv_line.line
    assert (line.household_id, line.days_from.isoformat(), line.days_until.isoformat()) == (
        household_id,
        "2026-12-22",
        "2027-12-21",
    )
    assert line.evidence == f"adhésion {line.number}, consentement du 2026-11-22"
    assert office.left_out(claim) == {"provisional": 10_500}
    assert unnamed not in {line.csv_line.line.household_id for line in office.lines(claim)}

    assert refused(lambda: office.check(claim, office.bakary)).key == "claim.four-eyes"
    office.books_hold()
    office.send(claim)
    receivable, fund = ledger.receivable_of(office.tenant_id, "state"), ledger.fund_of(office.tenant_id)
    before = office.balance(fund)
    assert office.balance(receivable) == -10_500
    assert office.answer(claim, PayerAnswer(1, True), PayerAnswer(2, False, "déjà assuré ailleurs")) == 2
    assert office.answer(claim, PayerAnswer(1, True), PayerAnswer(2, False, "déjà assuré ailleurs")) == 0
    assert (office.balance(receivable), office.balance(fund)) == (-7_000, before - 3_500)
    assert refused(lambda: office.answer(claim, PayerAnswer(1, False, "autre chose"))).key == "claim.answered"
    office.books_hold()
    assert office.accept(claim) == 1
    assert refused(lambda: office.pay(claim, 7_001)).values == {"rest": 7_000}
    office.pay(claim, 5_000, "VIR 1")
    assert office.now_is(claim).state == "sent"
    assert refused(lambda: office.pay(claim, 1_000, "vir1")).values == {"number": claim.number}
    office.pay(claim, 2_000, "VIR 2")
    assert office.now_is(claim).state == "paid"
    assert (office.balance(receivable), office.balance(ledger.bank_of(office.tenant_id))) == (0, -7_000)
    office.books_hold()


def test_a_bill_whose_rights_did_not_open_is_left_out_until_they_do(office: ClaimsWorld) -> None:
    office.joins()
    nothing = refused(lambda: office.draft(NOVEMBER))
    assert (nothing.key, nothing.values) == ("claim.nothing", {"left_out": {"not-open": 10_500}})
    assert office.draft(DECEMBER).total == 10_500


def test_a_period_must_be_over_because_its_last_day_may_still_change(office: ClaimsWorld) -> None:
    office.joins()
    assert refused(lambda: office.draft(DECEMBER, on="2026-12-31")).key == "claim.not-over"
    assert (
        refused(lambda: office.draft(Period(DECEMBER.until, DECEMBER.since), on="2026-12-31")).key
        == "claim.period"
    )
    assert office.draft(DECEMBER, on="2027-01-01").total == 10_500


def test_one_unnamed_member_leaves_the_household_out(office: ClaimsWorld) -> None:
    household_id = office.joins(named=False)
    office.name(household_id, but=1)
    office.joins(born=(1980,))
    claim = office.draft()
    assert (claim.total, office.left_out(claim)) == (3_500, {"provisional": 10_500})
    office.name(household_id)
    office.send(claim)
    following = office.draft(on="2027-02-05")
    assert (following.number, following.total) == ("SN-TEST/ETAT/2027/002", 10_500)


def test_what_was_claimed_is_not_claimed_again_and_is_listed(office: ClaimsWorld) -> None:
    office.joins()
    first = office.draft(DECEMBER)
    assert refused(lambda: office.draft(JANUARY)).values == {"left_out": {}}  # its bill is of November
    with office.console() as session:
        stored = claim_store.by_number(session, first.number)
        assert stored is not None
    again = refused(lambda: office.draft(Period(NOVEMBER.since, JANUARY.until)))
    assert again.values == {"left_out": {"claimed": 10_500}}


def test_a_cancelled_draft_frees_its_lines(office: ClaimsWorld) -> None:
    office.joins()
    first = office.draft(DECEMBER)
    with office.console() as session:
        claim_steps.cancel(session, office.bakary, first)
    second = office.draft(DECEMBER)
    assert (second.number, second.total) == ("SN-TEST/ETAT/2026/002", 10_500)
    office.send(second)
    assert refused(lambda: office.check(first)).key == "claim.moved"
    office.books_hold()


@pytest.mark.every_postgres
def test_a_line_whose_rights_were_taken_back_is_corrected_in_the_next_claim(office: ClaimsWorld) -> None:
    household_id = office.joins(paid=0)
    transaction = office.pays(household_id, 11_500)
    claim = office.draft(DECEMBER)
    office.send(claim)
    office.on("2027-01-10")
    office.taken_back(transaction, 11_500)
    # The payer may still reject the lines.
    assert refused(lambda: office.draft(JANUARY)).values == {"left_out": {}}
    office.accept(claim)
    office.pay(claim, 10_500)
    following = office.draft(JANUARY)
    assert (following.lines, following.total) == (3, -10_500)
    assert [line.csv_line.corrects for line in office.lines(following)] == [
        f"{claim.number} {n}" for n in (1, 2, 3)
    ]
    assert office.left_out(following) == {"taken-back": 10_500}
    office.send(following)
    office.accept(following)
    assert office.sums(following).rest == -10_500
    assert refused(lambda: office.pay(following, 10_500)).key == "claim.amount"
    office.pay(following, -10_500)
    assert office.now_is(following).state == "paid"
    assert office.balance(ledger.receivable_of(office.tenant_id, "state")) == 0
    office.books_hold()


def test_rights_that_come_back_are_claimed_again_once_the_payer_took_the_correction(
    office: ClaimsWorld,
) -> None:
    household_id = office.joins(paid=0)
    transaction = office.pays(household_id, 11_500)
    claim = office.draft(DECEMBER)
    office.send(claim)
    office.accept(claim)
    office.on("2027-01-10")
    office.taken_back(transaction, 11_500)
    correction = office.draft(JANUARY)
    office.send(correction)
    office.pays(household_id, 11_500)
    march = Period(date(2027, 2, 1), date(2027, 3, 31))
    assert refused(lambda: office.draft(march)).values == {"left_out": {"taken-back": 10_500}}
    office.answer(correction, PayerAnswer(1, False, "déjà payé"))
    office.accept(correction)
    following = office.draft(march)
    assert [(line.csv_line.line.amount, line.csv_line.corrects) for line in office.lines(following)] == [
        (3_500, ""),
        (3_500, ""),
    ]
    office.send(following)
    office.books_hold()


def test_a_rejected_line_is_claimed_again_only_when_asked_and_names_the_first(office: ClaimsWorld) -> None:
    office.joins()
    claim = office.draft(DECEMBER)
    office.send(claim)
    office.answer(claim, PayerAnswer(3, False, "nom illisible"))
    assert refused(lambda: office.draft(JANUARY)).values == {"left_out": {"rejected": 3_500}}
    following = office.draft(JANUARY, again=True)
    assert [(line.csv_line.line.amount, line.csv_line.corrects) for line in office.lines(following)] == [
        (3_500, f"{claim.number} 3")
    ]
    office.send(following)
    office.books_hold()


def test_the_correction_names_who_left_and_the_line_that_was_claimed_for_them(office: ClaimsWorld) -> None:
    household_id = office.joins()
    first = office.draft(DECEMBER)
    office.send(first)
    office.answer(first, PayerAnswer(3, True))  # Fatou's; the others wait
    office.on("2027-01-10")
    office.leaves(household_id, 2)
    following = office.draft(JANUARY)
    rows = [
        (line.csv_line.line.name, line.csv_line.line.amount, line.csv_line.corrects)
        for line in office.lines(following)
    ]
    assert rows == [("Fatou Ndiaye", -3_500, f"{first.number} 3")]
    office.send(following)
    office.accept(following)
    office.accept(first)
    office.pay(first, 10_500)
    office.pay(following, -3_500)
    assert office.balance(ledger.receivable_of(office.tenant_id, "state")) == 0
    office.books_hold()


def test_what_was_rejected_for_who_left_does_not_go_back(office: ClaimsWorld) -> None:
    household_id = office.joins()
    first = office.draft(DECEMBER)
    office.send(first)
    office.answer(first, PayerAnswer(3, False, "inconnue au registre"))
    office.accept(first)
    office.on("2027-01-10")
    office.leaves(household_id, 2)
    left_out = {"nothing-back": -3_500, "rejected": 3_500}
    assert refused(lambda: office.draft(JANUARY)).values == {"left_out": left_out}
    assert office.sums(first).rest == 7_000  # the State owes for Awa and Modou, no less


@pytest.mark.every_postgres
def test_money_that_never_came_does_not_go_back(office: ClaimsWorld) -> None:
    """10 500 asked; on 10 January, in the first month of her year, Fatou leaves: her 3 500 less."""
    household_id = office.joins()
    first = office.draft(DECEMBER)
    office.send(first)
    office.on("2027-01-10")
    office.leaves(household_id, 2)
    assert refused(lambda: office.draft(JANUARY)).values == {"left_out": {"waiting": -3_500}}
    office.answer(first, *(PayerAnswer(place, False, "inconnu au registre") for place in (1, 2, 3)))
    assert refused(lambda: office.draft(JANUARY)).values == {
        "left_out": {"rejected": 10_500, "nothing-back": -3_500}
    }
    both = office.draft(JANUARY, again=True)
    assert [line.csv_line.line.amount for line in office.lines(both)] == [3_500, 3_500, 3_500, -3_500]
    office.send(both)
    office.answer(
        both, *(PayerAnswer(place, False, "inconnu au registre") for place in (1, 2, 3)), PayerAnswer(4, True)
    )
    back = office.draft(Period(date(2027, 2, 1), date(2027, 2, 28)))
    assert [(line.csv_line.line.amount, line.csv_line.corrects) for line in office.lines(back)] == [
        (3_500, f"{both.number} 4")
    ]
    office.send(back)
    office.accept(back)
    assert office.balance(ledger.receivable_of(office.tenant_id, "state")) == 0
    office.books_hold()


def test_one_transfer_of_the_bank_pays_once_whichever_claim_it_is_noted_on(
    office: ClaimsWorld, module_database: Database
) -> None:
    office.joins()
    late_household_id = office.joins(paid=0)
    first = office.draft(DECEMBER)
    office.pays(late_household_id, 11_500)
    sent = (first, office.draft(Period(date(2027, 2, 1), date(2027, 2, 28))))
    for claim in sent:
        office.send(claim)
    office.pay(sent[0], 4_000, "BCEAO 77/A")
    for same in ("BCEAO 77/A", "bceao77/a"):
        assert refused(lambda same=same: office.pay(sent[1], 4_000, same)).key == "claim.reference-known"
    with ThreadPoolExecutor(1) as other:  # two people note it at the same moment
        with office.console() as session:
            claim_steps.pay(session, office.bakary, sent[0], 500, "BCEAO 78", date(2027, 3, 2))
            second_payment = other.submit(refused, lambda: office.pay(sent[1], 500, "BCEAO 78"))
            wait([second_payment], timeout=0.3)
        assert second_payment.result().values == {"number": first.number}
    with office.console() as session:
        assert claim_totals.rests(session, sent) == {sent[0].id: 6_000, sent[1].id: 10_500}
    office.books_hold()
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO claim_payments SELECT tenant_id, gen_random_uuid(), %s, 1, 'bceao 77/A', on_day,"
            " noted_by, noted_at FROM claim_payments LIMIT 1",
            [sent[1].id],
        )
    with db.transaction(db.Role.AUDITOR) as session:
        broken = verify.run(session).broken
    assert {f"I12 claim-payment-once: claim {claim.number}" for claim in sent} <= set(broken)


@pytest.mark.parametrize(
    "reason", ["appeler 77 123 45 67", "appeler 771234567", "au +221 77.123.45.67", "no"]
)
def test_a_rejection_needs_a_reason_without_a_phone_number(reason: str) -> None:
    assert not claim_steps._is_reason(reason)
    assert claim_steps._is_reason("absent de la liste 12, page 345")


def test_the_hash_is_that_of_the_file_and_the_totals_are_those_of_the_lines(office: ClaimsWorld) -> None:
    office.joins()
    office.joins(born=(1970, 2001))
    claim = office.draft()
    with office.console() as session:
        file = claim_store.file(session, claim)
    assert hashlib.sha256(file).digest() == claim.lines_hash
    rows = list(csv.DictReader(file.decode().splitlines()))
    assert sum(int(row["amount"]) for row in rows) == claim.total == 17_500
    assert [row["line"] for row in rows] == ["1", "2", "3", "4", "5"]
