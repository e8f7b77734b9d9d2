"""Tests of *Inscrire un ménage*: Kadi of a RAMED mutuelle must prove a category first, Bakary need not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Browser

from menus import sms_words
from mutuelle import clock, db
from mutuelle.cover import cover_books
from mutuelle.enrolment import category_proofs
from mutuelle.households import households
from mutuelle.schemes.version_rules import last_day
from mutuelle.subsidies import claim_amounts, claim_facts
from mutuelle.subsidies.claim_facts import ClaimScope
from mutuelle.subsidies.claim_lines import Period
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site
from tests.gateway.console.enrolment_form import PATH, TODAY, form, household_of, number, ramed_site, rows
from tests.support.people import AWA
from tests.support.templates import Database


@pytest.fixture(scope="module")
def site(module_database: Database, redis_server: Any) -> Iterator[Site]:
    with ramed_site(module_database, redis_server.url) as site:
        yield site


def test_a_proof_first_household_is_proven_billed_open_and_welcomed_in_one_step(site: Site) -> None:
    kadi, phone = site.visitor("kadi"), number()
    answer = kadi.post(PATH, **form(phone))
    assert answer.status_code == 303
    household_id, tenant = household_of(phone), site.scene.managers["kadi"].tenant_id
    with db.transaction(db.Role.AUDITOR) as session:
        category = category_proofs.in_force(session, tenant, household_id, TODAY)
        now = cover_books.position(session, tenant, household_id, TODAY)
        people = households.members_of(session, tenant, household_id)
    assert category is not None
    assert (category.category, category.checked, category.evidence) == ("indigent", True, "document")
    assert (category.until, now.owed, now.right.state) == (last_day(TODAY, 36), 0, "open")
    assert [(member.name, member.provisional) for member in people] == [
        ("Fanta Keïta", False),
        (None, True),
        ("Sira Keïta", False),
    ]
    lines = rows(
        "SELECT l.payer, l.amount FROM bill_lines l JOIN bills b ON b.id = l.bill_id WHERE household_id = :h",
        h=household_id,
    )
    assert dict(map(tuple, lines)) == {"state": 16_830, "commune": 2_970}  # 3 x 6 600, 85 and 15 %
    ((kind, language, facts),) = rows(
        "SELECT kind, language, facts FROM messages WHERE household_id = :h", h=household_id
    )
    assert (kind, language) == ("welcome", "fr")
    sms = sms_words.compose(kind, facts, language=language, currency="XOF", mutuelle="RAMED Sikasso")
    assert sms.endswith(f"Rien à payer. Couverte du {TODAY:%d/%m/%Y} au {last_day(TODAY, 12):%d/%m/%Y}.")
    ((actor, audit_facts),) = rows(
        "SELECT actor, facts FROM audit WHERE action = 'enrol' AND subject = :s",
        s=f"household:{household_id}",
    )
    assert (actor, audit_facts["standing"]) == (site.scene.managers["kadi"].actor, "checked")
    assert "SIK" not in str(audit_facts)
    assert "Le ménage est inscrit" in kadi.get(answer.headers["location"]).text
    scenes.verify_books()


def test_a_form_enrols_once_and_its_phone_enrols_no_other_household(site: Site) -> None:
    kadi, phone = site.visitor("kadi"), number()
    fields = form(phone)
    first, again = kadi.post(PATH, **fields), kadi.post(PATH, **fields)
    page, address = first.headers["location"].split("?")[0], again.headers["location"]
    assert (first.status_code, again.status_code, address) == (303, 303, f"{page}?dit=deja-inscrit")
    before = scenes.row_counts()
    other = kadi.post(PATH, **form(phone))
    assert other.status_code == 409
    assert "un ménage de la mutuelle a déjà ce numéro" in other.text
    assert f"/console/menage/{household_of(phone)}" in other.text
    assert scenes.row_counts() == before


def test_a_form_sent_twice_at_once_enrols_once(site: Site) -> None:
    visitors, phone = [site.visitor("kadi") for _ in range(4)], number()
    fields = form(phone)
    for visitor in visitors:
        visitor.token()
    with ThreadPoolExecutor(4) as pool:
        answers = [
            answer.result().status_code
            for answer in [pool.submit(visitor.post, PATH, **fields) for visitor in visitors]
        ]
    assert 303 in answers
    assert set(answers) <= {303, 503}  # a busy machine keeps the lock for long
    assert household_of(phone)
    assert rows("SELECT count(*) FROM households WHERE effect_key = :k", k=f"form:{fields['cle']}") == [(1,)]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"telephone": "76 12"}, "Téléphone : ce n&#39;est pas un numéro"),
    ({"annee": ["1980", "84", "", ""]}, "<strong>Personne 2.</strong> Année de naissance"),
    ({"annee": ["1980", "1984", "", "18"]}, "<strong>Personne 4.</strong> Année de naissance"),
    ({"annee": [str(TODAY.year + 1), "", "", ""], "nom": [""] * 4}, "Année de naissance"),
    ({"nom": ["7", "", "", ""]}, "<strong>Chef de ménage.</strong> Prénom et nom"),
    ({"annee": [], "nom": []}, "Il n&#39;y aurait personne"),
    ({"categorie": ""}, "Catégorie : choisissez"),
    ({"categorie": "amo"}, "couvertes ailleurs"),
    ({"preuve": "", "numero": ""}, "doit être prouvée d&#39;abord"),
    ({"preuve": ""}, "Choisissez une preuve"),
    ({"preuve": "rumour"}, "Choisissez une preuve"),
    ({"numero": "?"}, "Écrivez le numéro qui est sur la preuve"),
    ({"etablie": f"{TODAY.year + 1}-01-01"}, "ne peut commencer ni demain"),
    ({"etablie": f"{TODAY.year - 4}-01-01"}, "plus valable"),
    ({"jusque": "31.12"}, "n&#39;est pas une date"),
    ({"langue": "xx"}, "Langue des SMS"),
    ({"accord": ""}, "Accord : lisez"),
]


def test_a_wrong_field_is_named_and_nothing_is_stored(site: Site) -> None:
    kadi, before = site.visitor("kadi"), scenes.row_counts()
    for wrong, sentence in WRONG:
        answer = kadi.post(PATH, **form(number(), **wrong))
        assert (answer.status_code, sentence in answer.text, "Rien n'a été changé" in answer.text) == (
            409,
            True,
            True,
        ), wrong
    assert scenes.row_counts() == before


def test_a_form_without_a_key_of_ours_is_none(site: Site) -> None:
    assert site.visitor("kadi").post(PATH, **form(number(), cle="x")).status_code == 400


def test_a_number_of_a_list_is_the_proof_and_only_one_households(site: Site) -> None:
    site.scene.load_list("RNU 88;;Penda Ba;1980;indigent;", "RNU 89;;Ali Ba;1980;family-scholarship;")
    bakary, phone = site.visitor("bakary"), "+221770000088"
    fields = {"preuve": "registry-number", "numero": "rnu-88"}
    other = bakary.post(PATH, **form(phone, **{**fields, "numero": "RNU 89"}))
    assert (other.status_code, "une autre catégorie pour ce numéro" in other.text) == (409, True)
    assert bakary.post(PATH, **form(phone, **fields)).status_code == 303
    with db.transaction(db.Role.AUDITOR) as session:
        category = category_proofs.in_force(session, site.scene.senegal.tenant_id, household_of(phone), TODAY)
    assert category is not None
    assert (category.checked, category.evidence) == (True, "list")
    again = bakary.post(PATH, **form("+221770000087", **fields))
    assert (again.status_code, "prouve déjà" in again.text) == (409, True)
    scenes.verify_books()


def test_an_ordinary_household_owes_its_share_and_a_claim_waits_for_its_proof(site: Site) -> None:
    bakary = site.visitor("bakary")
    plain = {"preuve": "", "numero": ""}
    assert bakary.post(PATH, **form("+221770000081", categorie="general", **plain)).status_code == 303
    assert bakary.post(PATH, **form("+221770000082", categorie="indigent", **plain)).status_code == 303
    with db.transaction(db.Role.AUDITOR) as session:
        for phone in ("+221770000081", "+221770000082"):
            household_id = household_of(phone)
            assert (
                cover_books.position(session, site.scene.senegal.tenant_id, household_id, TODAY).owed
                == 3 * 3_500 + 1_000
            )
    assert AWA not in bakary.get("/console/categories").text


def test_a_person_over_age_is_on_no_bill_and_the_page_shows_why(site: Site) -> None:
    # RAMED: children below 14, pupils below 21. Born 15 and 16 years ago: only the pupil is covered.
    kadi, phone = site.visitor("kadi"), number()
    years = ["1980", str(TODAY.year - 15), str(TODAY.year - 16)]
    assert (
        kadi.post(PATH, **form(phone, annee=years, nom=["Fanta", "", ""], lien=["", "", "eleve"])).status_code
        == 303
    )
    household_id = household_of(phone)
    assert rows("SELECT sum(total) FROM bills WHERE household_id = :h", h=household_id) == [(2 * 6_600,)]
    assert rows("SELECT count(*) FROM members WHERE household_id = :h", h=household_id) == [(3,)]
    page = kadi.get(f"/console/menage/{household_id}").text
    assert page.count("Pas couvert(e). Cet enfant a dépassé l&#39;âge") == 1
    assert "Voir un agent" not in page  # the agent reads it
    scenes.verify_books()


def test_the_state_is_asked_for_named_people_with_their_evidence_and_no_class(site: Site) -> None:
    kadi, tenant = site.visitor("kadi"), site.scene.managers["kadi"].tenant_id
    named, nameless = number(), number()
    child = {"annee": ["1980", str(TODAY.year - 15), "", ""], "nom": ["Fanta Dabo", "Sira Dabo", "", ""]}
    for phone, fields in ((named, child), (nameless, {})):
        assert kadi.post(PATH, **form(phone, **fields)).status_code == 303
    ((member_id,),) = rows(
        "SELECT id FROM members WHERE household_id = :h AND kind = 'dependant'", h=household_of(named)
    )
    assert (
        kadi.post(
            f"/console/menage/{household_of(named)}/classe/{member_id}",
            vu=2,
            classe="disabled",
            preuve="document",
        ).status_code
        == 303
    )
    period = Period(TODAY.replace(day=1), TODAY)
    with db.transaction(db.Role.CONSOLE, tenant) as session:
        candidates = claim_facts.read(
            session, ClaimScope(tenant, "Africa/Bamako", "commune", clock.now()), period
        )
    facts = [
        household for household in candidates if household.id in (household_of(named), household_of(nameless))
    ]
    lines, left = claim_amounts.judge(facts, period, whole=True)
    assert {line.household_id for line in lines} == {household_of(named)}
    assert sum(line.amount for line in lines) == 2 * 990  # 15 % of 6 600
    assert {line.evidence.split(",")[0] for line in lines} == {"document vu"}
    assert "disabled" not in repr(lines)
    assert {(row.household_id, row.reason) for row in left} == {(household_of(nameless), "provisional")}


def test_coumba_enrols_in_her_own_mutuelle_only(site: Site) -> None:
    coumba, phone = site.visitor("coumba"), number()
    fields = {"categorie": "general", "preuve": "", "numero": ""}
    assert coumba.post(PATH, **form(phone, **fields)).status_code == 303
    assert site.visitor("kadi").get(f"/console/menage/{household_of(phone)}").status_code == 404


def test_a_class_is_noted_and_ended_on_the_page_where_a_rule_asks_for_it(site: Site) -> None:
    kadi, phone = site.visitor("kadi"), number()
    years = {"annee": ["1980", str(TODAY.year - 15)], "nom": ["Fanta", ""], "lien": ["", ""]}
    assert kadi.post(PATH, **form(phone, **years)).status_code == 303
    household_id = household_of(phone)
    ((child,),) = rows(
        "SELECT id FROM members WHERE household_id = :h AND kind = 'dependant'", h=household_id
    )
    page, act = f"/console/menage/{household_id}", f"/console/menage/{household_id}/classe/{child}"
    assert (
        "Règles particulières"
        not in site.visitor("bakary").get(f"/console/menage/{site.scene.households['awa'].id}").text
    )
    assert "Pas couvert(e)" in kadi.get(page).text
    assert kadi.post(act, vu=2, classe="pregnant", preuve="document").status_code == 409
    assert kadi.post(act, vu=2, classe="disabled", preuve="").status_code == 409
    ((head,),) = rows("SELECT id FROM members WHERE household_id = :h AND kind = 'head'", h=household_id)
    assert (
        kadi.post(act.replace(str(child), str(head)), vu=2, classe="disabled", preuve="document").status_code
        == 409
    )
    assert site.visitor("coumba").post(act, vu=2, classe="disabled", preuve="document").status_code == 404
    assert kadi.post(act, vu=2, classe="disabled", preuve="document").status_code == 303
    assert "Pas couvert(e)" not in kadi.get(page).text
    assert "Ce n'est plus vrai" in kadi.get(page).text
    assert kadi.post(act, vu=2, classe="disabled", fini="oui").status_code == 303
    assert "Ce n'est plus vrai" not in kadi.get(page).text
    scenes.verify_books()


@pytest.mark.browser
def test_kadi_signs_a_household_up_in_a_small_browser_without_javascript(
    site: Site, browser: Browser
) -> None:
    phone = number()
    with site.page(browser, "kadi") as page:
        weight: list[int] = []
        page.on("response", lambda response: weight.append(len(response.body())))
        page.goto(PATH)
        assert page.locator("html").evaluate("e => e.scrollWidth") <= 360
        assert sum(weight) < 50_000
        page.get_by_label("Téléphone du ménage").fill("76 12")
        page.get_by_label("Année de naissance").first.fill("1980")
        page.get_by_label("Catégorie du ménage").select_option("indigent")
        page.get_by_label("Preuve que vous avez vue").select_option("document")
        page.get_by_label("Numéro sur la preuve").fill("SIK 77")
        page.get_by_label("Le chef de ménage est d'accord").check()
        page.get_by_role("button", name="Inscrire le ménage").click()
        assert "Téléphone : ce n'est pas un numéro" in page.get_by_role("alert").inner_text()
        assert page.get_by_label("Numéro sur la preuve").input_value() == "SIK 77"
        page.get_by_label("Téléphone du ménage").fill(phone)
        page.get_by_role("button", name="Inscrire le ménage").click()
        assert "Le ménage est inscrit" in page.get_by_role("status").inner_text()
        assert page.locator("html").evaluate("e => e.scrollWidth") <= 360
    assert household_of(phone)
