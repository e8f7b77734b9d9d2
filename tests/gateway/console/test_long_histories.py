"""The page of a payment shows what proves it, however many other notices and SMS there are."""

from mutuelle import db, inbox
from mutuelle.inbox import Door, Origin
from tests.gateway.console.conftest import Site
from tests.support.templates import Database

# Forged notices under our reference, from before the operator's own.
FORGED = """
INSERT INTO notices (tenant_id, id, door, account_id, provider, digest, body, authentic, named_ref,
    unsolicited, state, received_at, due_at, ended_at)
SELECT tenant_id, gen_random_uuid(), door, account_id, provider, number::text::bytea, body, false, named_ref,
    false, 'rejected', received_at - interval '1 hour', due_at, now()
FROM notices, generate_series(1, 20) number WHERE named_ref IS NOT NULL
"""
# Later SMS of the household: reminders, and at last the one about the reversal.
LATER_SMS = """
INSERT INTO messages (tenant_id, id, household_id, phone_index, phone_cipher, language, kind, facts, status,
    created_at)
SELECT m.tenant_id, gen_random_uuid(), m.household_id, m.phone_index, m.phone_cipher, m.language,
    CASE number WHEN 210 THEN 'reversed' ELSE 'reminder' END, CASE number WHEN 210 THEN m.facts ELSE '{}' END,
    'delivered', m.created_at + number * interval '1 second'
FROM messages m, generate_series(1, 210) number
WHERE m.kind = 'receipt' AND m.facts ->> 'transaction' = 'T_FATOU'
"""


def page_of(site: Site, which: object) -> str:
    return site.visitor("bakary").get(f"/console/paiement/{which}").text


def test_forged_notices_do_not_hide_the_operators_own(site: Site, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute(FORGED)
    page = page_of(site, site.scene.ref)
    assert "signature vérifiée" in page
    assert "signature fausse" in page


def test_the_notice_nearest_to_unrequested_money_is_found_among_others(
    site: Site, database: Database
) -> None:
    place = site.scene.senegal
    origin = Origin(place.tenant_id, place.account.id, Door.MOMO, "wave")

    def keep(body: str) -> None:
        with db.transaction(db.Role.APP, place.tenant_id) as session:
            inbox.keep(session, origin, body=body.encode(), authentic=True, unsolicited=True)

    for number in range(310):
        keep(f"other money {number}")
    with database.superuser() as connection:
        connection.execute("UPDATE notices SET received_at = now() - interval '20 hours' WHERE unsolicited")
    keep("money T_NEAR")
    receipt_id = site.scene.receive("T_NEAR", 5_000, place, None, minutes_ago=1)
    assert page_of(site, receipt_id).count("signature vérifiée") == 1


def test_a_late_sms_about_a_payment_is_shown_after_any_number_of_others(
    site: Site, database: Database
) -> None:
    with database.superuser() as connection:
        connection.execute(LATER_SMS)
    assert "SMS « Paiement repris »" in page_of(site, site.scene.receipts["T_FATOU"])


def test_the_page_says_from_when_on_its_steps_are_kept(site: Site, database: Database) -> None:
    note = "ne sont plus tous conservés"
    assert note not in page_of(site, site.scene.ref)
    with database.superuser() as connection:
        connection.execute("DELETE FROM messages")
        connection.execute(
            "INSERT INTO archive_runs VALUES (gen_random_uuid(), 'messages', now() + interval '1 hour', 1,"
            " true, now() + interval '2 hours', decode(repeat('00', 32), 'hex'))"
        )
    page = page_of(site, site.scene.ref)
    assert note in page
    assert "SMS « Reçu »" not in page
