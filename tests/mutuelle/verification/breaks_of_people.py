"""How the story can be broken in people, messages, the trail and cases, and which question answers."""

from tests.mutuelle.verification.deeds import ASKED, CLAIMED, PHONED, Break

BREAKS: dict[str, Break] = {
    # People
    "a birth year changes": ("member-birth-year", (
        f"UPDATE members SET birth_year = birth_year - 9 WHERE kind = 'head' AND household_id = {ASKED}",),
        set()),
    "the birth year of a corrected member changes": ("member-birth-year", (
        "UPDATE members SET birth_year = 1995 WHERE birth_year = 1991",), set()),
    "a member vanishes": ("household-people", (
        f"DELETE FROM members WHERE kind = 'dependant' AND household_id = {PHONED}",),
        {"member-birth-year", "row-link", "claim-line"}),
    "a member is added": ("household-people", (
        "INSERT INTO members (tenant_id, id, household_id, kind, birth_year, provisional, since)"
        " SELECT tenant_id, gen_random_uuid(), household_id, 'dependant', 2020, true, since"
        f" FROM members WHERE kind = 'head' AND household_id = {PHONED}",), set()),
    "the time zone of a mutuelle is none": ("time-zone", (
        "UPDATE tenants SET zone = 'Mars/Base' WHERE country = 'SN'",), set()),
    "a member joined earlier": ("member-since", (
        "UPDATE members SET since = since - 99 WHERE birth_year = 2020",), set()),
    "a member has left in silence": ("member-left", (
        f"UPDATE members SET until = since WHERE kind = 'dependant' AND household_id = {PHONED}",), set()),
    "a household has two heads": ("household-head", (
        f"UPDATE members SET kind = 'head' WHERE household_id = {PHONED}",), set()),
    "a household joined earlier": ("household-trail", (
        f"UPDATE households SET joined_at = joined_at - interval '1 year' WHERE id = {PHONED}",),
        {"bill-first-day", "member-since", "category-since"}),
    "a household vanishes": ("household-gone", (f"DELETE FROM households WHERE id = {CLAIMED}",),
                             {"row-link", "ledger-address"}),
    "a category loses its evidence": ("category-evidence", (
        "ALTER TABLE categories DROP CONSTRAINT categories_check, DROP CONSTRAINT categories_check1",
        "UPDATE categories SET reference_index = NULL, reference_cipher = NULL WHERE standing = 'checked'"),
        {"schema-constraints"}),
    "a category is said to be checked": ("category-trail", (
        "UPDATE categories SET standing = 'checked', evidence = 'agent-visit', actor = 'x', at = now()"
        f" WHERE household_id = {ASKED}",), set()),
    "a household has two categories": ("category-once", (
        "UPDATE categories SET since = since - 9 WHERE standing = 'checked'",), set()),
    "a category begins later": ("category-since", (
        "UPDATE categories SET since = since + 99 WHERE standing = 'claimed' AND until IS NULL",), set()),
    "a promise has no end": ("promise-end", (
        "INSERT INTO reminder_runs SELECT tenant_id, day + 1, NULL, now() FROM promises",), set()),
    "a category was not proven first": ("category-first", (
        "UPDATE bills SET scheme = 'ML-RAMED', version = '2020-01-01', category = 'indigent'"
        " WHERE kind = 'dues'",), set()),
    "a number proves two households": ("category-number", (
        "UPDATE categories SET evidence = 'list' WHERE standing = 'checked'",
        "INSERT INTO categories (tenant_id, id, household_id, category, standing, evidence, since, until,"
        " reference_index, reference_cipher, actor, at) SELECT tenant_id, gen_random_uuid(),"
        f" {CLAIMED}, category, standing, evidence, since, since, reference_index, reference_cipher, actor,"
        " at + interval '1 second' FROM categories WHERE standing = 'checked'"),
        {"category-once", "category-trail"}),
    "a status is of no member": ("class-member", (
        "INSERT INTO member_classes SELECT tenant_id, gen_random_uuid(), household_id, id, 'disabled',"
        f" 'document', since - 9, NULL, 'x', now() FROM members WHERE household_id = {CLAIMED}",),
        {"class-trail"}),
    "a status is noted in silence": ("class-trail", (
        "INSERT INTO member_classes SELECT tenant_id, gen_random_uuid(), household_id, id, 'disabled',"
        f" 'document', since, NULL, 'x', now() FROM members WHERE household_id = {CLAIMED}",), set()),
    "a member studies in silence": ("member-student", (
        "INSERT INTO audit SELECT tenant_id, gen_random_uuid(), now(), 'x', 'member-studies',"
        " 'household:' || household_id, jsonb_build_object('member', id) FROM members LIMIT 1",), set()),
    "a promise is for less": ("promise-trail", ("UPDATE promises SET amount = 1",), set()),
    "an appeal is over when it comes": ("ticket-deadline", (
        "UPDATE tickets SET deadline = deadline - 99",), set()),
    "an appeal is answered in silence": ("ticket-trail", (
        "UPDATE tickets SET state = 'answered', answer = 'accepted', answered_by = (SELECT id FROM logins"
        " LIMIT 1), answered_at = opened_at",), set()),
    # What outsiders said and what we say
    "a notice has no end": ("notice-end", (
        "UPDATE notices SET state = 'new', outcome = NULL, ended_at = NULL,"
        " received_at = now() - interval '9 years'",), set()),
    "a notice ended without an outcome": ("notice-outcome", ("UPDATE notices SET outcome = NULL",), set()),
    "a notice is left to nobody": ("case-notice", ("UPDATE notices SET state = 'person'",), set()),
    "a notice brought no money": ("notice-money", (
        "UPDATE notices SET named_ref = gen_random_uuid()",), set()),
    "a task brought no money": ("task-money", (
        "UPDATE receipts SET reference = NULL WHERE transaction = 'Q1'",),
        {"notice-money", "payment-receipt", "allocation-request", "receipt-seal"}),
    "an SMS has no task": ("sms-task", ("DELETE FROM outbox WHERE state = 'waiting'",), set()),
    "an SMS is being sent for a year": ("sms-sending", (
        "UPDATE messages SET status = 'sending', sent_at = created_at - interval '1 year'"
        " WHERE status = 'queued'",), set()),
    "an SMS is sent without its text": ("sms-sent", (
        "UPDATE messages SET text = NULL WHERE status = 'delivered'",), set()),
    "an SMS goes to a stranger": ("sms-phone", (
        "UPDATE messages SET phone_index = '\\x00112233445566778899aabbccddeeff' WHERE kind = 'receipt'",),
        set()),
    "an SMS vanishes": ("task-subject", ("DELETE FROM messages WHERE kind = 'welcome'",), {"case-subject"}),
    # The trail and the cases
    "the trail is emptied": ("household-trail", ("DELETE FROM audit",), {
        "refund-trail", "allocation-manager", "payment-asked", "adjustment-trail", "sponsor-trail",
        "sponsorship-trail", "member-left", "member-birth-year", "category-trail", "ticket-trail",
        "promise-trail", "claim-trail", "claim-payment-trail", "claim-answer-trail", "case-closed",
        "member-since", "duplicate-trail"}),
    "a case is closed in silence": ("case-closed", (
        "UPDATE flags SET closed_at = opened_at WHERE kind = 'sms'",), set()),
    "a case of suspense is closed in silence": ("case-closed", (
        "UPDATE flags SET closed_at = opened_at WHERE kind = 'suspense'",), {"case-suspense"}),
    "a case is closed before it was opened": ("case-times", (
        "UPDATE flags SET opened_at = closed_at + interval '1 hour' WHERE kind = 'conflict'",), set()),
    "a case of suspense is deleted": ("case-suspense", ("DELETE FROM flags WHERE kind = 'suspense'",), set()),
    "a case about a reversal is deleted": ("case-excess", (
        "DELETE FROM flags WHERE kind = 'conflict'",), set()),
    "a case about an outflow is deleted": ("case-outflow", (
        "DELETE FROM flags WHERE kind = 'outflow'",), set()),
    "a corrected fee has no case": ("case-fee", (
        "INSERT INTO audit SELECT tenant_id, gen_random_uuid(), now(), 'operator', 'fee-corrected',"
        " 'receipt:' || id, '{}' FROM receipts LIMIT 1",), set()),
    "a case about an SMS is deleted": ("case-sms", ("DELETE FROM flags WHERE kind = 'sms'",), set()),
    # Links and phones
    "a line is of no household": ("row-link", (
        "UPDATE consents SET household_id = gen_random_uuid()",), set()),
    "a phone stands in the open": ("phone-open", (
        "UPDATE flags SET reason = 'call +221770000001' WHERE kind = 'sms'",), set()),
}  # fmt: skip
