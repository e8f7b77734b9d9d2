"""Joining under every scheme.

Callers who are covered elsewhere or must prove first learn it at once; the others see their price.
"""

from dataclasses import replace

import pytest

from menus import engine, fit
from menus.flow import FLOW
from mutuelle.schemes import schemes
from tests.menus.world import facts

READY = ("BF-RAMU", "CI-CMU", "ML-RAMED", "MR-CNASS", "TG-AMU-TNS")


def screen_after(scheme, language, text, who="stranger", **more):
    """Returns the screen once `text` was typed, answer by answer."""
    opening = facts(scheme, language, who, **more)
    turn, typed = engine.turn(FLOW, None, opening, ""), ""
    for answer in text.split("*"):
        typed = f"{typed}*{answer}" if typed else answer
        turn = engine.turn(FLOW, turn.position, opening, typed)
    return turn.screen_text


@pytest.mark.parametrize(
    ("scheme", "digit", "language", "words"),
    [
        (
            "ML-RAMED",
            3,
            "fr",
            "Salarié (AMO): vous avez déjà l'AMO par l'employeur."
            " N'adhérez pas ici, vous paieriez deux fois.",
        ),
        (
            "ML-RAMED",
            3,
            "en",
            "Employee (AMO): you have AMO by the employer already. Do not join here, you would pay twice.",
        ),
        ("ML-5050", 3, "fr", "Salarié (AMO): vous avez déjà l'AMO par l'employeur."),
        ("TG-AMU-TNS", 2, "fr", "Vulnérable (registre): vous avez déjà l'assistance INAM."),
        ("BF-RAMU", 4, "fr", "Salarié: vous avez déjà la RAMU par la paie."),
        ("BF-RAMU", 5, "en", "Pensioner: you have RAMU by the pension already."),
        ("CI-CMU", 3, "fr", "Fonctionnaire: vous avez déjà la CMU par la solde."),
        ("MR-CNASS", 2, "en", "Taazour registry: you have CNAM already."),
        (
            "ML-RAMED",
            1,
            "fr",
            "Indigent: apportez d'abord à un agent de la mutuelle:"
            " certificat d'indigence de la mairie ou numéro RSU.",
        ),
        (
            "ML-RAMED",
            2,
            "en",
            "Admitted by right: first take to an agent of the mutuelle:"
            " attestation of the prison or children's home.",
        ),
    ],
)
def test_a_person_who_cannot_join_here_is_refused_before_typing_anything_else(scheme, digit, language, words):
    screen = screen_after(scheme, language, f"3*1*{digit}")
    assert screen.text.startswith(words)
    assert not screen.open


@pytest.mark.parametrize(
    ("scheme", "first", "lines"),
    [
        # Two adults and a child of 3: 2 x 1 000, the child costs nothing.
        (
            "CI-CMU",
            "3*1*1*2*1*85*90*23",
            ["3 personnes, pour 1 mois", "Votre part: 2 000 FCFA", "Part État: 0 FCFA"],
        ),
        ("TG-AMU-TNS", "3*1*1*2*1*85*90*23*1", ["3 personnes, pour 1 mois", "Votre part: 10 000 FCFA"]),
        ("TG-AMU-TNS", "3*1*1*2*1*85*90*23*4", ["3 personnes, pour 1 an", "Votre part: 102 000 FCFA"]),
        ("BF-RAMU", "3*1*2*2*1*85*90*23", ["3 personnes, pour 1 mois", "Votre part: 15 000 FCFA"]),
        (
            "MR-CNASS",
            "3*1*1*2*1*85*90*23",
            ["3 personnes, pour 1 an", "Votre part: 750 MRU", "Part État: 1 350 MRU"],
        ),
    ],
)
def test_a_person_who_can_join_sees_the_price_of_the_day(scheme, first, lines):
    text = first.replace("85*90*23", "859023")
    assert screen_after(scheme, "fr", text).text.split("\n")[: len(lines)] == lines


def test_a_scheme_with_several_periods_asks_which_with_its_price():
    screen = screen_after("TG-AMU-TNS", "fr", "3*1*1*2*1*859023")
    assert screen.text.split("\n")[:5] == [
        "Payer pour combien de temps ?",
        "1. 1 mois: 10 000 FCFA",
        "2. 3 mois: 28 500 FCFA",
        "3. 6 mois: 54 000 FCFA",
        "4. 1 an: 102 000 FCFA",
    ]


def test_the_seventh_person_of_togo_is_typed_and_shown_as_not_covered():
    assert screen_after("TG-AMU-TNS", "fr", "3*1*1*2*5").text.startswith("Adultes: 2, enfants: 5.")
    screen = screen_after("TG-AMU-TNS", "fr", "3*1*1*2*5*85901012141618*1").text
    assert screen.split("\n")[:2] == ["6 sur 7 couverts, 1 mois", "Votre part: 10 000 FCFA"]
    assert "20" in screen_after("TG-AMU-TNS", "fr", "3*1*1*21").text


def test_an_amount_of_ouguiyas_is_typed_in_whole_ouguiyas():
    # 420 000 khoums owed are 4 200 MRU; 1 000 typed is 100 000 khoums.
    screen = screen_after("MR-CNASS", "fr", "2*2*1000", who="new", household=owing(420_000))
    assert "1 000 MRU" in screen.text


def owing(units):
    household = facts("SN-CMU", "fr", "new").household
    return replace(household, owed=units, owed_dues=units, left_to_open=units)


def test_every_screen_fits_with_the_words_of_every_scheme():
    assert set(READY) <= set(schemes.load())
    assert fit.check(FLOW) == []
