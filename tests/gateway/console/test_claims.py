"""Tests of *Subventions*: drafted by one manager, checked by another, answered by line, paid."""

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from mutuelle import clock, db
from mutuelle.billing import sponsorships
from mutuelle.households import households
from mutuelle.organisation import sponsors
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.subsidies.claim_store import Claim
from mutuelle.verification import verify
from tests.gateway.console.conftest import Site, Visitor
from tests.gateway.console.test_pages import ENGLISH, visible_text
from tests.mutuelle.schemes.world import whole_period_books

FORTY_DAYS_S = 40 * 86_400


@pytest.fixture
def covered(site: Site) -> Iterator[Site]:
    """Names Fatou's household and eleven others, which have paid, and moves the clock on by forty days."""
    tenant_id = site.scene.senegal.tenant_id
    for n in range(11):
        site.scene.join(f"home{n}", f"+2217705{n:05d}", site.scene.senegal)
        site.scene.receive(f"T_{n}", 11_500, site.scene.senegal, f"+2217705{n:05d}")
    with db.transaction(db.Role.APP, tenant_id) as session:
        for name in ["fatou", *(f"home{n}" for n in range(11))]:
            for member in households.members_of(session, tenant_id, site.scene.households[name].id):
                member.name, member.provisional = f"Fatou {member.birth_year} Diop {name}", False
    clock.install(clock.Source(shift_s=FORTY_DAYS_S))
    yield site
    clock.install(clock.Source())


@pytest.fixture
def claiming(covered: Site) -> Iterator[Site]:
    """The same under rule books by which whole periods are claimed."""
    with whole_period_books():
        yield covered


def draft_claim(visitor: Visitor) -> str:
    """Drafts a claim of everything until yesterday. Returns its address."""
    yesterday = clock.today("Africa/Dakar") - timedelta(1)
    fields = {"payeur": "state", "du": (yesterday - timedelta(60)).isoformat(), "au": yesterday.isoformat()}
    answer = visitor.post("/console/subventions", **fields)
    assert answer.status_code == 303, visible_text(answer.text)
    return answer.headers["Location"].partition("?")[0]


def plain_text(html: str) -> str:
    return re.sub(r"\s+", " ", visible_text(html).replace("\xa0", " ").replace("&#39;", "'"))


def load_claim(site: Site) -> Claim:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.scalars(select(Claim)).one()


def test_two_people_a_payer_and_the_money(claiming: Site) -> None:
    bakary, ndeye, coumba = (claiming.visitor(login) for login in ("bakary", "ndeye", "coumba"))
    address = draft_claim(bakary)
    page = plain_text(bakary.get(address).text)
    assert "122 500 FCFA" in page
    assert "Droits pas encore ouverts 10 500 FCFA" in page
    assert "Demandé pour des périodes entières (Decree 1, section 2)" in page
    assert "Une autre personne que vous doit la vérifier" in page
    assert "Vous l'avez préparée" in plain_text(bakary.post(f"{address}/verifier").text)
    assert coumba.get(address).status_code == coumba.post(f"{address}/verifier").status_code == 404
    assert coumba.get(f"{address}/fichier.csv").status_code == 404
    assert "1 demande de subvention à vérifier par une deuxième personne" in plain_text(
        ndeye.get("/console/").text
    )
    assert ndeye.post(f"{address}/verifier").status_code == 303
    assert "1 demande de subvention à envoyer au payeur" in plain_text(bakary.get("/console/").text)
    assert bakary.post(f"{address}/envoyer").status_code == 303
    for path in ("/console/subventions", address, f"{address}?page=2", f"{address}/non-demande"):
        check_page(bakary, path)
    answers = {"r1": "oui", "r2": "non", "m2": "inconnu au registre", "r3": ""}
    assert "raison de trois lettres" in plain_text(bakary.post(f"{address}/reponses", r4="non", m4="").text)
    assert bakary.post(f"{address}/reponses", **answers).status_code == 303
    page = plain_text(bakary.get(address).text)
    assert "Accepté 3 500 FCFA Rejeté 3 500 FCFA" in page
    assert "33 lignes sans réponse" in page
    assert "Raison : inconnu au registre" in page
    assert bakary.post(f"{address}/accepter").status_code == 303
    assert "Ce montant n'est pas possible" in plain_text(
        bakary.post(f"{address}/paye", montant="119 001", reference="VIR 9").text
    )
    assert bakary.post(f"{address}/paye", montant="100 000", reference="VIR 8").status_code == 303
    assert "reste à venir 19 000 FCFA" in plain_text(bakary.get("/console/subventions").text)
    assert "déjà notée" in plain_text(
        bakary.post(f"{address}/paye", montant="19 000", reference="VIR 8").text
    )
    assert bakary.post(f"{address}/paye", montant="19 000", reference="VIR 9").status_code == 303
    assert load_claim(claiming).state == "paid"
    assert "VIR 9" in plain_text(bakary.get(address).text)
    check_files(claiming, bakary, address)
    # After forty days I4 finds the open notices of the scene late.
    with db.transaction(db.Role.AUDITOR) as session:
        assert [line for line in verify.run(session).broken if not line.startswith("I4")] == []


def test_the_page_names_the_covered_days_and_what_the_household_paid(covered: Site) -> None:
    bakary = covered.visitor("bakary")
    page = plain_text(bakary.get(draft_claim(bakary)).text)
    assert "Demandé pour les jours vraiment couverts" in page
    assert ": 10 jours couverts" in page  # of forty days thirty were waited, and today is not over
    assert "Ménage de 3, payé par lui : 10 500 FCFA ( T_" in page
    assert "Jours sans couverture ou à venir" in page


def check_files(site: Site, bakary: Visitor, address: str) -> None:
    """Asserts that the files carry the claim's hash and that each download is audited."""
    file = bakary.get(f"{address}/fichier.csv")
    assert hashlib.sha256(file.content).digest() == load_claim(site).lines_hash
    assert re.search(r'"SN-TEST-ETAT-\d{4}-001\.csv"$', file.headers["Content-Disposition"])
    assert bakary.get(f"{address}/fichier.pdf").content.startswith(b"%PDF")
    assert bakary.get(f"{address}/fichier.xlsx").content.startswith(b"PK")
    assert bakary.get(f"{address}/fichier.exe").status_code == 404
    with db.transaction(db.Role.AUDITOR) as session:
        count = (
            session.connection()
            .exec_driver_sql("SELECT count(*) FROM audit WHERE action = 'claim-exported'")
            .scalar_one()
        )
    assert count == 3


def test_a_claim_of_nothing_is_refused_with_the_reasons(site: Site) -> None:
    clock.install(clock.Source(shift_s=86_400))
    bakary, today = site.visitor("bakary"), clock.today("Africa/Dakar").isoformat()
    yesterday = (clock.today("Africa/Dakar") - timedelta(1)).isoformat()
    assert f'max="{yesterday}"' in bakary.get("/console/subventions").text
    early = bakary.post("/console/subventions", payeur="state", du=yesterday, au=today)
    assert "choisissez hier au plus tard" in plain_text(early.text)
    answer = bakary.post("/console/subventions", payeur="state", du=yesterday, au=yesterday)
    assert answer.status_code == 409
    assert "Il n'y a rien à demander à ce payeur" in plain_text(answer.text)
    assert "Droits pas encore ouverts 17 500 FCFA" in plain_text(answer.text)
    wrong = bakary.post("/console/subventions", payeur="state", du=today, au="hier")
    assert "finit avant de commencer" in plain_text(wrong.text)
    clock.install(clock.Source())


def test_a_sponsor_is_offered_once_it_promised_and_asked_by_its_name(claiming: Site) -> None:
    bakary, tenant_id = claiming.visitor("bakary"), claiming.scene.senegal.tenant_id
    today = clock.today("Africa/Dakar")
    yesterday = (today - timedelta(1)).isoformat()
    assert "sponsor:" not in bakary.get("/console/subventions").text
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        for code in ("secours", "oisif"):
            made = sponsors.add(
                session,
                tenant_id,
                code=code,
                name=f"Le {code}",
                kind="ngo",
                terms=SponsorTerms(percent=50, cap=99_000, since=today - timedelta(60)),
                by="bakary",
            )
            if code == "secours":
                sponsorships.help_household(
                    session, made, claiming.scene.households["awa"].id, today - timedelta(2), "bakary"
                )
    form = bakary.get("/console/subventions").text
    assert '<option value="sponsor:secours">Parrain : Le secours</option>' in form
    assert "oisif" not in form
    answer = bakary.post("/console/subventions", payeur="sponsor:secours", du=yesterday, au=yesterday)
    assert "pas encore ouverts" in plain_text(answer.text), plain_text(answer.text)
    for payer in ("sponsor", "sponsor:autre", "state:secours"):
        answer = bakary.post("/console/subventions", payeur=payer, du=yesterday, au=yesterday)
        assert "Choisissez un parrain de cette mutuelle" in plain_text(answer.text)


def check_page(visitor: Visitor, path: str) -> None:
    """Asserts that a page is small, sealed, and free of English words and codes."""
    answer = visitor.get(path)
    text = visible_text(answer.text)
    assert answer.status_code == 200
    assert len(answer.content) < 45_000, path
    assert not ENGLISH.search(text), (path, ENGLISH.search(text))
    assert "code " not in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def addresses(visitor: Visitor, other: Visitor) -> list[str]:
    address = draft_claim(visitor)
    other.post(f"{address}/verifier")
    visitor.post(f"{address}/envoyer")
    return ["/console/subventions", address, f"{address}?page=2", f"{address}/non-demande"]


@pytest.mark.browser
def test_pages_fit_a_small_telephone(claiming: Site, browser: Browser) -> None:
    paths = addresses(claiming.visitor("bakary"), claiming.visitor("ndeye"))
    with claiming.page(browser, "bakary") as page:
        for path in paths:
            page.goto(path)
            wide = page.locator("html").evaluate("e => e.scrollWidth")
            assert wide <= 360, f"{path} is {wide} px wide"
            assert page.locator("h1").count() == 1
            for target in page.locator("button, nav a, input:not([type=hidden]), select").all():
                box = target.bounding_box()
                assert box is None or box["height"] >= 24, path
