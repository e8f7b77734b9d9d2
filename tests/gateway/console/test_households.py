"""Tests of the household pages: proofs, members and appeals, closed to managers of another mutuelle."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from mutuelle import clock, db
from mutuelle.cover import cover_books
from mutuelle.enrolment import appeals, category_proofs
from mutuelle.households import households
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site, Visitor
from tests.support.locks import waits
from tests.support.people import AWA

POOR = "+221770000021"
TODAY = clock.today("Africa/Dakar")


def household_of(site: Site, name: str) -> UUID:
    return site.scene.households[name].id


def standing(site: Site, household_id: UUID) -> tuple[str, str, str | None]:
    with db.transaction(db.Role.AUDITOR) as session:
        category = category_proofs.in_force(session, site.scene.senegal.tenant_id, household_id, TODAY)
    assert category is not None
    return category.category, category.standing, category.evidence


def owed(site: Site, household_id: UUID) -> int:
    with db.transaction(db.Role.AUDITOR) as session:
        return cover_books.position(session, site.scene.senegal.tenant_id, household_id, TODAY).owed


def members(site: Site, household_id: UUID) -> list[households.Member]:
    with db.transaction(db.Role.AUDITOR) as session:
        return households.members_of(session, site.scene.senegal.tenant_id, household_id)


def shown_id(site: Site, visitor: Visitor, household_id: UUID, name: str = "vu") -> str:
    """Returns the id that a form of the household's page holds."""
    match = re.search(
        rf'name="{name}" value="([0-9a-f-]{{36}})"', visitor.get(f"/console/menage/{household_id}").text
    )
    assert match
    return match[1]


def test_a_proof_is_checked_once_and_the_bill_follows(site: Site) -> None:
    site.scene.join("penda", POOR, site.scene.senegal, category="indigent", people=2)
    household_id, bakary, ndeye = household_of(site, "penda"), site.visitor("bakary"), site.visitor("ndeye")
    assert owed(site, household_id) == 8_000
    assert site.scene.households["penda"].number[:3] in bakary.get("/console/categories").text
    row_id = shown_id(site, bakary, household_id)
    form = {"vu": row_id, "categorie": "indigent", "preuve": "document", "numero": "BF 12", "jusque": ""}
    wrong = bakary.post(f"/console/menage/{household_id}/verifier", **{**form, "numero": "?"})
    assert (wrong.status_code, "Écrivez le numéro" in wrong.text) == (409, True)
    assert bakary.post(f"/console/menage/{household_id}/verifier", **form).status_code == 303
    assert standing(site, household_id) == ("indigent", "checked", "document")
    assert owed(site, household_id) == 1_000
    for late, fields in (
        (f"/console/menage/{household_id}/verifier", form),
        (f"/console/menage/{household_id}/refuser", {"vu": row_id, "raison": "over"}),
    ):
        answer = ndeye.post(late, **fields)
        assert (answer.status_code, "Quelqu" in answer.text) == (409, True)
    assert "BF12" not in bakary.get(f"/console/menage/{household_id}").text
    answer = ndeye.post(
        f"/console/menage/{household_id}/refuser",
        vu=shown_id(site, ndeye, household_id),
        raison="other-household",
    )
    assert answer.status_code == 303
    assert standing(site, household_id)[1] == "refused"
    assert owed(site, household_id) == 8_000
    scenes.verify_books()


def test_a_registry_number_is_looked_up_at_once(site: Site) -> None:
    site.scene.load_list(f"RNU 77-1;;Awa Diop;1985;indigent;{TODAY + timedelta(20)}")
    household_id, bakary = household_of(site, "fatou"), site.visitor("bakary")
    answer = bakary.post(f"/console/menage/{household_id}/numero", categorie="indigent", numero="rnu771")
    assert answer.status_code == 303
    assert standing(site, household_id) == ("indigent", "checked", "list")
    assert "Preuves qui finissent" in bakary.get("/console/categories").text
    assert f"/console/menage/{household_id}" in bakary.get("/console/categories").text
    scenes.verify_books()


def test_a_line_of_a_list_waits_for_a_person_who_says_yes_or_no_once(site: Site) -> None:
    site.scene.load_list(f"RNU 5;{AWA};Awa Sarr;1950;indigent;")
    bakary, coumba = site.visitor("bakary"), site.visitor("coumba")
    page = bakary.get("/console/categories").text
    for word in (
        "Awa Sarr",
        "Le téléphone de la ligne est celui du ménage",
        "naissance du chef est une autre",
    ):
        assert word in page
    assert "Awa Sarr" not in coumba.get("/console/categories").text
    path = re.search(r'action="(/console/categories/proposition/[0-9a-f-]+/accepter)"', page)
    assert path
    assert coumba.post(path[1]).status_code == 404
    assert bakary.post(path[1]).status_code == 303
    assert bakary.post(path[1]).status_code == 409
    assert standing(site, household_of(site, "awa")) == ("indigent", "checked", "list")
    assert "Awa Sarr" not in bakary.get("/console/categories").text
    scenes.verify_books()


def test_members_are_named_a_new_born_is_added_once_and_a_member_leaves(site: Site) -> None:
    household_id, bakary = household_of(site, "awa"), site.visitor("bakary")
    path = f"/console/menage/{household_id}"
    head, *others = members(site, household_id)
    assert bakary.post(f"{path}/nommer/{head.id}", nom="  Awa   Diop ").status_code == 303
    assert "n&#39;est pas un nom" in bakary.post(f"{path}/nommer/{others[0].id}", nom="12").text
    assert [(member.name, member.provisional) for member in members(site, household_id)] == [
        ("Awa Diop", False),
        (None, True),
        (None, True),
    ]
    before = owed(site, household_id)
    for status in (303, 409):
        assert (
            bakary.post(f"{path}/ajouter", vu=3, annee=TODAY.year, nom="Aminata Diop").status_code == status
        )
    assert len(members(site, household_id)) == 4
    assert owed(site, household_id) == before + 3_500
    gone = next(member for member in members(site, household_id) if member.name == "Aminata Diop")
    assert "ne peut pas" in bakary.post(f"{path}/retirer/{head.id}", vu=4).text
    for status in (303, 409):
        assert bakary.post(f"{path}/retirer/{gone.id}", vu=4).status_code == status
    assert owed(site, household_id) == before
    entries = str(audit_entries())
    assert "member-named" in entries
    assert "Awa Diop" not in entries
    assert "Aminata" not in entries
    scenes.verify_books()


def audit_entries() -> list[Any]:
    with db.transaction(db.Role.AUDITOR) as session:
        return list(
            session.connection()
            .exec_driver_sql("SELECT action, subject, facts::text FROM audit ORDER BY at")
            .all()
        )


def test_a_pupil_is_noted_once(site: Site) -> None:
    household_id, bakary = household_of(site, "awa"), site.visitor("bakary")
    child = members(site, household_id)[-1]
    for value in ("oui", "oui", "non", "oui"):
        assert (
            bakary.post(f"/console/menage/{household_id}/etudes/{child.id}", vu=3, etudes=value).status_code
            == 303
        )
    assert [member.student for member in members(site, household_id)] == [False, False, True]
    assert [action for action, _, _ in audit_entries() if action.startswith("member-")] == [
        "member-studies", "member-studies-no-more", "member-studies"]  # fmt: skip
    assert (
        bakary.post(f"/console/menage/{household_id}/etudes/{child.id}", vu=9, etudes="non").status_code
        == 409
    )
    scenes.verify_books()


def test_an_appeal_is_answered_once_and_a_late_one_stands_on_the_first_page(
    site: Site, database: Any
) -> None:
    number, bakary = site.scene.lodge_appeal(), site.visitor("bakary")
    page = bakary.get("/console/reclamations").text
    assert number in page
    assert "à répondre" in page
    assert "en retard" not in bakary.get("/console/").text
    with database.superuser() as connection:
        connection.execute(
            "UPDATE tickets SET deadline = %s, opened_at = opened_at - interval '20 days'",
            [TODAY - timedelta(1)],
        )
    assert "1 réclamation en retard" in bakary.get("/console/").text
    assert "<strong>1 en retard</strong>" in bakary.get("/console/reclamations").text
    path = re.search(r'action="(/console/reclamations/[0-9a-f-]+/repondre)"', page)
    assert path
    assert site.visitor("coumba").post(path[1], reponse="accepted").status_code == 404
    assert bakary.post(path[1], reponse="explained", explication="").status_code == 409
    assert bakary.post(path[1], reponse="explained", explication="payment-counted").status_code == 303
    assert "déjà répondu" in bakary.post(path[1], reponse="accepted").text
    assert "le paiement est compté" in bakary.get("/console/reclamations").text.lower()
    scenes.verify_books()


def test_a_manager_notes_what_a_household_came_to_say(site: Site) -> None:
    household_id, bakary = household_of(site, "awa"), site.visitor("bakary")
    assert (
        "Choisissez dans la liste"
        in bakary.post(f"/console/menage/{household_id}/reclamer", objet="weather").text
    )
    assert bakary.post(f"/console/menage/{household_id}/reclamer", objet="household").status_code == 303
    assert (
        "déjà une réclamation"
        in bakary.post(f"/console/menage/{household_id}/reclamer", objet="payment").text
    )
    with db.transaction(db.Role.AUDITOR) as session:
        ticket = appeals.open_ticket(session, site.scene.senegal.tenant_id, household_id)
        assert ticket is not None
        assert (ticket.kind, ticket.channel) == ("household", site.scene.managers["bakary"].actor)
    assert ticket.number in bakary.get(f"/console/menage/{household_id}").text
    scenes.verify_books()


def test_coumba_changes_nothing_of_awas_household(site: Site) -> None:
    household_id, coumba = household_of(site, "awa"), site.visitor("coumba")
    head = members(site, household_id)[0]
    before = scenes.row_counts()
    for path, fields in (
        ("verifier", {"categorie": "indigent", "preuve": "agent-visit"}),
        ("refuser", {"raison": "over"}),
        ("numero", {"categorie": "indigent", "numero": "RNU1"}),
        (f"nommer/{head.id}", {"nom": "Coumba Traoré"}),
        ("reclamer", {"objet": "payment"}),
        (f"etudes/{head.id}", {"vu": 3, "etudes": "oui"}),
        ("ajouter", {"vu": 3, "annee": "2026"}),
        (f"retirer/{head.id}", {"vu": 3}),
    ):
        assert coumba.post(f"/console/menage/{household_id}/{path}", **fields).status_code == 404, path
    assert scenes.row_counts() == before


@pytest.mark.browser
def test_bakary_checks_a_category_in_a_small_browser_without_javascript(site: Site, browser: Browser) -> None:
    site.scene.join("penda", POOR, site.scene.senegal, category="indigent", people=5)
    site.scene.lodge_appeal()
    site.scene.load_list(f"RNU 5;{AWA};Awa Sarr;1950;indigent;")
    with site.page(browser, "bakary") as page:
        for path in (
            "/console/categories",
            "/console/reclamations",
            f"/console/menage/{household_of(site, 'penda')}",
        ):
            weight: list[int] = []
            page.on("response", lambda response, weight=weight: weight.append(len(response.body())))
            page.goto(path)
            assert page.locator("html").evaluate("e => e.scrollWidth") <= 360, path
            assert sum(weight) < 50_000
        page.get_by_label("Numéro sur la preuve").fill("BF 12")
        page.get_by_role("button", name="La preuve est bonne").click()
        assert page.get_by_role("status").inner_text().startswith("C'est noté : la preuve est vérifiée")
        assert page.get_by_text("preuve vérifiée").first.is_visible()
    assert standing(site, household_of(site, "penda")) == ("indigent", "checked", "document")


def test_a_deadlock_changes_nothing_and_answers_409(site: Site, database: Any) -> None:
    """A transaction locks the receipt before its household, against the order, and the manager's is ended."""
    bakary, ndeye, tenant = site.visitor("bakary"), site.visitor("ndeye"), site.scene.senegal.tenant_id
    receipt = site.scene.receipts["T_FATOU"]
    fields = {"vu": scenes.version(site.scene, "T_FATOU"), "montant": "1000", "raison": "asked"}
    assert bakary.post(f"/console/remboursements/demander/{receipt}", **fields).status_code == 303
    path = re.search(
        r'action="(/console/remboursements/[0-9a-f-]+/approuver)"', ndeye.get("/console/remboursements").text
    )
    assert path
    ndeye.token()
    before = scenes.row_counts()
    with database.superuser() as holder, ThreadPoolExecutor(1) as thread:
        holder.execute("SELECT FROM receipts WHERE id = %s FOR UPDATE", [receipt])
        answer = thread.submit(ndeye.post, path[1])
        waits(database, answer)
        key = [tenant, household_of(site, "fatou")]
        holder.execute("SELECT FROM households WHERE tenant_id = %s AND id = %s FOR UPDATE", key)
        response = answer.result(20)
        assert (response.status_code, "Rien n&#39;a été fait" in response.text) == (409, True)
        holder.rollback()
    assert scenes.row_counts() == before
    assert ndeye.post(path[1]).status_code == 303
