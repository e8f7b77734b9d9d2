"""The story of `verify` with nothing open any more, and what of it is evidence when something is again."""

TENANT = "(SELECT tenant_id FROM payments)"
ASKED = "(SELECT household_id FROM payments)"
PAYMENT, RECEIPT = "(SELECT ref FROM payments)", "(SELECT id FROM receipts WHERE transaction = 'Q1')"
ACCOUNT, SMS = "(SELECT account_id FROM payments)", "(SELECT id FROM messages WHERE kind = 'reversed')"
Orders = tuple[str, ...]

CLOSED: Orders = (
    "UPDATE flags SET closed_at = opened_at + interval '1 second' WHERE closed_at IS NULL",
    "DELETE FROM tickets",
    "DELETE FROM refunds",
    "DELETE FROM allocations WHERE kind = 'suspense'",
    "DELETE FROM open_suspense",
    # The session in which the household asked to pay.
    "INSERT INTO ussd_sessions (gateway_id, id, foreign_id, phone_index, tenant_id, opening, began_at)"
    " SELECT g.id, gen_random_uuid(), 's', p.blind_index, p.tenant_id, '{}', p.since"
    f" FROM phones p, gateway_accounts g WHERE p.household_id = {ASKED} LIMIT 1",
    "INSERT INTO ussd_effects SELECT gateway_id, id, 'pay.confirm', 1, '{}', began_at FROM ussd_sessions",
    "UPDATE payments SET effect_key = 'ussd:' || (SELECT id FROM ussd_sessions) || ':pay.confirm:1'",
    # The message about money that came unasked.
    "INSERT INTO notices (tenant_id, id, door, account_id, provider, digest, body, state, outcome,"
    " unsolicited, received_at, due_at, ended_at) SELECT r.tenant_id, gen_random_uuid(), 'momo',"
    " r.account_id, 'wave', '\\x01', '\\x01', 'done', 'x', true, r.moved_at, r.moved_at, r.moved_at"
    " FROM receipts r WHERE r.transaction = 'S1'",
)


def case(kind: str, subject: str) -> str:
    return (
        "INSERT INTO flags (tenant_id, id, kind, subject, reason, opened_at)"
        f" VALUES ({TENANT}, gen_random_uuid(), '{kind}', {subject}, 'x', '2026-11-22')"
    )


# The columns that a refund needs in each state.
DECIDED = {"decided_by": "gen_random_uuid()", "decided_at": "moved_at"}
STATES: dict[str, dict[str, str]] = {
    "asked": {},
    "approved": DECIDED,
    "paid": {**DECIDED, "paid_by": "id", "paid_at": "moved_at", "transaction": "'x'"},
}


def refund(status: str, transaction: str) -> str:
    columns, values = (", ".join(["", *names]) for names in (STATES[status], STATES[status].values()))
    return (
        "INSERT INTO refunds (tenant_id, id, receipt_id, amount, currency, reason, seen, status, asked_by,"
        f" asked_at{columns}) SELECT tenant_id, gen_random_uuid(), id, 9, 'XOF', 'asked', 1, '{status}',"
        f" id, moved_at{values} FROM receipts WHERE transaction = '{transaction}'"
    )


def waiting(transaction: str) -> str:
    """Lists the receipt as one that waits in suspense, as the sleeping trigger would."""
    return (
        "INSERT INTO open_suspense SELECT tenant_id, id, moved_at, amount FROM receipts"
        f" WHERE transaction = '{transaction}'"
    )


TICKET = (
    "INSERT INTO tickets (tenant_id, id, number, household_id, kind, channel, text_id, opened_at, deadline,"
    " state) SELECT household_tenant_id, gen_random_uuid(), '12345678', household_id, 'payment', 'ussd',"
    " 'x', created_at, '2027-01-01', 'open' FROM payments"
)
# The claim of the story now asks for the bill that the request paid.
CLAIM = (
    "UPDATE claim_lines SET bill_line_id = (SELECT s.id FROM allocations a JOIN bill_lines l ON l.id ="
    " a.bill_line_id JOIN bill_lines s ON s.bill_id = l.bill_id JOIN receipts r ON r.id = a.receipt_id"
    " WHERE r.transaction = 'Q1' ORDER BY s.payer DESC LIMIT 1)"
)
CLAIM_ACTS = ["claim-answered", "claim-checked", "claim-drafted", "claim-paid", "claim-sent"]

# What stays of the request, and of the household that asked.
OF_REQUEST = {
    "notices": ["callback"], "messages": ["receipt"], "outbox": ["collect", "deliver receipt"],
    "ussd_sessions": ["s"], "audit": ["pay"],
}  # fmt: skip
OF_HOUSEHOLD = {
    **OF_REQUEST,
    "messages": ["adjusted-more", "appeal", "receipt", "welcome"],
    "outbox": ["collect", "deliver appeal", "deliver receipt", "deliver welcome", "remind adjusted-more"],
    "audit": ["adjusted", "appeal-opened", "duplicate-decided", "enrol", "member-added", "member-corrected",
              "member-left", "pay", "promise", "sponsored"],
}  # fmt: skip
OF_SMS = {"messages": ["reversed"], "outbox": ["deliver reversed"]}
UNASKED = {"notices": ["unasked"]}
BOTH = {"notices": ["callback", "unasked"]}

# What is open again, and what stays of it.
EVIDENCE: dict[str, tuple[Orders, dict[str, list[str]]]] = {
    "a case about the request": ((case("late", f"'payment:' || {PAYMENT}"),), OF_REQUEST),
    "a case about it that was closed since": (
        (case("late", f"'payment:' || {PAYMENT}"),
         "UPDATE flags SET closed_at = '2029-01-02' WHERE kind = 'late'"), OF_REQUEST),
    "a case about its task": ((case("stuck", "'collect:' || (SELECT id FROM payments)"),), OF_REQUEST),
    "a request without an end": (("UPDATE payments SET status = 'unknown'",), OF_REQUEST),
    "a proof that could not be read": (("UPDATE payments SET unread_proof_at = created_at",), OF_REQUEST),
    "a case about the receipt": ((case("fee", f"'receipt:' || {RECEIPT}"),), OF_REQUEST),
    "a case about the transaction": ((case("conflict", "'transaction:Q1'"),), OF_REQUEST),
    "a refund that waits": ((refund("approved", "Q1"),), OF_REQUEST),
    "a refund that was not seen": ((refund("paid", "Q1"),), OF_REQUEST),
    "money in suspense": (
        ("UPDATE allocations SET kind = 'suspense', bill_line_id = NULL"
         " WHERE reason = 'answer to our request'", waiting("Q1")), OF_REQUEST),
    "a claim that is not paid": (
        (CLAIM, "UPDATE subsidy_claims SET state = 'sent', ended_at = NULL, ended_by = NULL"),
        {**OF_REQUEST, "audit": [*CLAIM_ACTS, "pay"]}),
    "an appeal": ((TICKET,), OF_HOUSEHOLD),
    "an appeal that was answered since": (
        (TICKET, "UPDATE tickets SET state = 'answered', answer = 'accepted', answered_by = id,"
         " answered_at = '2029-01-02'"), OF_HOUSEHOLD),
    "a case about the household": ((case("set-aside", f"'household:' || {ASKED}"),), OF_HOUSEHOLD),
    "a case about a bill of it": (
        (case("adjustment", f"'bill:' || (SELECT id FROM bills WHERE household_id = {ASKED} LIMIT 1)"),),
        OF_HOUSEHOLD),
    "a case about an SMS": ((case("sms", f"'message:' || {SMS}"),), OF_SMS),
    "a case about the task of an SMS": ((case("stuck", f"'deliver:' || {SMS}"),), OF_SMS),
    "a case about a notice": (
        (case("unreadable", "'notice:' || (SELECT id FROM notices WHERE unsolicited)"),), UNASKED),
    "a notice that is left to staff": (
        ("UPDATE notices SET state = 'person' WHERE unsolicited",), UNASKED),
    "a case about the account": ((case("unreadable", f"'account:' || {ACCOUNT}"),), BOTH),
    "a case about a day of the account": (
        (case("list", f"'account:' || {ACCOUNT} || ':2026-11-22'"),), BOTH),
    "unasked money in suspense": (
        ("INSERT INTO allocations (tenant_id, id, receipt_id, kind, amount, on_day, at, reason)"
         " SELECT tenant_id, gen_random_uuid(), id, 'suspense', amount, moved_at, moved_at, 'x'"
         " FROM receipts WHERE transaction = 'S1'", waiting("S1")), UNASKED),
    "unasked money that is to be refunded": ((refund("asked", "S1"),), UNASKED),
    "money that nobody explained": ((case("outflow", "'transaction:O1'"),), UNASKED),
    "a line that could not be read": (
        ("INSERT INTO pulls (tenant_id, account_id, day, pulled_at, open_lines)"
         f" VALUES ({TENANT}, {ACCOUNT}, '2026-11-22', now(), '{{X}}')",), UNASKED),
    "a request that the books have lost": (
        (case("unreadable", "'payment:' || (SELECT named_ref FROM notices WHERE named_ref IS NOT NULL)"),
         "UPDATE flags SET closed_at = opened_at", "DELETE FROM payments",
         "UPDATE receipts SET reference = NULL"), {"notices": ["callback"]}),
}  # fmt: skip
