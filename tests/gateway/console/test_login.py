"""Tests of the login: attempts are counted, sessions end, forms need a token, mutuelles are separate."""

from datetime import timedelta
from threading import Thread
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select, text

from mutuelle import clock, db
from mutuelle.audit import Flag
from mutuelle.households import households
from mutuelle.organisation import logins, sponsors
from mutuelle.organisation.logins import Login, Manager
from mutuelle.organisation.sponsors import SponsorTerms
from mutuelle.subsidies import claim_drafts
from mutuelle.subsidies.claim_lines import Period
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site
from tests.gateway.console.world import PASSWORD
from tests.support.people import AWA


@pytest.mark.browser
def test_bakary_logs_in_works_and_logs_out_and_the_session_is_gone(site: Site, browser: Browser) -> None:
    with site.page(browser) as page:
        page.goto("/console/a-rapprocher")
        assert page.url.endswith("/console/entrer?suite=/console/a-rapprocher")
        page.fill("#login", "Bakary")
        page.fill("#secret", PASSWORD)
        page.click("main button")
        assert page.url.endswith("/console/a-rapprocher")
        cookies = page.context.cookies()
        assert [(cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) for cookie in cookies] == [
            (True, "Strict", -1)
        ]
        page.click("header button")
        assert page.locator("h1").inner_text() == "Entrer dans l'espace de gestion"
        page.context.add_cookies(cookies)  # a kept cookie no longer opens the session
        page.goto("/console/")
        assert "/console/entrer" in page.url


def test_a_wrong_password_and_an_unknown_login_get_the_same_answer_and_five_tries(site: Site) -> None:
    for login in ("bakary", "nobody"):
        stranger = site.visitor()
        answers = [stranger.post("/console/entrer", login=login, secret="wrong-password-1") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [403] * 5 + [429]
        assert "est faux" in answers[0].text
        assert "Trop d" in answers[5].text
    # The right password is refused, too, and the count outlives the process that counted.
    assert site.visitor().post("/console/entrer", login="bakary", secret=PASSWORD).status_code == 429
    moment = clock.now()
    clock.install(clock.Source(now=lambda: moment + timedelta(minutes=16)))
    try:
        assert site.visitor().post("/console/entrer", login="bakary", secret=PASSWORD).status_code == 303
    finally:
        clock.install(clock.Source())


def test_twenty_guesses_at_once_are_five_tries(site: Site) -> None:
    waits: list[int | None] = []

    def guess() -> None:
        with db.transaction(db.Role.CONSOLE) as session:
            waits.append(logins.count_attempt(session, "bakary", "192.0.2.1"))

    threads = [Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(None) == logins.ATTEMPTS_PER_LOGIN


@pytest.mark.parametrize(("later", "still_in"), [(25, True), (35, False)])
def test_an_idle_session_ends(site: Site, later: int, still_in: bool) -> None:
    bakary = site.visitor("bakary")
    moment = clock.now()
    clock.install(clock.Source(now=lambda: moment + timedelta(minutes=later)))
    try:
        assert (bakary.get("/console/").status_code == 200) is still_in
    finally:
        clock.install(clock.Source())


def test_a_closed_account_is_out_at_once(site: Site) -> None:
    bakary = site.visitor("bakary")
    assert bakary.get("/console/").status_code == 200
    with db.transaction(db.Role.LOGIN) as session:
        logins.close(session, session.scalars(select(Login).where(Login.login == "bakary")).one())
    assert bakary.get("/console/").status_code == 303
    assert site.visitor().post("/console/entrer", login="bakary", secret=PASSWORD).status_code == 403


def test_the_login_leads_nowhere_outside(site: Site) -> None:
    for suite in ("https://evil.example/", "//evil.example/console/", "/console/..//evil.example", "/ussd/x"):
        answer = site.visitor().post("/console/entrer", login="bakary", secret=PASSWORD, suite=suite)
        assert answer.headers["Location"] == "/console/"


def draft_claim(site: Site) -> UUID:
    """Drafts a claim for Bakary once the rights of Fatou's household are open, and adds a sponsor."""
    scene = site.scene
    tenant_id, bakary = scene.senegal.tenant_id, scene.managers["bakary"]
    with db.transaction(db.Role.APP, tenant_id) as session:
        for member in households.members_of(session, tenant_id, scene.households["fatou"].id):
            member.name, member.provisional = f"Fatou {member.birth_year} Diop", False
    clock.install(clock.Source(shift_s=40 * 86_400))
    yesterday = clock.today("Africa/Dakar") - timedelta(1)
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        person = Manager(tenant_id, bakary.id, "Bakary")
        claim = claim_drafts.draft(session, person, "state", Period(yesterday - timedelta(60), yesterday))
        sponsors.add(
            session,
            tenant_id,
            code="union",
            name="Union",
            kind="ngo",
            terms=SponsorTerms(percent=50, cap=1_000, since=yesterday),
            by=person.actor,
        )
    clock.install(clock.Source())
    return claim.id


def routes(site: Site) -> list[tuple[str, str]]:
    """Returns every route of the console from the URL map, with Bakary's ids filled in."""
    scene = site.scene
    with db.transaction(db.Role.AUDITOR) as session:
        flag = session.scalars(
            select(Flag.id).where(Flag.tenant_id == scene.senegal.tenant_id, Flag.kind == "late")
        ).one()
    refund = str(uuid4())
    ids = {
        "which": scene.ref,
        "receipt_id": scene.receipts["T_LOST"],
        "household_id": scene.households["awa"].id,
        "flag_id": flag,
        "refund_id": refund,
        "rest": "x",
        "code": "union",
        "kind": "csv",
        "claim_id": draft_claim(site),
    }
    scene.lodge_appeal()
    scene.load_list(f"RNU 5;{AWA};Awa Sarr;1950;indigent;")
    with db.transaction(db.Role.AUDITOR) as session:
        for name, table in (
            ("ticket_id", "tickets"),
            ("proposal_id", "registry_proposals"),
            ("member_id", "members"),
        ):
            query = text(f"SELECT id FROM {table} WHERE household_id = :home ORDER BY id LIMIT 1")
            ids[name] = session.execute(query, {"home": ids["household_id"]}).scalar_one()
    with db.transaction(db.Role.CONSOLE, scene.senegal.tenant_id) as session:
        session.execute(
            text("INSERT INTO refunds VALUES (:t, :i, :r, 500, 'XOF', 'other', 1, 'asked', :b, now())"),
            {
                "t": scene.senegal.tenant_id,
                "i": refund,
                "r": ids["receipt_id"],
                "b": scene.managers["bakary"].id,
            },
        )
    paths = []
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint.startswith("console."):
            with site.app.test_request_context():
                path = site.app.url_map.bind("x").build(
                    rule.endpoint, {name: ids[name] for name in rule.arguments}
                )
            paths += [(method, path) for method in rule.methods - {"HEAD", "OPTIONS"}]
    assert len(paths) >= 18
    return sorted(paths)


OPEN = {"/console/style.css", "/console/entrer"}
OF_ONES_OWN = {
    "/console/",
    "/console/a-rapprocher",
    "/console/remboursements",
    "/console/remboursements/sorties",
    "/console/chercher",
    "/console/sortir",
    "/console/categories",
    "/console/doublons",
    "/console/reclamations",
    "/console/subventions",
    "/console/parrains",
    "/console/indicateurs",
    "/console/indicateurs.csv",
    "/console/inscrire",
}
# Forms that the fields of the test do not fill.
UNSAID = {("POST", f"/console/{name}") for name in ("subventions", "parrains", "inscrire", "doublons")}


def test_no_route_opens_to_a_stranger_or_shows_coumba_what_is_bakarys(site: Site) -> None:
    every = routes(site)
    before = scenes.row_counts()
    coumba, stranger = site.visitor("coumba"), site.visitor()
    secrets = [
        site.scene.households["awa"].number,
        site.scene.households["fatou"].number,
        "T_LOST",
        "T_AWA",
        "T_FATOU",
        "SN-TEST",
    ]
    for method, path in every:
        if path in OPEN:
            continue
        outside = stranger.get(path) if method == "GET" else stranger.post(path)
        assert outside.status_code == 303, path
        assert "/console/entrer" in outside.headers["Location"], path
        if path == "/console/sortir":
            continue
        fields = {
            "vu": "1",
            "menage": str(site.scene.households["awa"].id),
            "montant": "500",
            "raison": "other",
            "q": "T_AWA",
        }
        fields |= {"cle": "00000000-0000-4000-8000-000000000000"}
        answer = coumba.get(path) if method == "GET" else coumba.post(path, **fields)
        expected = 409 if (method, path) in UNSAID else 200 if path in OF_ONES_OWN else 404
        assert answer.status_code == expected, (method, path, answer.status_code)
        assert not [secret for secret in secrets if secret in answer.text and secret != "T_AWA"], path
    now = scenes.row_counts()
    assert {name: now[name] - before[name] for name in now if now[name] != before[name]} == {
        "audit": 1
    }  # her own search


def test_a_form_without_its_token_is_refused_and_changes_nothing(site: Site) -> None:
    every = routes(site)
    before = scenes.row_counts()
    bakary, other = site.visitor("bakary"), site.visitor("ndeye")
    for method, path in every:
        if method == "POST":
            for token in ("", "f" * 64, other.token()):
                answer = bakary.http.post(path, data={"jeton": token, "vu": "1"})
                assert answer.status_code == 400, path
                assert "Rien n&#39;a été changé" in answer.text or "Rien n'a été changé" in answer.text
    assert scenes.row_counts() == before


def test_an_address_outside_of_loopback_gets_a_host_cookie(site: Site) -> None:
    site.app.extensions["mutuelle"].settings.__dict__["public_url"] = "https://ussd.example.org"
    header = site.visitor().get("/console/").headers["Set-Cookie"]
    assert header.startswith("__Host-gestion=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(header.split("; "))
