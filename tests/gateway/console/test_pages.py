"""Tests of what the pages show, and that they are light, French and sealed, and need no JavaScript."""

import re
from typing import Any
from uuid import UUID

import pytest
from flask import g
from playwright.sync_api import Browser
from werkzeug.exceptions import NotFound

from gateway.console.actions import perform
from mutuelle import clock, db
from mutuelle.enrolment import registry_proposals
from mutuelle.payments import promises
from tests.gateway.console.conftest import Site


def pages(site: Site) -> list[str]:
    scene = site.scene
    lost, awa = scene.receipts["T_LOST"], scene.receipts["T_AWA"]
    return [
        "/console/",
        "/console/?jour=2026-01-01",
        "/console/a-rapprocher",
        f"/console/a-rapprocher/{lost}",
        f"/console/a-rapprocher/{awa}",
        f"/console/paiement/{scene.ref}",
        f"/console/paiement/{awa}",
        f"/console/paiement/{lost}",
        f"/console/menage/{scene.households['awa'].id}",
        "/console/remboursements",
        "/console/categories",
        "/console/reclamations",
        f"/console/remboursements/demander/{lost}",
        "/console/indicateurs",
        "/console/indicateurs?mois=2026-01",
        "/console/parrains",
        "/console/inscrire",
        "/console/nulle-part",
    ]


@pytest.mark.browser
def test_every_page_is_light_whole_and_silent_without_javascript(site: Site, browser: Browser) -> None:
    with site.page(browser, "bakary") as page:
        weight: list[int] = []
        page.on("response", lambda response: weight.append(len(response.body()) + 600))
        console_lines: list[str] = []
        page.on("console", lambda message: console_lines.append(message.text))
        for path in [*pages(site), "/figures", "/figures?mutuelle=SN-TEST"]:
            weight.clear()
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == (404 if "nulle" in path else 200), path
            assert sum(weight) < 50_000, f"{path} weighs {sum(weight)}"
            assert page.locator("h1").count() == 1, path
            page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
            wide = page.locator("html").evaluate("e => e.scrollWidth")
            assert wide <= 360, f"{path} is {wide} px wide"
            for target in page.locator("button, nav a, input:not([type=hidden]), select").all():
                box = target.bounding_box()
                assert box is None or box["height"] >= 24, path
        assert [line for line in console_lines if "404" not in line] == []


ENGLISH = re.compile(
    r"\b(the|payment|payer's|and|of|is|was|request|operator|not|found|error|registered|household|None"
    r"|Undefined)\b"
)


def visible_text(html: str) -> str:
    """Returns the text that a reader sees, without an operator's raw words and without the title."""
    html = re.sub(r"<pre.*?</pre>|<style.*?</style>|<title>", " ", html, flags=re.S)
    return re.sub(r"<[^>]+>", " ", html)


def test_no_page_shows_an_english_word_or_a_bare_code(site: Site) -> None:
    bakary = site.visitor("bakary")
    for path in [*pages(site), "/console/entrer"]:
        text = visible_text(bakary.get(path).text)
        assert not ENGLISH.search(text), (path, ENGLISH.search(text))
        assert "code " not in text, path
        assert "{" not in text, path


def test_every_page_is_sealed(site: Site) -> None:
    bakary = site.visitor("bakary")
    for path in [*pages(site), "/console/entrer"]:
        headers = bakary.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
    style = bakary.get("/console/style.css")
    assert len(style.content) < 8_000
    assert "max-age" in style.headers["Cache-Control"]


def test_today_adds_up_to_the_franc(site: Site) -> None:
    text = visible_text(site.visitor("bakary").get("/console/").text).replace("\xa0", " ")
    text = re.sub(r"\s+", " ", text)
    assert "Wave · SN-TEST" in text
    # Awa paid 5,000 on request and Fatou 20,000 by her phone: 8,000 of it pay her bill, 12,000 are credit.
    assert "Reçu en 2 paiements 25 000 FCFA" in text
    assert "Rapproché aux cotisations 13 000 FCFA" in text
    assert "En avance, pour la prochaine 12 000 FCFA" in text
    assert "Somme 25 000 FCFA" in text
    assert "1 paiement à rapprocher , en tout 6 500 FCFA" in text
    assert "L'argent est arrivé après que la demande avait été abandonnée" in text.replace("&#39;", "'")


def test_the_timeline_shows_every_step_and_masks_phones(site: Site) -> None:
    html = site.visitor("bakary").get(f"/console/paiement/{site.scene.ref}").text
    text = visible_text(html)
    for step in (
        "Demandé par le ménage",
        "Notification de l",
        "signature vérifiée",
        "confirmé",
        "Compté chez nous",
        "Réponse de l",
        "Droits du ménage recalculés",
        "SMS « Reçu »",
        "Écritures comptables",
    ):
        assert step in text, step
    assert "+221••••0001" in html
    assert "+221770000001" not in html
    assert "checkout.session.completed" in html


def test_money_without_a_request_has_a_timeline_too(site: Site) -> None:
    text = visible_text(site.visitor("bakary").get(f"/console/paiement/{site.scene.receipts['T_LOST']}").text)
    assert "reçu sans que nous l" in text
    assert "enregistré pour aucun ménage" in text
    assert "Dire à qui il est" in text


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        ("awa", "/console/menage/"),
        ("T_AWA", "/console/paiement/"),
        ("77 000 00 01", "Ménage"),
        ("+221770000011", "Ménage"),
    ],
)
def test_the_search_box_finds_numbers_references_transactions_and_phones(
    site: Site, typed: str, leads_to: str
) -> None:
    bakary = site.visitor("bakary")
    typed = site.scene.households["awa"].number if typed == "awa" else typed
    answer = bakary.post("/console/chercher", q=typed)
    if leads_to.startswith("/"):
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(leads_to)
    else:
        assert leads_to in answer.text
        assert "/console/paiement/" in answer.text
    assert typed not in str(answer.request.url)


def test_a_reference_of_ours_is_found(site: Site) -> None:
    answer = site.visitor("bakary").post("/console/chercher", q=str(site.scene.ref))
    assert answer.headers["Location"] == f"/console/paiement/{site.scene.ref}"
    assert isinstance(site.scene.ref, UUID)


def test_a_search_without_a_hit_shows_that(site: Site) -> None:
    assert (
        "Rien dans votre mutuelle" in site.visitor("bakary").post("/console/chercher", q="<b>rien</b>").text
    )


def test_indicators_are_those_of_the_managers_own_mutuelle(site: Site) -> None:
    for login, code, other in (("bakary", "SN-TEST", "ML-TEST"), ("coumba", "ML-TEST", "SN-TEST")):
        answer = site.visitor(login).get("/console/indicateurs.csv?mois=2026-01")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{code}-2026-01.csv"'
        assert answer.text.startswith("mutuelle,month,indicator,")
        assert code in answer.text
        assert other not in answer.text
    assert site.visitor().get("/console/indicateurs").status_code == 303
    for month in ("2999-01", "x", "2026-13"):
        assert site.visitor("bakary").get(f"/console/indicateurs?mois={month}").status_code == 404


def test_a_household_page_asks_for_a_proof_only_where_one_is_needed_and_shows_rights_in_order(
    site: Site,
) -> None:
    site.scene.join("penda", "+221770000031", site.scene.senegal, category="indigent")
    bakary = site.visitor("bakary")
    fatou, penda = (
        visible_text(bakary.get(f"/console/menage/{site.scene.households[name].id}").text)
        for name in ("fatou", "penda")
    )
    assert (
        "sans preuve à montrer" in fatou,
        "preuve à vérifier" in fatou,
        "La preuve n'est pas bonne" in fatou,
    ) == (True, False, False)
    assert ("sans preuve à montrer" in penda, "preuve à vérifier" in penda) == (False, True)
    assert "payés par d'autres que le ménage" in fatou
    assert fatou.rindex("Droits à venir") < fatou.index("Droits ouverts") < fatou.index("Droits échus")


def test_the_page_of_a_household_shows_the_day_it_promised_to_pay(site: Site) -> None:
    tenant_id, household_id = site.scene.senegal.tenant_id, site.scene.households["awa"].id
    page = f"/console/menage/{household_id}"
    assert "A promis de payer" not in site.visitor("bakary").get(page).text
    day = promises.months(clock.today("Africa/Dakar"))[0]
    with db.transaction(db.Role.APP, tenant_id) as session:
        promises.make(session, tenant_id, household_id, day=day, effect_key="awa-2")
    text = visible_text(site.visitor("bakary").get(page).text)
    assert "A promis de payer" in text
    assert f"le {day.day} " in text


def test_a_key_error_in_an_action_is_not_a_missing_page(site: Site) -> None:
    def fail(*_: object) -> Any:
        raise AssertionError("nothing was refused")

    def raise_key_error(session: Any) -> str:
        return {"here": str(session)}["there"]

    def raise_missing(session: Any) -> str:
        return str(registry_proposals.accept(session, site.scene.managers["bakary"], clock.new_id()))

    with site.app.test_request_context("/console/"):
        g.manager = site.scene.managers["bakary"]
        with pytest.raises(KeyError):  # which the console logs, and answers with 500
            perform(raise_key_error, fail)
        with pytest.raises(NotFound):
            perform(raise_missing, fail)
