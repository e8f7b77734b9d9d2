"""Tests of *Parrains*: adding a sponsor, helping a household, and mistakes refused in French."""

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from mutuelle import db
from tests.gateway.console.conftest import Site

GOOD = {
    "nom": "Commune de Diender",
    "code": "commune-2026",
    "genre": "commune",
    "part": "50",
    "plafond": "500 000",
}


@pytest.mark.browser
def test_a_sponsor_is_noted_and_helps_a_household_in_a_browser(site: Site, browser: Browser) -> None:
    with site.page(browser, "bakary") as page:
        page.goto("/console/parrains")
        page.fill("#nom", "Commune de Diender")
        page.fill("#code", "commune-2026")
        page.fill("#part", "50")
        page.fill("#plafond", "500 000")
        page.click("text=Noter >> nth=-1")
        assert "Le parrain est noté" in page.inner_text("[role=status]")
        page.fill("#n1", site.scene.households["fatou"].number)
        page.click("button:has-text('Aider')")
        assert "1 ménage aidé" in page.inner_text("main")
        page.fill("#n1", site.scene.households["fatou"].number)
        page.click("button:has-text('Aider')")
        assert "aide déjà ce ménage" in page.inner_text("[role=alert]")
        page.goto(f"/console/menage/{site.scene.households['fatou'].id}")
        assert "Commune de Diender" in page.inner_text("main")
    with db.transaction(db.Role.AUDITOR) as session:
        helped, cap = session.execute(
            text("SELECT (SELECT count(*) FROM sponsorships), (SELECT sum(cap) FROM sponsors)")
        ).one()
    assert (helped, cap) == (1, 500_000)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"part": "101"}, "La part va de 1 à 100"),
        ({"plafond": "beaucoup"}, "le plafond est un nombre entier"),
        ({"nom": "U" * 25}, "de 2 à 24 lettres"),
        ({"genre": "prince"}, "un de la liste"),
        ({"code": "Été 2026"}, "lettres sans accent"),
    ],
)
def test_a_wrong_field_is_named_and_no_sponsor_is_stored(
    site: Site, wrong: dict[str, str], sentence: str
) -> None:
    answer = site.visitor("bakary").post("/console/parrains", **{**GOOD, **wrong})
    assert answer.status_code == 409
    assert sentence in answer.text
    with db.transaction(db.Role.AUDITOR) as session:
        assert session.execute(text("SELECT count(*) FROM sponsors")).scalar() == 0


def test_a_sponsor_or_number_of_another_mutuelle_is_refused(site: Site) -> None:
    bakary, coumba = site.visitor("bakary"), site.visitor("coumba")
    assert bakary.post("/console/parrains", **GOOD).status_code == 303
    wrong = bakary.post("/console/parrains/commune-2026/aider", numero="1234567890")
    assert (wrong.status_code, "numéro de membre" in wrong.text) == (409, True)
    hers = coumba.post("/console/parrains/commune-2026/aider", numero=site.scene.households["awa"].number)
    assert hers.status_code == 404
    assert GOOD["nom"] not in coumba.get("/console/parrains").text
