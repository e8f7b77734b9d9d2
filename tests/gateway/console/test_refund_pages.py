"""Pages show first what needs a person, however much else there is, and whether a payout was seen."""

import html
import re

import pytest
from sqlalchemy import text

from mutuelle import audit, clock, db
from mutuelle.audit import FlagKind
from mutuelle.money import Money
from mutuelle.payments import payouts, refunds, reversals
from mutuelle.payments.operators import Movement, OutflowDirection
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site, Visitor
from tests.support.templates import Database

LIST = "/console/remboursements"


def approve_refund(site: Site, transaction: str = "T_LOST", amount: int = 6_500) -> Refund:
    scene = site.scene
    tenant_id = scene.senegal.tenant_id
    with db.transaction(db.Role.CONSOLE, tenant_id) as session:
        receipt = session.get_one(Receipt, (tenant_id, scene.receipts[transaction]))
        version = scenes.version(scene, transaction)
        row = refunds.ask(
            session,
            scene.managers["bakary"],
            receipt,
            amount=amount,
            reason="asked",
            expected_version=version,
        )
        refunds.approve(session, scene.managers["ndeye"], row)
    return row


def shown(visitor: Visitor, path: str) -> str:
    """Returns a page as a person reads it: with plain spaces and quotes."""
    return html.unescape(visitor.get(path).text).replace("\u00a0", " ")


def reverse(site: Site, transaction: str, amount: int) -> None:
    back = Movement(f"{transaction}-R", Money(amount, "XOF"), clock.now(), reverses=transaction)
    with db.transaction(db.Role.WORKER, site.scene.senegal.tenant_id) as session:
        assert reversals.apply(session, site.scene.senegal.account, back)


def leaves(site: Site, transaction: str, amount: int) -> None:
    moved = Movement(
        transaction, Money(amount, "XOF"), clock.now(), flow=OutflowDirection.OUT, kind="api_payout"
    )
    with db.transaction(db.Role.WORKER, site.scene.senegal.tenant_id) as session:
        payouts.settle(session, site.scene.senegal.account, moved)


def test_a_payout_is_not_seen_until_the_operator_shows_it(site: Site) -> None:
    row, bakary = approve_refund(site), site.visitor("bakary")
    assert bakary.post(f"{LIST}/{row.id}/paye", transaction="pt-77").status_code == 303
    assert "payé, pas vu chez l'opérateur" in shown(bakary, LIST)
    assert "pas vu dans sa liste" in shown(bakary, f"/console/paiement/{row.receipt_id}")
    leaves(site, "pt-78", 6_500)
    assert "sans explication" in shown(bakary, f"{LIST}/sorties")
    assert "De l'argent a quitté un compte" in shown(bakary, "/console/")
    assert bakary.post(f"{LIST}/{row.id}/corriger", transaction="pt-78").status_code == 303
    assert "payé, vu chez l'opérateur" in shown(bakary, LIST)
    assert "sans explication" not in shown(bakary, f"{LIST}/sorties")
    assert "De l'argent a quitté un compte" not in shown(bakary, "/console/")
    scenes.verify_books()


def test_an_ended_refund_says_not_to_pay_and_cannot_be_noted(site: Site) -> None:
    row, bakary = approve_refund(site), site.visitor("bakary")
    reverse(site, "T_LOST", 6_500)
    assert "l'opérateur a repris le paiement. Ne payez pas." in shown(bakary, LIST)
    before = scenes.row_counts()
    answer = bakary.post(f"{LIST}/{row.id}/paye", transaction="pt-77")
    assert (answer.status_code, "ce remboursement est clos" in answer.text) == (409, True)
    assert scenes.row_counts() == before
    assert "Un remboursement décidé" in shown(bakary, "/console/")


def test_a_refund_that_shrank_shows_what_is_left_to_pay(site: Site) -> None:
    approve_refund(site)
    reverse(site, "T_LOST", 2_500)
    page = re.sub(r"<[^>]+>", "", shown(site.visitor("bakary"), LIST))
    assert "4 000 FCFA" in page
    assert "6 500 FCFA approuvés ; l'opérateur en a rendu 2 500 FCFA lui-même" in page


@pytest.mark.parametrize(
    ("transaction", "text"), [("T_FATOU", "paiement reçu"), ("pt-1", "une transaction ne paie")]
)
def test_a_transaction_of_something_else_is_refused_in_words(site: Site, transaction: str, text: str) -> None:
    first, second = approve_refund(site), approve_refund(site, "T_FATOU", 1_000)
    bakary = site.visitor("bakary")
    assert bakary.post(f"{LIST}/{first.id}/paye", transaction="pt-1").status_code == 303
    answer = bakary.post(f"{LIST}/{second.id}/paye", transaction=transaction)
    assert (answer.status_code, text in answer.text) == (409, True)


def close_many(database: Database, count: int) -> None:
    """Refunds that were asked later and refused."""
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO refunds (tenant_id, id, receipt_id, amount, currency, reason, seen,"
            " status, asked_by, asked_at, decided_by, decided_at)"
            " SELECT r.tenant_id, gen_random_uuid(), r.id,"
            " 1, r.currency, 'asked', 1, 'refused', l.id, now() + interval '1 minute', l.id,"
            " now()"
            " FROM receipts r JOIN logins l ON l.tenant_id = r.tenant_id AND l.login = 'bakary'"
            " CROSS JOIN generate_series(1, %s) WHERE r.transaction = 'T_FATOU'",
            [count],
        )


def test_open_refunds_stand_before_any_number_of_closed_ones(site: Site, database: Database) -> None:
    row, bakary = approve_refund(site), site.visitor("bakary")
    close_many(database, 130)
    assert f"{row.id}/paye" in shown(bakary, LIST)
    bakary.post(f"{LIST}/{row.id}/paye", transaction="pt-77")
    assert f"{row.id}/corriger" in shown(bakary, LIST)
    pages = [shown(bakary, f"{LIST}?page={number}").count("demande close") for number in (1, 2, 3)]
    assert pages == [59, 60, 11]


def open_cases(site: Site, kind: FlagKind, count: int) -> None:
    with db.transaction(db.Role.WORKER, site.scene.senegal.tenant_id) as session:
        for number in range(count):
            audit.open_case(session, site.scene.senegal.tenant_id, kind, f"test:{kind}:{number}", "a test")


@pytest.mark.parametrize(
    "kind", [FlagKind.CONFLICT, FlagKind.REFUND, FlagKind.OUTFLOW, FlagKind.CONTRADICTION]
)
def test_wrong_money_is_shown_before_any_number_of_older_cases(site: Site, kind: FlagKind) -> None:
    open_cases(site, FlagKind.SMS, 130)
    open_cases(site, kind, 1)
    with db.transaction(db.Role.AUDITOR) as session:
        conflict = session.execute(
            text("SELECT id FROM flags WHERE subject = :subject"), {"subject": f"test:{kind}:0"}
        ).scalar_one()
    assert f"signal/{conflict}/vu" in shown(site.visitor("bakary"), "/console/")


def test_every_case_is_on_some_page_and_counted_on_all(site: Site) -> None:
    for kind in FlagKind:
        open_cases(site, kind, 9)
    bakary = site.visitor("bakary")
    with db.transaction(db.Role.AUDITOR) as session:
        flags = session.scalars(
            text(
                "SELECT id::text FROM flags WHERE closed_at IS NULL AND kind <> 'suspense' AND tenant_id = :t"
            ),
            {"t": site.scene.senegal.tenant_id},
        ).all()
    pages = [shown(bakary, f"/console/?page={number}") for number in range(1, len(flags) // 50 + 2)]
    assert all(f'<span class="n">{len(flags)}</span>' in page for page in pages)
    assert all(sum(f"signal/{flag}/vu" in page for page in pages) == 1 for flag in flags)


def test_coumba_sees_no_outflow_of_another_mutuelle(site: Site) -> None:
    leaves(site, "pt-99", 100)
    assert "pt-99" in shown(site.visitor("bakary"), f"{LIST}/sorties")
    assert "pt-99" not in shown(site.visitor("coumba"), f"{LIST}/sorties")
