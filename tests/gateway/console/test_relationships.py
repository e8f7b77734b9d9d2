"""How members are related to the head is noted on the console's form and page, and the rules ask it."""

from collections.abc import Iterator
from typing import Any

import pytest

from mutuelle import db
from mutuelle.households import households
from tests.gateway.console.conftest import Site
from tests.gateway.console.enrolment_form import PATH, TODAY, form, household_of, number, ramed_site, rows
from tests.support.templates import Database


@pytest.fixture(scope="module")
def site(module_database: Database, redis_server: Any) -> Iterator[Site]:
    with ramed_site(module_database, redis_server.url) as site:
        yield site


def test_relationships_are_noted_on_the_form_and_on_the_page_of_the_household(site: Site) -> None:
    kadi, phone = site.visitor("kadi"), number()
    young, old = str(TODAY.year - 22), "1950"
    people = {"annee": ["1980", "1984", young, old], "nom": [""] * 4, "lien": ["", "spouse", "eleve", ""]}
    assert kadi.post(PATH, **form(phone, **people)).status_code == 303
    household_id = household_of(phone)
    address = f"/console/menage/{household_id}"
    tenant = site.scene.managers["kadi"].tenant_id
    with db.transaction(db.Role.AUDITOR) as session:
        members = {row.birth_year: row for row in households.members_of(session, tenant, household_id)}
    assert [members[year].relationship for year in (1980, 1984, int(young), 1950)] == [
        None, "spouse", "child", None
    ]  # fmt: skip
    shown = kadi.get(address).text
    assert "conjoint(e), né(e) en 1984" in shown
    assert "Pas couvert(e). Cet enfant a dépassé l'âge" in shown.replace("&#39;", "'")
    answer = kadi.post(f"{address}/lien/{members[1950].id}", vu="4", lien="parent")
    assert answer.status_code == 303
    shown = kadi.get(address).text.replace("&#39;", "'")
    assert "Le régime ne couvre pas ce lien de parenté" in shown
    again = kadi.post(f"{address}/lien/{members[1950].id}", vu="3", lien="spouse")
    assert again.status_code == 409
    assert kadi.post(f"{address}/lien/{members[1950].id}", vu="4", lien="cousin").status_code == 409
    assert kadi.post(f"{address}/ajouter", vu="4", annee="1990", nom="", lien="spouse").status_code == 303
    bills = rows("SELECT born FROM bills WHERE household_id = :h", h=household_id)
    assert bills[0].born == [1980, 1950, 1984]
