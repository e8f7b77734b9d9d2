"""Tests of *Inscrire un ménage*: a form enrols one household, and a number proves one household."""

import html
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from menus import consents, texts
from menus.enrol import CONSENT
from mutuelle import clock, db
from mutuelle.enrolment import agent_enrolment, category_proofs
from mutuelle.enrolment.agent_enrolment import TypedHousehold, TypedPerson
from mutuelle.enrolment.enrolment import Enrolment
from mutuelle.households import unique_evidence
from mutuelle.households.evidence import Evidence
from mutuelle.households.households import Consent
from mutuelle.organisation import tenants
from mutuelle.schemes import schemes
from mutuelle.verification import categories
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site, serve
from tests.gateway.console.enrolment_form import household_of
from tests.support.locks import waits
from tests.support.templates import Database

TODAY = clock.today("Africa/Dakar")
PATH = "/console/inscrire"


@pytest.fixture(scope="module")
def site(module_database: Database, redis_server: Any) -> Iterator[Site]:
    with serve(scenes.open_world(module_database.url), redis_server.url, module_database.url) as console:
        yield console
    db.disconnect()


def phone() -> str:
    return f"+22177{clock.digits(7)}"


def form(**more: Any) -> dict[str, Any]:
    """Returns Bakary's form for a couple: indigent, with a registry number that is on no list."""
    fields = {
        "cle": str(uuid4()),
        "telephone": phone(),
        "langue": "fr",
        "categorie": "indigent",
        "accord": "oui",
        "annee": ["1980", "1984"],
        "nom": ["", ""],
        "lien": ["", ""],
        "preuve": "registry-number",
        "numero": f"RNU {clock.digits(6)}",
        "etablie": "",
        "jusque": "",
    }
    return fields | more


def check_refused(site: Site, path: str, sentence: str, **fields: Any) -> None:
    """Asserts that the form is refused with `sentence` and stores nothing."""
    before = scenes.row_counts()
    answer = site.visitor("bakary").post(path, **fields)
    assert (answer.status_code, sentence in answer.text) == (409, True), answer.text
    assert scenes.row_counts() == before


def test_the_form_does_not_accept_a_list_as_proof(site: Site) -> None:
    check_refused(site, PATH, "Choisissez une preuve", **form(preuve="list"))
    page = f"/console/menage/{site.scene.households['fatou'].id}"
    fields = {"categorie": "indigent", "preuve": "list", "numero": "ANY 999", "jusque": ""}
    check_refused(site, f"{page}/verifier", "Choisissez une preuve", **fields)
    assert 'value="list"' not in site.visitor("bakary").get(page).text + site.visitor("bakary").get(PATH).text


def test_a_number_of_a_registry_proves_one_household_on_the_page_too(site: Site) -> None:
    fields = form(numero="RNU 500-1")
    assert site.visitor("bakary").post(PATH, **fields).status_code == 303
    check_refused(site, PATH, "prouve déjà", **form(numero="rnu 5001"))
    proof = {"categorie": "indigent", "preuve": "registry-number", "numero": "RNU5001", "jusque": ""}
    path = f"/console/menage/{site.scene.households['fatou'].id}/verifier"
    check_refused(site, path, "prouve déjà", **proof)
    bakary, page = site.visitor("bakary"), f"/console/menage/{household_of(fields['telephone'])}"
    assert bakary.post(f"{page}/verifier", **proof).status_code == 303  # its own number again
    with db.transaction(db.Role.AUDITOR) as session:
        category = category_proofs.in_force(
            session, site.scene.senegal.tenant_id, household_of(fields["telephone"]), TODAY
        )
    assert category is not None
    assert bakary.post(f"{page}/refuser", raison="other-household", vu=str(category.id)).status_code == 303
    assert bakary.post(path, **proof).status_code == 303  # the number is free again
    scenes.verify_books()


def test_two_forms_with_one_number_at_once_prove_one_household(site: Site, module_database: Database) -> None:
    number, tenant_id = f"RNU {clock.digits(6)}", site.scene.senegal.tenant_id

    def signed_up(called: str) -> Enrolment:
        people = [TypedPerson("1980")]
        household = TypedHousehold(called, "fr", "indigent", "", people, "1", "registry-number", number)
        with db.transaction(db.Role.CONSOLE, tenant_id) as session:
            return agent_enrolment.enrol(
                session, tenants.get(session, tenant_id), household, key=f"form:{uuid4()}", by="manager:1"
            )

    def proven() -> bool:
        with db.transaction(db.Role.CONSOLE, tenant_id) as session:
            household_id, proof = site.scene.households["awa"].id, Evidence("registry-number", number)
            return category_proofs.check(session, tenant_id, household_id, "indigent", proof, by="manager:1")

    with ThreadPoolExecutor(2) as pool:
        with db.transaction(db.Role.CONSOLE, tenant_id) as session:
            assert not unique_evidence.proves_another(
                session, tenant_id, Evidence("registry-number", number), TODAY
            )
            first = pool.submit(signed_up, phone())
            waits(module_database, first)
            second = pool.submit(proven)
            waits(module_database, second, 2)
        assert first.exception() is None
        assert getattr(second.exception(), "key", None) == "evidence.taken"
    scenes.verify_books()


def test_verify_finds_a_number_that_proves_two_households(site: Site, module_database: Database) -> None:
    first, second = form(), form()
    for fields in (first, second):
        assert site.visitor("bakary").post(PATH, **fields).status_code == 303
    household_ids = household_of(first["telephone"]), household_of(second["telephone"])
    with module_database.superuser() as connection, connection.transaction(force_rollback=True):
        connection.execute("ALTER TABLE categories DISABLE TRIGGER only_its_end")
        of = "SELECT reference_index FROM categories WHERE household_id = %s"
        connection.execute(
            f"UPDATE categories SET reference_index = ({of}) WHERE household_id = %s", household_ids
        )
        query = categories.TWO_OF_ONE_NUMBER
        assert len(connection.execute(query).fetchall()) == 1


def test_a_document_that_proves_two_households_is_shown_to_a_person(site: Site) -> None:
    bakary, paper = site.visitor("bakary"), {"preuve": "document", "numero": f"BF {clock.digits(6)}"}
    forms = [form(**paper), form(**paper)]
    words = "Le numéro du document d&#39;un ménage prouve aussi"
    for fields, shown in zip(forms, (False, True), strict=True):
        assert bakary.post(PATH, **fields).status_code == 303
        assert (words in bakary.get("/console/").text) == shown
    assert f"/console/menage/{household_of(forms[1]['telephone'])}" in bakary.get("/console/").text


def test_a_child_is_no_head_of_a_household(site: Site) -> None:
    child = {"annee": [str(TODAY.year - 17), "1984"]}
    check_refused(
        site, PATH, "<strong>Chef de ménage.</strong> Le chef de ménage est un adulte", **form(**child)
    )


def test_a_form_that_made_a_household_makes_no_other_one(site: Site) -> None:
    fields, bakary = form(), site.visitor("bakary")
    first, again = bakary.post(PATH, **fields), bakary.post(PATH, **fields)
    assert (first.status_code, again.status_code) == (303, 303)
    assert "Le ménage est inscrit" in bakary.get(first.headers["location"]).text
    assert "était déjà inscrit" in bakary.get(again.headers["location"]).text
    check_refused(site, PATH, "Rechargez la page", **form(cle=fields["cle"]))


def test_the_words_that_are_read_aloud_are_kept_with_the_household(site: Site) -> None:
    fields, bakary = form(), site.visitor("bakary")
    assert bakary.post(PATH, **fields).status_code == 303
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Consent.text_version).where(Consent.household_id == household_of(fields["telephone"]))
        assert set(session.scalars(query)) == {consents.AGENT} != {CONSENT}
    assert consents.sentence("fr") in html.unescape(bakary.get(PATH).text)
    document = (schemes.FOLDER.parents[1] / "docs" / "commands.md").read_text()
    assert all(consents.sentence(language) in document for language in texts.LANGUAGES)
    assert all(words.keys() == consents.CATALOGUES["fr"].keys() for words in consents.CATALOGUES.values())


def test_a_household_missing_from_a_newer_list_is_shown_and_keeps_its_proof(site: Site) -> None:
    bakary, phone, other = site.visitor("bakary"), "+221770000071", "+221770000072"
    lines = ("RNU 71;;Penda Ba;1980;indigent;", "RNU 72;;Ali Ba;1980;indigent;")
    site.scene.load_list(*lines)
    for called, registry_number in ((phone, "RNU 71"), (other, "RNU 72")):
        fields = {"preuve": "registry-number", "numero": registry_number}
        assert bakary.post(PATH, **form(telephone=called, **fields)).status_code == 303

    def missing() -> list[str]:
        page = bakary.get("/console/categories").text.split("Absents de la nouvelle liste du registre")[1]
        return [called for called in (phone, other) if f"/console/menage/{household_of(called)}" in page]

    site.scene.load_list(*lines)
    assert missing() == []
    site.scene.load_list("RNU 70;;Oumar Sy;1980;indigent;", name="commune")
    assert missing() == []  # another registry's list does not cover them
    site.scene.load_list(lines[1], "RNU 73;;Oumar Sy;1980;indigent;")
    assert missing() == [phone]
    with db.transaction(db.Role.AUDITOR) as session:
        category = category_proofs.in_force(session, site.scene.senegal.tenant_id, household_of(phone), TODAY)
        assert category is not None
        assert category.checked
    site.scene.load_list(*lines)
    assert missing() == []
    scenes.verify_books()
