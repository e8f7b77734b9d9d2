"""Tests of corrections of members and bills: none overwrites another, and no free text is stored."""

import pytest
from flask import g
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from gateway.console.actions import Answer, perform
from mutuelle import audit, db
from mutuelle.errors import Missing, Refused
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site
from tests.gateway.console.test_households import audit_entries, household_of, members, owed


def form(site: Site, **more: object) -> dict[str, object]:
    """Returns the form of Awa's household: three people, the last born in 2015, and the head."""
    head, *_ = members(site, household_of(site, "awa"))
    return {"vu": 3, "annee-vue": 2015, "chef-vu": head.id, "annee": 2015, "pourquoi": "document", **more}


def test_a_member_is_corrected_with_a_reason_and_the_bill_is_computed_anew(
    site: Site,
) -> None:
    household_id, bakary = household_of(site, "awa"), site.visitor("bakary")
    path = f"/console/menage/{household_id}"
    head, other, child = members(site, household_id)
    before, counts = owed(site, household_id), scenes.row_counts()
    for where, sent, sentence in (
        (f"corriger/{child.id}", form(site, annee=2016, pourquoi=""), "Choisissez dans la liste"),
        (
            f"corriger/{child.id}",
            form(site, annee=2016, pourquoi="Fanta Keïta est enceinte"),
            "Choisissez dans la liste",
        ),
        (f"corriger/{child.id}", form(site, annee=1516), "année de naissance"),
        (f"corriger/{child.id}", form(site, chef="oui"), "est un adulte"),
        (f"corriger/{child.id}", form(site, annee=2016, vu=2), "a changé"),
        ("recalculer", {"vu": 3, "pourquoi": "Fanta Keïta est enceinte"}, "Choisissez dans la liste"),
    ):
        answer = bakary.post(f"{path}/{where}", **sent)
        assert (answer.status_code, sentence in answer.text) == (409, True), (where, sent)
    assert scenes.row_counts() == counts
    fields = form(site, annee=2016)
    assert site.visitor("coumba").post(f"{path}/corriger/{child.id}", **fields).status_code == 404
    assert site.visitor("coumba").post(f"{path}/recalculer", **fields).status_code == 404
    for _ in range(2):  # a second click changes nothing
        assert bakary.post(f"{path}/corriger/{child.id}", **fields).status_code == 303
    swapped = form(site, annee=1990, chef="oui", pourquoi="told") | {"annee-vue": 1990}
    for _ in range(2):
        assert bakary.post(f"{path}/corriger/{other.id}", **swapped).status_code == 303
    assert [(member.id, member.kind, member.birth_year) for member in members(site, household_id)] == [
        (other.id, "head", 1990), (head.id, "dependant", 1985), (child.id, "dependant", 2016)]  # fmt: skip
    assert bakary.post(f"{path}/recalculer", vu=3, pourquoi="appeal").status_code == 303
    assert owed(site, household_id) == before  # each pays the same at any age, so nothing differs
    assert scenes.row_counts()["adjustments"] == counts["adjustments"]
    entries = [
        (action, facts)
        for action, _, facts in audit_entries()
        if action in ("member-corrected", "bill-recalculated")
    ]
    assert [action for action, _ in entries] == ["member-corrected", "member-corrected", "bill-recalculated"]
    assert '"was": 2015' in entries[0][1]
    assert '"why": "document"' in entries[0][1]
    scenes.verify_books()


def test_a_correction_never_undoes_another_one_that_its_page_did_not_show(site: Site) -> None:
    household_id, bakary, ndeye = household_of(site, "awa"), site.visitor("bakary"), site.visitor("ndeye")
    path, (head, other, child) = f"/console/menage/{household_id}", members(site, household_id)
    page = ndeye.get(path).text
    for hidden in ('name="annee-vue" value="2015"', f'name="chef-vu" value="{head.id}"'):
        assert hidden in page
    first, late = form(site, annee=2016), form(site, annee=2014)
    assert bakary.post(f"{path}/corriger/{child.id}", **first).status_code == 303
    refused = ndeye.post(f"{path}/corriger/{child.id}", **late)
    assert (refused.status_code, "a changé depuis" in refused.text) == (409, True)
    assert members(site, household_id)[-1].birth_year == 2016
    back = form(site, annee=1985, chef="oui") | {"annee-vue": 1985}
    swapped = form(site, annee=1990, chef="oui") | {"annee-vue": 1990}
    assert bakary.post(f"{path}/corriger/{other.id}", **swapped).status_code == 303
    assert ndeye.post(f"{path}/corriger/{head.id}", **back).status_code == 409
    assert members(site, household_id)[0].id == other.id
    scenes.verify_books()


def test_an_error_in_an_action_is_not_a_missing_page(site: Site) -> None:
    def raise_key_error(session: Session) -> str:
        return {"known": "somewhere"}["unknown"]

    def raise_missing(session: Session) -> str:
        raise Missing("no such household")

    def fail(session: Session, refusal: Refused) -> Answer:
        raise AssertionError(refusal)

    with site.app.test_request_context("/console/menage"):
        g.manager = site.scene.managers["bakary"]
        with pytest.raises(KeyError):
            perform(raise_key_error, fail)
        with pytest.raises(NotFound):
            perform(raise_missing, fail)


def test_the_pages_show_who_acts_next_and_that_no_sms_gives_the_reason(site: Site) -> None:
    household_id, bakary, tenant = (
        household_of(site, "awa"),
        site.visitor("bakary"),
        site.scene.senegal.tenant_id,
    )
    with db.transaction(db.Role.WORKER, tenant) as session:
        audit.open_case(session, tenant, "rule", f"household:{household_id}", "a price is missing")
    first = bakary.get("/console/").text
    assert "demandez à qui tient le logiciel de relancer « mutuelle schemes apply »" in first
    page = bakary.get(f"/console/menage/{household_id}?dit=classe").text
    assert "Aucun SMS ne dit pourquoi." in page
    assert page.count("Corriger l'année de naissance ou le chef") == 2
    assert page.count("Corriger l'année de naissance") == 3
