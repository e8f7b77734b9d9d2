"""Tests of *Doublons*: pairs side by side, two decisions with a reason, and nothing of the other mutuelle."""

import re

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.audit import AuditEntry, Flag
from mutuelle.enrolment import member_names
from mutuelle.households import duplicates, households
from mutuelle.households.duplicate_decisions import DuplicateDecision
from mutuelle.households.duplicates import DuplicatePair
from mutuelle.organisation.tenants import Tenant, TenantKind
from tests.gateway.console.conftest import Site
from tests.gateway.console.test_pages import visible_text
from tests.gateway.console.world import row_counts, verify_books
from tests.support.people import Place

NAMES = ("Marième Kane", "Ousmane Kane", "Bineta Kane")


def plain_text(html: str) -> str:
    return re.sub(r"\s+", " ", visible_text(html).replace("\xa0", " ").replace("&#39;", "'"))


def name_family(site: Site, name: str, place: Place) -> None:
    """Names the members of a household by hand, as the household's page does."""
    with db.transaction(db.Role.CONSOLE, place.tenant_id) as session:
        members = households.members_of(session, place.tenant_id, site.scene.households[name].id)
        for member, full_name in zip(members, NAMES, strict=False):
            member_names.set_name(session, place.tenant_id, member.id, full_name, "manager:test")


@pytest.fixture
def doubled(site: Site) -> Site:
    """Awa's household has joined again by another phone."""
    scene = site.scene
    scene.join("again", "+221770005555", scene.senegal)
    for name in ("awa", "again"):
        name_family(site, name, scene.senegal)
    return site


def pair_ids() -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        return [str(pair_id) for pair_id in session.scalars(select(DuplicatePair.id))]


def decisions() -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(DuplicateDecision.verdict).order_by(DuplicateDecision.decided_at)
        return list(session.scalars(query))


def open_cases() -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        query = select(Flag.subject).where(Flag.kind == "duplicate", Flag.closed_at.is_(None))
        return list(session.scalars(query))


def test_a_manager_sees_both_households_and_decides(doubled: Site) -> None:
    bakary = doubled.visitor("bakary")
    again = doubled.scene.households["again"]
    assert open_cases() == [f"household:{again.id}"]
    assert "Ouvrez « Doublons »" in plain_text(bakary.get("/console/").text)
    text = plain_text(bakary.get("/console/doublons").text)
    assert text.count("Marième Kane, 1985") == 2
    assert "3 personnes en commun" in text
    assert "Le prénom et le nom sont les mêmes." in text
    assert "Les deux ménages sont de la même mutuelle." in text
    before = row_counts()
    for fields in ({"decision": "same-earlier"}, {"decision": "oui", "comment": "papers"}):
        answer = bakary.post("/console/doublons", paire=pair_ids(), **fields)
        assert answer.status_code == 409
        assert "Choisissez dans la liste" in plain_text(answer.text)
    assert row_counts() == before
    answer = bakary.post("/console/doublons", paire=pair_ids(), decision="same-earlier", comment="papers")
    assert answer.status_code == 303
    assert "La prochaine demande de subvention suit" in plain_text(
        bakary.get(answer.headers["Location"]).text
    )
    assert decisions() == ["same-earlier"] * 3
    assert open_cases() == []
    assert "Aucun doublon n'attend" in plain_text(bakary.get("/console/doublons").text)
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "duplicate-decided")).all()
    assert {row.actor for row in rows} == {f"manager:{doubled.scene.managers['bakary'].id}"}
    assert not any("Kane" in str(row.facts) for row in rows)
    verify_books()


def test_a_later_decision_replaces_the_first(doubled: Site) -> None:
    bakary, ndeye = doubled.visitor("bakary"), doubled.visitor("ndeye")
    bakary.post("/console/doublons", paire=pair_ids(), decision="same-later", comment="told")
    text = plain_text(ndeye.get("/console/doublons?voir=decides").text)
    assert "C'est la même personne : demander l'adhésion suivante les ménages l'ont dit" in text
    assert "Bakary" in text
    answer = ndeye.post(
        "/console/doublons?voir=decides", paire=pair_ids(), decision="different", comment="agent-visit"
    )
    assert answer.status_code == 303
    assert decisions() == ["same-later"] * 3 + ["different"] * 3
    verify_books()


def test_no_manager_decides_about_a_pair_of_other_mutuelles(doubled: Site) -> None:
    coumba = doubled.visitor("coumba")
    assert "Aucun doublon n'attend" in plain_text(coumba.get("/console/doublons").text)
    fields = {"decision": "different", "comment": "papers"}
    assert coumba.post("/console/doublons", paire=pair_ids(), **fields).status_code == 404
    assert coumba.post("/console/doublons", **fields).status_code == 404
    assert coumba.post("/console/doublons", paire="x", **fields).status_code == 400
    assert decisions() == []


def test_a_decision_during_a_draft_is_refused(doubled: Site) -> None:
    bakary, tenant_id = doubled.visitor("bakary"), doubled.scene.senegal.tenant_id
    fields = {"paire": pair_ids(), "decision": "different", "comment": "papers"}
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        duplicates.freeze(session, tenant_id)  # as a draft does
        answer = bakary.post("/console/doublons", **fields)
        assert answer.status_code == 409
        assert "Une demande de subvention est en préparation" in plain_text(answer.text)
    assert decisions() == []
    assert bakary.post("/console/doublons", **fields).status_code == 303


def test_a_household_of_another_mutuelle_is_shown_by_its_number_alone(site: Site) -> None:
    scene = site.scene
    rwanda, senegal = scene.world.rwanda, scene.senegal
    with db.transaction(db.Role.LOGIN) as session:  # a second mutuelle of the federation
        own, other = session.get_one(Tenant, senegal.tenant_id), session.get_one(Tenant, rwanda.tenant_id)
        values = {name: getattr(own, name) for name in ("scheme", "currency", "zone", "language", "country")}
        federation = Tenant(
            id=clock.new_id(),
            kind=TenantKind.FEDERATION,
            code="UNION",
            short_code="199",
            name="Union",
            created_at=clock.now(),
            **values,
        )
        session.add(federation)
        session.flush()
        for name, value in values.items():
            setattr(other, name, value)
        own.parent_id = other.parent_id = federation.id
    scene.employ("kagame", "Kagame", rwanda)
    scene.join("there", "+221770006666", rwanda)
    name_family(site, "awa", senegal)
    name_family(site, "there", rwanda)
    there = scene.households["there"].number
    shown = plain_text(site.visitor("bakary").get("/console/doublons").text)
    assert f"{there[:3]} {there[3:6]} {there[6:]}" in shown
    assert "Mutuelle RW" in shown
    assert shown.count("Marième Kane") == 1
    assert "sans doute inscrite" not in plain_text(site.visitor("bakary").get("/console/").text)
    theirs = plain_text(site.visitor("kagame").get("/console/doublons").text)
    assert theirs.count("Marième Kane") == 1
    for text in (shown, theirs):
        assert "0000001" not in text
        assert "0006666" not in text


@pytest.mark.browser
def test_the_page_fits_a_small_phone(doubled: Site, browser: Browser) -> None:
    with doubled.page(browser, "bakary") as page:
        page.goto("/console/doublons")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        page.select_option("select[name=comment]", "papers")
        page.click("text=Noter la décision")  # the browser asks for the decision first
        assert "Marième" in page.inner_text("main")
        page.select_option("select[name=decision]", "same-earlier")
        page.click("text=Noter la décision")
        assert "Aucun doublon" in page.inner_text("main")
