"""The derivation of rights line by line, for a household of every ready scheme; each sum is checked."""

import re
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from uuid import UUID

import pytest

from menus import texts
from mutuelle.contributions.bill_change import Change
from mutuelle.contributions.bills import BillState
from mutuelle.contributions.quotes import quote
from mutuelle.cover.cover_books import HouseholdBooks
from mutuelle.cover.cover_periods import BillPayment
from mutuelle.cover.explain import explain
from mutuelle.cover.explain_facts import BillBasis, ChangeBasis, ExplainFacts
from mutuelle.cover.member_rights import InsuredPerson
from mutuelle.schemes import schemes

TODAY = date(2026, 11, 22)
BILL, RECEIPT = UUID(int=1), UUID(int=2)
FR, EN = (texts.read(language, "rights") for language in ("fr", "en"))


def case(code, born, paid, category=None, checked=True, option=None, changes=(), issued=TODAY):
    """A household that joined on `issued` and paid `paid`: {days later: amount}."""
    book = schemes.get(code)
    price = quote(book, born, on=issued, category=category, checked=checked, option=option)
    bill = BillState(
        BILL,
        "dues",
        issued,
        code,
        date.fromisoformat(price.version),
        price.option,
        price.shares["member"],
        price.total,
        price.period_from,
        price.period_until,
        tuple(Change(c.on, c.shares["member"], sum(c.shares.values())) for c in changes),
        UUID(int=9),
    )
    money = tuple(BillPayment(BILL, issued + timedelta(days), units, RECEIPT) for days, units in paid.items())
    people = [InsuredPerson(UUID(int=100 + i), i == 0, year, issued) for i, year in enumerate(born)]
    bases = {BILL: BillBasis(tuple(born), price.billed_category, price.shares, tuple(changes))}
    return ExplainFacts(
        "9515893698",
        book.currency,
        book.zone,
        HouseholdBooks((bill,), money),
        bases,
        {RECEIPT: "T1"},
        people,
    )


def plain(line):
    """A line without sources and names of currencies."""
    return re.sub(r" (FCFA|RWF|F RWF|MRU|UM)\b", "", re.sub(r" \[.*\]", "", line))


def check_with_a_pencil(lines):
    """Checks every `a x b + c = d`; parts are rounded down to whole units of the currency."""
    checked = 0
    for line in lines:
        for worked, result in re.findall(
            r"(?<![\d/])([\d ,/x+-]*\d [x+-] [\d ,/x+-]*\d) = (-?\d[\d ]*(?:,\d\d)?)", plain(line)
        ):
            expression = re.sub(r"(?<=\d) (?=\d{3}\b)", "", worked).replace(",", ".").replace(" ", "")
            terms = re.findall(r"([+-]?)([^+-]+)", expression)
            total = Fraction(0)
            for sign, term in terms:
                value = Fraction(1)
                for factor in term.split("x"):
                    value *= Fraction(factor)
                total += -value if sign == "-" else value
            printed = Fraction(result.replace(" ", "").replace(",", "."))
            assert 0 <= total - printed < 1 or "plus" in line or "arrondi" in line, line
            checked += 1
    return checked


CASES = {
    "SN-CMU": (
        {"born": [1985, 1990, 2012, 2015, 2016, 2019], "paid": {0: 10_000, 9: 11_000}},
        date(2027, 1, 15),
        [
            "  Prix : 6 x 7 000 = 42 000",
            "  État : 1/2 x 42 000 = 21 000",
            "  Membre : 42 000 - 21 000 = 21 000",
            "  Payé le 22/11/2026 (T1) : 0 + 10 000 = 10 000",
            "  Payé le 01/12/2026 (T1) : 10 000 + 11 000 = 21 000",
            "  Seuil : 21 000 ouvre 12 mois : atteint le 01/12/2026",
            "Couverture : 01/12/2026 + 0 mois = 01/12/2026, + 30 jours d'attente = 31/12/2026",
            "  Couvre du 31/12/2026 au 30/12/2027",
            "Le 15/01/2027 : couvert, du 31/12/2026 au 30/12/2027",
            "Raison : Les droits sont ouverts.",
            "Suite : Rien à faire.",
        ],
    ),
    "ML-5050": (
        {"born": [1985, 1990, 2015], "paid": {0: 1_700}},
        date(2027, 2, 25),
        [
            "  Prix : 3 x 6 600 = 19 800",
            "  Membre : 19 800 - 9 900 = 9 900",
            "  Seuil : 1/12 x 9 900 = 825 ouvre 1 mois : atteint le 22/11/2026",
            "  Seuil : 1/6 x 9 900 = 1 650 ouvre 2 mois : atteint le 22/11/2026",
            "  Seuil : 1/4 x 9 900 = 2 475 ouvre 3 mois : pas encore atteint",
            "Couverture : 22/11/2026 + 0 mois = 22/11/2026, + 90 jours d'attente = 20/02/2027",
            "  Couvre du 20/02/2027 au 19/04/2027",
            "Le 25/02/2027 : couvert, du 20/02/2027 au 19/04/2027",
        ],
    ),
    "ML-RAMED": (
        {"born": [1985, 1990, 2015], "paid": {}, "category": "indigent"},
        TODAY,
        [
            "  Membre : 19 800 - 16 830 - 2 970 = 0",
            "  Rien n'est payé",
            "  Seuil : 0 ouvre 12 mois : atteint le 22/11/2026",
        ],
    ),
    "RW-CBHI": (
        {"born": [1985, 1990, 2012, 2015, 2016], "paid": {3: 19_000}, "category": "level-3"},
        date(2026, 12, 1),
        [
            "  Période : du 01/07/2026 au 30/06/2027",
            "  Prix : 5 x 5 000 = 25 000",
            "  Seuil : 3/4 x 25 000 = 18 750, au pas de 1 000 : 19 000 ouvre 6 mois : atteint le 25/11/2026",
            "  Seuil : 25 000 ouvre 12 mois : pas encore atteint",
            "Couverture : seuil atteint le 25/11/2026, année dès le 01/07/2026 : commence le 25/11/2026",
            "  Couvre du 25/11/2026 au 31/12/2026",
            "Suite : Payer le reste.",
        ],
    ),
    "TG-AMU-TNS": (
        {"born": [1985, 1990, 2010, 2012, 2014, 2016, 2018], "paid": {0: 28_500}, "option": "quarter"},
        TODAY,
        [
            "  7 personnes, 6 couvertes au plus : les suivantes ne comptent pas",
            "  Prix : 1 x 28 500 = 28 500",
            "Couverture : 22/11/2026 + 0 mois = 22/11/2026, + 90 jours d'attente = 20/02/2027",
            "Le 22/11/2026 : en attente, du 22/11/2026 au 19/02/2027",
        ],
    ),
    "CI-CMU": (
        {"born": [1985, 1990, 2012, 2015, 2016, 2023], "paid": {0: 5_000}},
        date(2027, 2, 22),
        [
            "  Gratuit : 1 de moins de 5 ans",
            "  Prix : 5 x 1 000 = 5 000",
            "Couverture : 22/11/2026 + 3 mois = 22/02/2027, + 0 jours d'attente = 22/02/2027",
            "Le 22/02/2027 : couvert, du 22/02/2027 au 21/03/2027",
        ],
    ),
    "BF-RAMU": (
        {"born": [1985, 1990, 2015], "paid": {0: 4_000}},
        TODAY,
        ["  Seuil : 4 000 ouvre 1 mois : atteint le 22/11/2026"],
    ),
    "MR-CNASS": (
        {"born": [1985, 1990, 2012, 2015, 2016, 2019], "paid": {0: 150_000}},
        TODAY,
        [
            "  Prix : 6 x 700 = 4 200",
            "  État : 6 x 450 = 2 700",
            "  Payé le 22/11/2026 (T1) : 0 + 1 500 = 1 500",
        ],
    ),
}


def test_every_scheme_that_is_ready_is_explained():
    assert set(CASES) == {book.code for book in schemes.load().values() if book.status == "ready"}


@pytest.mark.parametrize("code", CASES)
def test_a_household_is_explained_line_by_line(code):
    household, on, expected = CASES[code]
    lines = explain(case(code, **household), on, FR)
    plain_lines = [plain(line) for line in lines]
    assert [line for line in expected if line not in plain_lines] == [], "\n".join(plain_lines)
    assert check_with_a_pencil(lines) >= 1
    assert len(explain(case(code, **household), on, EN)) == len(lines)


SHARES = {"member": 2_916, "state": 2_916}
FOUR = (1985, 1990, 2015, 2026)
GROWN = ChangeBasis(date(2027, 3, 1), "household", FOUR, "general", date(2020, 1, 1), 10, SHARES)


def test_a_change_in_mid_year_is_explained():
    lines = explain(case("SN-CMU", [1985, 1990, 2015], {0: 10_500}, changes=[GROWN]), date(2027, 3, 2), FR)
    plain_lines = [plain(line) for line in lines]
    assert "  Changement le 01/03/2027 (ménage) : 4 personnes, catégorie general" in plain_lines
    assert "  Membre : 14 000 x 10/12 = 11 666, moins 10 500 x 10/12 = 8 750 : + 2 916" in plain_lines
    assert "  Part du membre : 10 500 + 2 916 = 13 416" in plain_lines
    assert plain_lines[-3] == "Le 02/03/2027 : couvert, du 22/12/2026 au 21/12/2027"
    assert plain_lines[-1] == "Suite : Payer le reste."
    assert check_with_a_pencil(lines) >= 8
    facts = case("SN-CMU", [1985, 1990, 2015], {0: 10_500}, changes=[GROWN])
    baby = InsuredPerson(UUID(int=200), False, 2026, date(2027, 3, 1))
    own = explain(replace(facts, people=[*facts.people, baby]), date(2027, 3, 2), FR, baby)
    assert (
        plain(own[-4])
        == "  Cotisation du 22/11/2026 : la part qui compte ce membre est de 13 416, payé 10 500"
    )
    assert own[-3].startswith("Le 02/03/2027 : payé en partie")
    before = explain(case("SN-CMU", [1985, 1990, 2015], {0: 10_500}, changes=[GROWN]), date(2027, 2, 28), FR)
    assert not any("Changement" in line for line in before)


def test_a_change_that_counts_with_earlier_ones_is_not_worked_out_alone():
    """The bill had opened nothing: it costs the whole price of four, 3 500 more, not 10/12 of it."""
    whole = replace(GROWN, months=12, shares={"member": 2_917, "state": 2_917})
    lines = explain(case("SN-CMU", [1985, 1990, 2015], {}, changes=[whole]), date(2027, 3, 2), FR)
    assert "  Membre : 14 000 pour la période ; avec ce qui était déjà compté : + 2 917" in map(plain, lines)
    assert check_with_a_pencil(lines) >= 4


@pytest.mark.parametrize(
    ("place", "why"), [(0, "Les droits sont ouverts."), (6, "Cette personne dépasse le nombre")]
)
def test_the_seventh_person_of_togo_is_shown_the_reason(place, why):
    household, _, _ = CASES["TG-AMU-TNS"]
    facts = case("TG-AMU-TNS", **household)
    lines = explain(facts, date(2027, 3, 1), FR, facts.people[place])
    assert lines[-2].startswith(f"Raison : {why}")
    assert (lines[-1] == "Suite : Voir un agent de la mutuelle.") == (place == 6)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_languages_hold_the_same_words_and_placeholders(language):
    words = texts.read(language, "rights")
    assert all(text.strip() for text in words.values())
    assert {name: texts.placeholders(text) for name, text in words.items()}.keys() == FR.keys()
    assert all(set(texts.placeholders(words[name])) == set(texts.placeholders(FR[name])) for name in FR)
