"""How the story can be broken in receipts, requests, refunds and the ledger, and which question answers."""

from tests.mutuelle.verification.deeds import (
    ASKED,
    CLAIMED,
    LEDGER,
    PHONED,
    RIGHTS,
    Break,
    moved,
    receipt,
    vanished,
)

BREAKS: dict[str, Break] = {
    # Receipts and their money
    "a part is lost": ("receipt-parts", (f"DELETE FROM allocations WHERE receipt_id = {receipt('S1')}",),
                       {LEDGER, "receipt-moment"}),
    "a part is raised": ("receipt-parts", (
        "UPDATE allocations SET amount = amount + 1 WHERE receipt_id = " + receipt("S1"),), {LEDGER}),
    "a negative part": ("receipt-part-negative", (
        "INSERT INTO allocations SELECT tenant_id, gen_random_uuid(), receipt_id, NULL, NULL, NULL, k, a,"
        " on_day, at, 'x' FROM allocations, (VALUES ('suspense', -501), ('reversed', 501)) v (k, a)"
        f" WHERE receipt_id = {receipt('S1')}",), {LEDGER, "receipt-reversed"}),
    "a receipt of a request vanishes with its postings": ("payment-receipt", vanished("Q1"), {
        "receipt-sms", "notice-money", "task-money", RIGHTS}),
    "a receipt in suspense vanishes with its postings": ("case-subject", vanished("S1"), set()),
    "a receipt by phone vanishes with its postings": ("receipt-sms", vanished("T3"), {RIGHTS}),
    "the payer of a receipt changes": ("receipt-seal", (
        "UPDATE receipts SET payer_index = s.payer_index, payer_cipher = s.payer_cipher"
        " FROM (SELECT * FROM receipts WHERE transaction = 'Q1') s"
        " WHERE receipts.transaction = 'S1'",), set()),
    "the reference of a receipt changes": ("receipt-seal", (
        "UPDATE receipts SET reference = 'another' WHERE transaction = 'S1'",), set()),
    "the moment of a receipt changes": ("receipt-moment", (
        "UPDATE receipts SET moved_at = moved_at + interval '1 hour' WHERE transaction = 'S1'",),
        {"receipt-seal"}),
    "the moment changes in the ledger, too": ("receipt-seal", (
        "UPDATE receipts SET moved_at = moved_at - interval '1 year' WHERE transaction = 'S1'",
        f"UPDATE entries SET at = at - interval '1 year' WHERE reference = 'receipt:' || {receipt('S1')}",
        f"UPDATE allocations SET on_day = on_day - 365 WHERE receipt_id = {receipt('S1')}"), set()),
    "a household's credit is negative": ("credit-negative", (
        "UPDATE allocations SET amount = -amount WHERE kind = 'credit'",),
        {"receipt-parts", "receipt-part-negative", "allocation-reason", LEDGER}),
    "a transaction has two receipts": ("receipt-once", (
        "ALTER TABLE receipts DROP CONSTRAINT receipts_account_id_transaction_key",
        "UPDATE receipts SET transaction = 'S1' WHERE transaction = 'S2'"),
        {"schema-constraints", "schema-indexes", "receipt-seal", "receipt-sms"}),
    "money of a request moves to another household": ("allocation-request", moved("Q1", PHONED), {
        "receipt-sms", RIGHTS, "bill-overpaid"}),
    "money by phone moves to another household": ("allocation-phone", moved("T3", ASKED), {
        "receipt-sms", RIGHTS}),
    "money that a manager attributed moves to another household": ("allocation-manager", moved("S2", ASKED), {
        "receipt-sms"}),
    "an allocation loses its reason": ("allocation-reason", (
        f"UPDATE allocations SET reason = 'credit pays a bill' WHERE receipt_id = {receipt('S2')}",), set()),
    "money is said to be taken off by hand": ("allocation-undone", (
        f"UPDATE allocations SET reason = 'undone by hand' WHERE receipt_id = {receipt('S1')}",), set()),
    "money sits on the State's line": ("allocation-line", (
        "UPDATE allocations SET bill_line_id = (SELECT id FROM bill_lines WHERE payer = 'state' LIMIT 1)"
        f" WHERE receipt_id = {receipt('Q1')} AND kind = 'bill'",), {RIGHTS}),
    "money sits on another household's line": ("allocation-line", (
        "UPDATE allocations SET bill_line_id = (SELECT l.id FROM bill_lines l"
        f" JOIN bills b ON b.id = l.bill_id WHERE b.household_id = {PHONED}"
        " AND l.payer = 'member' AND b.kind = 'dues'"
        f" AND l.adjustment_id IS NULL) WHERE receipt_id = {receipt('Q1')} AND kind = 'bill'",),
        {RIGHTS, "bill-overpaid"}),
    "a day of money moves a year": ("allocation-day", (
        "UPDATE allocations SET on_day = on_day - 365 WHERE reason = 'by hand' AND kind = 'credit'",), set()),
    # Requests
    "a paid request is called failed": ("payment-status", ("UPDATE payments SET status = 'failed'",), set()),
    "a paid request is called reversed": ("payment-reversed", (
        "UPDATE payments SET status = 'reversed'",), set()),
    "a request asks for another amount": ("payment-amount", ("UPDATE payments SET amount = 1",),
                                          {"payment-asked"}),
    "a request is of another household": ("allocation-request", (
        f"UPDATE payments SET household_id = {CLAIMED}",), set()),
    "a request never ends": ("payment-end", (
        "UPDATE payments SET status = 'pending', expires_at = created_at",),
        {"payment-status", "payment-task"}),
    "nothing will ask about a request": ("payment-task", (
        "UPDATE payments SET status = 'pending', expires_at = now() + interval '9 years'",),
        {"payment-status"}),
    "a household never asked for a request": ("payment-asked", (
        "DELETE FROM audit WHERE action = 'pay'",), set()),
    "a second payment of a request has no case": ("payment-double", (
        f"UPDATE receipts SET reference = (SELECT ref::text FROM payments) WHERE id = {receipt('T3')}",
        "UPDATE allocations SET reason = 'answer to our request'",),
        {"payment-amount", "allocation-request"}),
    "a proof stays unread without a case": ("payment-unread", (
        "UPDATE payments SET unread_proof_at = created_at",), set()),
    # Refunds, reversals, outflows
    "a refund is approved without a movement": ("receipt-refunded", (
        "INSERT INTO refunds (tenant_id, id, receipt_id, amount, currency, reason, seen, status, asked_by,"
        " asked_at, decided_by, decided_at) SELECT tenant_id, gen_random_uuid(), receipt_id, 5, currency,"
        " reason, seen, 'approved', asked_by, asked_at, decided_by, decided_at FROM refunds"
        " WHERE status = 'approved'",), {LEDGER, "refund-trail"}),
    "money is refunded without a refund": ("receipt-refunded", (
        "DELETE FROM refunds WHERE status = 'approved'",),
        {LEDGER, "ledger-cause", "refund-gone"}),
    "a refund is called paid": ("refund-trail", (
        "UPDATE refunds SET status = 'paid', transaction = 'ANY', paid_by = decided_by, paid_at = decided_at"
        " WHERE status = 'approved'",), {LEDGER}),
    "one manager asks and approves": ("refund-four-eyes", (
        "ALTER TABLE refunds DROP CONSTRAINT four_eyes", "UPDATE refunds SET decided_by = asked_by"),
        {"refund-trail", "schema-constraints"}),
    "a refund has another amount": ("refund-trail", (
        "UPDATE refunds SET amount = amount - 1 WHERE status = 'approved'",), {LEDGER, "receipt-refunded",
        "refund-seal"}),
    "a refund is seen without its line": ("refund-seen", (
        "UPDATE refunds SET transaction = 'OTHER' WHERE status = 'paid'",), set()),
    "a refund shrinks without a reversal": ("refund-shrunk", (
        "UPDATE refunds SET taken_back = 1 WHERE status = 'approved'",),
        {LEDGER, "receipt-refunded", "case-refund"}),
    "a refund has another currency": ("refund-currency", (
        "UPDATE refunds SET currency = 'XAF' WHERE status = 'approved'",), {LEDGER, "refund-seal"}),
    "a reversal vanishes": ("receipt-reversed", ("DELETE FROM reversals",),
                            {LEDGER, "ledger-cause", "reversal-sms"}),
    "a reversal vanishes with its movement": ("reversal-sms", (
        "DELETE FROM postings WHERE entry_id IN (SELECT id FROM entries WHERE reference LIKE 'reversal:%')",
        "DELETE FROM entries WHERE reference LIKE 'reversal:%'",
        "DELETE FROM allocations WHERE reason = 'the operator took it back'", "DELETE FROM reversals"),
        set()),
    "the moment of a reversal changes": ("reversal-moment", (
        "UPDATE reversals SET moved_at = moved_at - interval '1 year'",), {"reversal-seal"}),
    "a reversal is of another transaction": ("reversal-account", (
        "UPDATE reversals SET own_id = true",), {"reversal-seal"}),
    "the moment of an outflow changes": ("outflow-moment", (
        "UPDATE outflows SET moved_at = moved_at - interval '1 year' WHERE transaction = 'O1'",),
        {"outflow-seal"}),
    "a refund's SMS remains without a refund": ("refund-sms", (
        "INSERT INTO messages SELECT tenant_id, gen_random_uuid(), household_id, phone_index, phone_cipher,"
        " language, 'refunded', facts, text, segments, status, provider_id, provider_status, created_at,"
        " sent_at, ended_at, key FROM messages WHERE kind = 'receipt' AND status = 'delivered' LIMIT 1",),
        set()),
    "an outflow is invented": ("case-outflow", ("UPDATE flags SET kind = 'fee' WHERE kind = 'outflow'"
        " AND subject = 'transaction:O1'",), set()),
    "a refund vanishes with its movement": ("refund-gone", (
        "DELETE FROM postings WHERE entry_id IN (SELECT e.id FROM entries e JOIN refunds f ON"
        " split_part(e.reference, ':', 2) = f.id::text WHERE f.status = 'approved')",
        "DELETE FROM entries USING refunds f WHERE split_part(reference, ':', 2) = f.id::text"
        " AND f.status = 'approved'",
        "DELETE FROM allocations WHERE reason = 'refunded' AND receipt_id ="
        " (SELECT receipt_id FROM refunds WHERE status = 'approved')",
        "DELETE FROM refunds WHERE status = 'approved'"), {"case-suspense"}),
    "a refund was asked for another reason": ("refund-seal", (
        "UPDATE refunds SET reason = 'twice' WHERE status = 'paid'",), {"refund-trail"}),
    "the fee of a reversal changes": ("reversal-seal", (
        "UPDATE reversals SET recorded_at = recorded_at + interval '1 day'",), set()),
    "an outflow has another kind": ("outflow-seal", (
        "UPDATE outflows SET kind = 'salary' WHERE transaction = 'O1'",), set()),
    "a seal is taken away": ("outflow-seal", (
        "UPDATE outflows SET seal = NULL WHERE transaction = 'O1'",), set()),
    "a refund ends without a case": ("case-refund", (
        "UPDATE refunds SET status = 'ended', ended_at = decided_at WHERE status = 'approved'",),
        {LEDGER, "receipt-refunded"}),
    # The ledger
    "a posting is lost": (LEDGER, (
        "DELETE FROM postings WHERE source LIKE 'outside:%' AND amount = 2000",), set()),
    "suspense moves to the fund": (LEDGER, (
        "UPDATE postings SET target = 'fund:' || tenant_id WHERE target LIKE 'suspense:%'",),
        {"ledger-move"}),
    "two entries offset each other through an invented address": ("ledger-address", (
        "INSERT INTO entries SELECT tenant_id, gen_random_uuid(), 'credit:' || id || 'x', recorded_at"
        " FROM receipts WHERE transaction = 'Q1'",
        "INSERT INTO postings SELECT e.tenant_id, gen_random_uuid(), e.id, s, t, 5, 'XOF' FROM entries e,"
        " (VALUES ('fund:x', 'pocket:1'), ('pocket:1', 'fund:x')) v (s, t) WHERE reference LIKE 'credit:%x'"),
        {"ledger-move", "ledger-cause"}),
    "two postings offset each other without an act": ("ledger-cause", (
        "INSERT INTO entries SELECT tenant_id, gen_random_uuid(), 'bonus:' || id, recorded_at"
        " FROM receipts WHERE transaction = 'Q1'",
        "INSERT INTO postings SELECT e.tenant_id, gen_random_uuid(), e.id, s || e.tenant_id,"
        " t || e.tenant_id, 5, 'XOF' FROM entries e, (VALUES ('fund:', 'bank:'), ('bank:', 'fund:')) v (s, t)"
        " WHERE reference LIKE 'bonus:%'"), {"ledger-move"}),
    "postings move to another entry": (LEDGER, (
        "UPDATE postings SET entry_id = (SELECT id FROM entries WHERE reference = 'receipt:' || "
        f"{receipt('S1')}) WHERE entry_id = (SELECT id FROM entries WHERE reference = 'receipt:' || "
        f"{receipt('S2')})",), {"ledger-empty"}),
    "a posting goes the wrong way": ("ledger-move", (
        "UPDATE postings SET source = target, target = source WHERE source LIKE 'fees:%'",), {LEDGER}),
    "an entry loses its postings": ("ledger-empty", (
        "INSERT INTO entries SELECT tenant_id, gen_random_uuid(), 'credit:' || id, recorded_at FROM receipts"
        " WHERE transaction = 'Q1'",), set()),
}  # fmt: skip
