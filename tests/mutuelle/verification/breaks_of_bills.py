"""How the story can be broken in bills, claims and rights: by deed, the question that must name it."""

from tests.mutuelle.verification.deeds import ASKED, CLAIMED, LEDGER, LINE_COLUMNS, RIGHTS, Break, receipt

BREAKS: dict[str, Break] = {
    # Bills
    "bills are cut to a tenth": ("bill-price", (
        "UPDATE bills SET total = total / 10", "UPDATE adjustments SET total = total / 10",
        "UPDATE bill_lines SET amount = amount / 10"),
        {RIGHTS, "adjustment-trail", "bill-overpaid", "claim-once", "claim-accepted"}),
    "shares move to the State": ("bill-price", (
        "UPDATE bill_lines SET amount = amount + CASE payer WHEN 'state' THEN 1 ELSE -1 END"
        " WHERE adjustment_id IS NULL AND payer IN ('state', 'member') AND bill_id IN"
        f" (SELECT id FROM bills WHERE kind = 'dues' AND household_id = {ASKED})",), set()),
    "a payer's part falls below nothing": ("bill-part-negative", (
        "UPDATE bill_lines SET amount = amount - 99000 WHERE adjustment_id IS NOT NULL AND payer = 'state'",),
        {"adjustment-shares", "adjustment-trail"}),
    "an adjustment shifts a share": ("adjustment-trail", (
        "UPDATE bill_lines SET amount = amount + CASE payer WHEN 'state' THEN 1 ELSE -1 END"
        " WHERE adjustment_id = (SELECT adjustment_id FROM bill_lines WHERE payer = 'state'"
        " AND adjustment_id IS NOT NULL LIMIT 1) AND payer IN ('state', 'member')",),
        set()),
    "a share is raised": ("bill-shares", (
        "UPDATE bill_lines SET amount = amount + 1 WHERE adjustment_id IS NULL AND payer = 'state' AND"
        f" bill_id IN (SELECT id FROM bills WHERE household_id = {ASKED})",), {"bill-price"}),
    "a bill moves a year": ("bill-first-day", (
        f"UPDATE bills SET issued = issued - 365 WHERE household_id = {ASKED}",), {RIGHTS}),
    "a period moves a year": ("bill-price", (
        "UPDATE bills SET period_from = issued, period_until = issued + 364"
        f" WHERE kind = 'dues' AND household_id = {ASKED}",), {RIGHTS}),
    "a bill has other people": ("bill-price", (
        f"UPDATE bills SET born = '{{1985}}' WHERE kind = 'dues' AND household_id = {ASKED}",), set()),
    "a bill has another category": ("bill-price", (
        f"UPDATE bills SET category = 'indigent' WHERE kind = 'dues' AND household_id = {ASKED}",), set()),
    "a bill has another currency": ("bill-currency", (
        f"UPDATE bills SET currency = 'XAF' WHERE household_id = {ASKED}",), {"bill-price"}),
    "an open due vanishes": ("open-dues", (
        "DELETE FROM open_dues WHERE bill_id = (SELECT bill_id FROM open_dues LIMIT 1)",), set()),
    "an open due is another": ("open-dues", (
        "UPDATE open_dues SET units = units + 1 WHERE bill_id = (SELECT bill_id FROM open_dues LIMIT 1)",),
        set()),
    "the sum of a household's open dues is another": ("open-dues", (
        "UPDATE open_dues SET household_units = household_units + 1",), set()),
    "a receipt leaves the list of suspense": ("open-suspense", ("DELETE FROM open_suspense",), set()),
    "a receipt in suspense is listed with another amount": ("open-suspense", (
        "UPDATE open_suspense SET units = units + 1",), set()),
    "a bill vanishes": ("bill-missing", (
        f"DELETE FROM bills WHERE household_id = {ASKED}",),
        {"bill-line-alone", "row-link", RIGHTS, "allocation-line"}),
    "a bill is overpaid": ("bill-overpaid", (
        "UPDATE allocations SET kind = 'bill', bill_line_id = (SELECT max(bill_line_id::text)::uuid FROM"
        f" allocations WHERE receipt_id = {receipt('T3')} AND kind = 'bill') WHERE reason = 'by hand'"
        " AND kind = 'credit'",), {LEDGER}),
    "a line has no bill": ("bill-line-alone", (
        "INSERT INTO bill_lines SELECT tenant_id, gen_random_uuid(), gen_random_uuid(), payer, amount, rule"
        " FROM bill_lines WHERE sponsor_id IS NULL LIMIT 1",), set()),
    "an adjustment's line is raised": ("adjustment-shares", (
        "UPDATE bill_lines SET amount = amount + 1 WHERE adjustment_id IS NOT NULL AND payer = 'state'",),
        {"adjustment-trail"}),
    "an adjustment moves a year": ("adjustment-day", (
        "UPDATE adjustments SET on_day = on_day - 365",), {"adjustment-trail"}),
    "an adjustment names another household": ("adjustment-household", (
        f"UPDATE adjustments SET household_id = {CLAIMED}",), set()),
    "an adjustment is numbered anew": ("adjustment-order", (
        "UPDATE adjustments SET ordinal = ordinal + 5 WHERE ordinal > 1",), set()),
    "an adjustment goes back to older rules": ("adjustment-rules", (
        "UPDATE adjustments SET version = '1999-01-01'",), set()),
    "an adjustment vanishes": ("adjustment-gone", (
        "DELETE FROM bill_lines WHERE adjustment_id IS NOT NULL", "DELETE FROM adjustments"),
        {"row-link", "claim-line", "ledger-cause"}),
    "a sponsor's cap shrinks": ("sponsor-cap", ("UPDATE sponsors SET cap = 1",), {"sponsor-trail"}),
    "a sponsor's percentage changes": ("sponsor-trail", ("UPDATE sponsors SET percent = 90",), set()),
    "a sponsor stops helping in silence": ("sponsorship-trail", (
        "UPDATE sponsorships SET until = since",), set()),
    "a sponsor helps another household": ("sponsor-household", (
        f"UPDATE sponsorships SET household_id = {CLAIMED}",), {"sponsorship-trail"}),
    # Claims
    "a claim is for less": ("claim-total", ("UPDATE subsidy_claims SET total = 1",),
                            {"claim-trail", "claim-posted"}),
    "a claim line has another name": ("claim-hash", ("UPDATE claim_lines SET name = 'X'",), set()),
    "a claim line rests on nobody": ("claim-line", (
        f"UPDATE members SET provisional = true WHERE household_id = {CLAIMED}",), set()),
    "an answer vanishes": ("claim-answer-trail", ("DELETE FROM claim_answers",), {"claim-paid"}),
    "a payment of a claim vanishes": ("claim-payment-trail", ("DELETE FROM claim_payments",),
                                      {LEDGER, "ledger-cause", "claim-paid"}),
    "a claim is called paid": ("claim-paid", ("DELETE FROM claim_payments",
        "DELETE FROM audit WHERE action = 'claim-paid'"), set()),
    "a payer accepted more than it owes": ("claim-accepted", (
        "UPDATE claim_lines SET amount = amount + 9000",),
        {"claim-total", "claim-hash", "claim-once", "claim-paid", "claim-day-worth"}),
    "a part of a bill is claimed twice": ("claim-once", (
        f"INSERT INTO claim_lines SELECT tenant_id, gen_random_uuid(), claim_id, 99, {LINE_COLUMNS}"
        " FROM claim_lines WHERE position = 1",), {"claim-total", "claim-hash", "claim-paid",
        "claim-day-once", LEDGER}),
    "a day is claimed twice": ("claim-day-once", (
        f"INSERT INTO claim_lines SELECT tenant_id, gen_random_uuid(), claim_id, 99, {LINE_COLUMNS}, days"
        " FROM claim_lines WHERE position = 1",), {"claim-total", "claim-hash", "claim-paid", LEDGER}),
    "a line asks for days of waiting": ("claim-day-open", (
        "UPDATE claim_lines SET days_from = days_from - 3, days = days + 3 WHERE position = 1",),
        {"claim-hash", "claim-day-worth"}),
    "a line asks a franc too much for its days": ("claim-day-worth", (
        "UPDATE claim_lines SET amount = amount + 1 WHERE position = 1",),
        {"claim-total", "claim-hash", "claim-paid", LEDGER}),
    "the ledger says another total": ("claim-posted", (
        "UPDATE postings SET amount = amount + 1 WHERE source LIKE 'receivable:%'",), {LEDGER}),
    "a transfer pays twice": ("claim-payment-once", (
        "INSERT INTO claim_payments SELECT tenant_id, gen_random_uuid(), claim_id, 1, lower(reference),"
        " on_day, noted_by, noted_at FROM claim_payments",), {LEDGER, "claim-payment-trail", "claim-paid"}),
    "a claim is called sent": ("claim-trail", (
        "UPDATE subsidy_claims SET sent_by = made_by",
        "UPDATE subsidy_claims SET made_by = checked_by, checked_by = made_by"), set()),
    # Rights
    "rights change": (RIGHTS, ("UPDATE rights SET state = 'suspended'",), set()),
    "a right begins earlier": (RIGHTS, (
        "UPDATE rights SET since = since - 1 WHERE since = (SELECT min(since) FROM rights)",), set()),
}  # fmt: skip
