"""Tests of attribution by hand, its undo, and refunds: every franc stays in the books, also on repeats."""

from collections.abc import Callable
from threading import Barrier, Thread

import httpx
import pytest
from playwright.sync_api import Browser
from sqlalchemy import select, text

from mutuelle import clock, db
from mutuelle.audit import AuditEntry, Flag
from mutuelle.messaging.messages import Message
from mutuelle.money import Money
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.payments.refunds import Refund
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site
from tests.gateway.console.world import STRANGER, ConsoleWorld


def lost_receipt_path(site: Site) -> str:
    return f"/console/a-rapprocher/{site.scene.receipts['T_LOST']}"


def sms_kinds(scene: ConsoleWorld, name: str) -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        household_id = scene.households[name].id
        return list(
            session.scalars(
                select(Message.kind).where(Message.household_id == household_id).order_by(Message.created_at)
            )
        )


def actors_of(action: str) -> list[str]:
    with db.transaction(db.Role.AUDITOR) as session:
        return list(session.scalars(select(AuditEntry.actor).where(AuditEntry.action == action)))


def give_to_awa(site: Site, login: str = "bakary") -> httpx.Response:
    version = str(scenes.version(site.scene, "T_LOST"))
    return site.visitor(login).post(
        f"{lost_receipt_path(site)}/attribuer", vu=version, menage=str(site.scene.households["awa"].id)
    )


@pytest.mark.browser
def test_a_candidate_is_accepted_and_undone_in_a_browser(site: Site, browser: Browser) -> None:
    with site.page(browser, "bakary") as page:
        page.goto("/console/a-rapprocher")
        page.click("main ul.list a")
        assert "C'est exactement tout ce qu'il doit." in page.locator("main").inner_text()
        page.click("text=C'est ce ménage")
        assert "C'est rapproché" in page.locator("[role=status]").inner_text()
        assert scenes.parts(site.scene.receipts["T_LOST"]) == {"bill": 6_500}
        assert sms_kinds(site.scene, "awa") == ["welcome", "receipt", "receipt"]
        scenes.verify_books()
        page.click("text=Annuler le rapprochement")
        assert "écritures inverses" in page.locator("[role=status]").inner_text()
        assert scenes.parts(site.scene.receipts["T_LOST"]) == {"suspense": 6_500}
        assert sms_kinds(site.scene, "awa")[-1] == "corrected"
        scenes.verify_books()
        page.fill("#numero", site.scene.households["fatou"].number)
        page.click("text=Rapprocher >> nth=-1")
        assert scenes.parts(site.scene.receipts["T_LOST"]) == {"credit": 6_500}
    assert actors_of("attributed") == [site.scene.managers["bakary"].actor] * 2
    assert actors_of("undone") == [site.scene.managers["bakary"].actor]
    scenes.verify_books()


@pytest.mark.browser
def test_of_two_managers_on_one_receipt_the_second_is_shown_the_name_of_the_first(
    site: Site, browser: Browser
) -> None:
    with site.page(browser, "bakary") as his, site.page(browser, "ndeye") as hers:
        for page in (his, hers):
            page.goto(lost_receipt_path(site))
        hers.click("text=C'est ce ménage")
        his.fill("#numero", site.scene.households["fatou"].number)
        his.click("text=Rapprocher >> nth=-1")
        assert "Déjà rapproché par Ndèye." in his.locator("[role=alert]").inner_text()
        his.go_back()  # the browser cached nothing: it loads the page anew
        assert "Plus rien n'attend : Ndèye s'en est occupé" in his.locator("main").inner_text()
        assert his.locator("text=C'est ce ménage").count() == 0
    assert scenes.parts(site.scene.receipts["T_LOST"]) == {"bill": 6_500}
    assert sms_kinds(site.scene, "awa") == ["welcome", "receipt", "receipt"]
    scenes.verify_books()


def at_once(*acts: Callable[[], httpx.Response]) -> list[int]:
    barrier, codes = Barrier(len(acts)), []

    def run(act: Callable[[], httpx.Response]) -> None:
        barrier.wait()
        codes.append(act().status_code)

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(codes)


def test_a_double_click_by_five_people_attributes_once(site: Site) -> None:
    visitors = [site.visitor(login) for login in ("bakary", "ndeye", "bakary", "ndeye", "bakary")]
    version, household_id = str(scenes.version(site.scene, "T_LOST")), str(site.scene.households["awa"].id)
    tokens = [visitor.token() for visitor in visitors]
    acts = [
        lambda v=visitor, t=token: v.http.post(
            f"{lost_receipt_path(site)}/attribuer", data={"jeton": t, "vu": version, "menage": household_id}
        )
        for visitor, token in zip(visitors, tokens, strict=True)
    ]
    assert at_once(*acts) == [303, 409, 409, 409, 409]
    assert scenes.parts(site.scene.receipts["T_LOST"]) == {"bill": 6_500}
    assert sms_kinds(site.scene, "awa") == ["welcome", "receipt", "receipt"]
    scenes.verify_books()


@pytest.mark.parametrize("typed", ["1234567890", "12", "", "abc"])
def test_a_wrong_member_number_changes_nothing(site: Site, typed: str) -> None:
    bakary = site.visitor("bakary")
    before = scenes.row_counts()
    answer = bakary.post(
        f"{lost_receipt_path(site)}/attribuer", vu=str(scenes.version(site.scene, "T_LOST")), numero=typed
    )
    assert answer.status_code == 409
    assert scenes.row_counts() == before


def test_money_the_operator_ties_to_a_request_is_not_moved_by_hand(site: Site) -> None:
    receipt = site.scene.receipts["T_AWA"]
    bakary = site.visitor("bakary")
    before = scenes.row_counts()
    answer = bakary.post(
        f"/console/a-rapprocher/{receipt}/annuler", vu=str(scenes.version(site.scene, "T_AWA"))
    )
    assert answer.status_code == 409
    assert scenes.row_counts() == before


def test_an_undone_attribution_is_made_again_and_counted_once(site: Site) -> None:
    """The ledger references of an earlier allocation must not hide those of a later one."""
    scene = site.scene
    assert give_to_awa(site).status_code == 303
    version = str(scenes.version(scene, "T_LOST"))
    assert site.visitor("ndeye").post(f"{lost_receipt_path(site)}/annuler", vu=version).status_code == 303
    assert give_to_awa(site).status_code == 303
    assert scenes.parts(scene.receipts["T_LOST"]) == {"bill": 6_500}
    scenes.verify_books()


def test_credit_pays_the_bill_that_an_undone_payment_opens_again(site: Site) -> None:
    """Fatou's first receipt pays her bill of 8,000; when it is undone, the credit of the second pays."""
    scene = site.scene
    scene.receive("T_MORE", 4_000, scene.senegal, scenes.FATOU)
    receipt = scene.receipts["T_FATOU"]
    answer = site.visitor("bakary").post(
        f"/console/a-rapprocher/{receipt}/annuler", vu=str(scenes.version(scene, "T_FATOU"))
    )
    assert answer.status_code == 303
    assert scenes.parts(receipt) == {"suspense": 20_000}
    assert scenes.parts(scene.receipts["T_MORE"]) == {"bill": 4_000}
    scenes.verify_books()


def ask_refund(
    site: Site, transaction: str = "T_LOST", amount: str = "6 500", login: str = "bakary"
) -> httpx.Response:
    version = str(scenes.version(site.scene, transaction))
    path = f"/console/remboursements/demander/{site.scene.receipts[transaction]}"
    return site.visitor(login).post(path, vu=version, montant=amount, raison="not-ours")


def last_refund() -> Refund:
    with db.transaction(db.Role.AUDITOR) as session:
        return session.scalars(select(Refund).order_by(Refund.asked_at.desc()).limit(1)).one()


@pytest.mark.browser
def test_a_refund_takes_two_people_and_ends_with_the_operators_transaction(
    site: Site, browser: Browser
) -> None:
    scene = site.scene
    with site.page(browser, "bakary") as his, site.page(browser, "ndeye") as hers:
        his.goto(f"/console/paiement/{scene.receipts['T_FATOU']}")
        his.click("text=Demander un remboursement")
        his.fill("#montant", "15 000")
        his.select_option("#raison", "too-much")
        his.click("main button:has-text('Demander')")
        assert "Une autre personne" in his.locator("[role=status]").inner_text()
        assert his.locator("button:has-text('Approuver')").count() == 0
        assert scenes.parts(scene.receipts["T_FATOU"]) == {"bill": 8_000, "credit": 12_000}
        hers.goto("/console/remboursements")
        hers.click("button:has-text('Approuver')")
        assert "est approuvé" in hers.locator("[role=status]").inner_text()
        assert scenes.parts(scene.receipts["T_FATOU"]) == {"bill": 5_000, "refunded": 15_000}
        assert sms_kinds(scene, "fatou")[-1] == "refunded"
        scenes.verify_books()
        assert scenes.FATOU in hers.locator("main").inner_text()  # where to pay to
        hers.fill("input[name=transaction]", "pt-1a2b3c")
        hers.click('button:has-text("C\'est payé")')
        assert "pt-1a2b3c" in hers.locator("main").inner_text()
    assert last_refund().status == "paid"
    scenes.verify_books()


def test_four_eyes_cannot_be_two_of_one(site: Site) -> None:
    assert ask_refund(site).status_code == 303
    before = scenes.row_counts()
    path = f"/console/remboursements/{last_refund().id}"
    assert site.visitor("bakary").post(f"{path}/approuver").status_code == 409
    assert site.visitor("bakary").post(f"{path}/paye", transaction="pt-1").status_code == 409
    assert scenes.row_counts() == before
    by_oneself = "UPDATE refunds SET status = 'approved', decided_by = asked_by, decided_at = now()"
    with (
        pytest.raises(Exception, match="four_eyes"),  # the database refuses it, too
        db.transaction(db.Role.CONSOLE, site.scene.senegal.tenant_id) as session,
    ):
        session.execute(text(by_oneself))


def test_while_a_refund_waits_the_receipt_stands_still_and_after_a_no_it_moves_again(site: Site) -> None:
    assert ask_refund(site).status_code == 303
    assert give_to_awa(site, "ndeye").status_code == 409
    assert ask_refund(site, login="ndeye").status_code == 409
    assert (
        site.visitor("ndeye").post(f"/console/remboursements/{last_refund().id}/refuser").status_code == 303
    )
    assert scenes.parts(site.scene.receipts["T_LOST"]) == {"suspense": 6_500}
    assert give_to_awa(site).status_code == 303
    scenes.verify_books()


@pytest.mark.parametrize("amount", ["0", "-5", "6501", "1.5", "tout", ""])
def test_a_refund_of_what_is_not_there_is_refused(site: Site, amount: str) -> None:
    before = scenes.row_counts()
    assert ask_refund(site, amount=amount).status_code == 409
    assert scenes.row_counts() == before


def test_two_approvals_at_once_pay_once(site: Site) -> None:
    assert ask_refund(site).status_code == 303
    path, visitors = (
        f"/console/remboursements/{last_refund().id}/approuver",
        [site.visitor("ndeye"), site.visitor("ndeye")],
    )
    tokens = [visitor.token() for visitor in visitors]
    acts = [
        lambda v=v, t=t: v.http.post(path, data={"jeton": t}) for v, t in zip(visitors, tokens, strict=True)
    ]
    assert at_once(*acts) == [303, 409]
    assert scenes.parts(site.scene.receipts["T_LOST"]) == {"refunded": 6_500}
    with db.transaction(db.Role.AUDITOR) as session:
        flag = session.scalars(
            select(Flag).where(Flag.subject == f"receipt:{site.scene.receipts['T_LOST']}")
        ).one()
        assert flag.closed_at is not None
    scenes.verify_books()


def reverse(scene: ConsoleWorld, transaction: str, amount: int) -> None:
    back = Movement(f"{transaction}-R", Money(amount, "XOF"), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, scene.senegal.tenant_id) as session:
        assert reversals.apply(session, scene.senegal.account, back)


def test_the_operators_own_reversal_of_what_was_refunded_is_the_same_money(site: Site) -> None:
    ask_refund(site)
    site.visitor("ndeye").post(f"/console/remboursements/{last_refund().id}/approuver")
    reverse(site.scene, "T_LOST", 6_500)
    assert scenes.parts(site.scene.receipts["T_LOST"]) == {"reversed": 6_500}
    scenes.verify_books()


def test_a_refund_asked_before_the_operator_took_the_money_back_cannot_be_approved(site: Site) -> None:
    ask_refund(site)
    reverse(site.scene, "T_LOST", 6_500)
    assert (
        site.visitor("ndeye").post(f"/console/remboursements/{last_refund().id}/approuver").status_code == 409
    )
    assert scenes.parts(site.scene.receipts["T_LOST"]) == {"reversed": 6_500}
    scenes.verify_books()


def test_a_reversal_is_sent_by_sms_and_shown(site: Site) -> None:
    reverse(site.scene, "T_FATOU", 20_000)
    assert sms_kinds(site.scene, "fatou")[-1] == "reversed"
    page = site.visitor("bakary").get(f"/console/paiement/{site.scene.receipts['T_FATOU']}").text
    assert "a repris" in page
    scenes.verify_books()


def test_the_payer_who_was_matched_once_is_suggested_the_next_time(site: Site) -> None:
    give_to_awa(site)
    again = site.scene.receive("T_AGAIN", 1_000, site.scene.senegal, STRANGER)
    page = site.visitor("bakary").get(f"/console/a-rapprocher/{again}").text
    assert "a déjà été compté pour ce ménage" in page
    assert "45 sur 100" in page
