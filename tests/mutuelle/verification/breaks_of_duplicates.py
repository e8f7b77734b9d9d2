"""How the story can be broken in pairs of likely duplicates, and which question answers."""

from tests.mutuelle.verification.deeds import LINE_COLUMNS, Break

UNDECIDED = (
    "DELETE FROM duplicate_decisions",
    "DELETE FROM audit WHERE action = 'duplicate-decided'",
)
# The claim asks for the same days of the other membership, too.
BOTH = (
    f"INSERT INTO claim_lines (tenant_id, id, claim_id, position, {LINE_COLUMNS})"
    " SELECT c.tenant_id, gen_random_uuid(), c.claim_id, 99, p.household_id, p.number, p.member_id, c.name,"
    " c.born, c.category, c.scheme, c.version, c.rule, c.evidence, c.days_from, c.days_until, c.on_day,"
    " c.amount, gen_random_uuid(), NULL"
    " FROM claim_lines c JOIN duplicate_pairs p ON p.later_member_id = c.member_id LIMIT 1",
)

BREAKS: dict[str, Break] = {
    "one person is claimed twice": ("duplicate-claimed", (
        "UPDATE duplicate_decisions SET verdict = 'same-earlier'",
        "UPDATE audit SET facts = facts || '{\"verdict\": \"same-earlier\"}'"
        " WHERE action = 'duplicate-decided'", *BOTH), set()),
    "both are claimed though nobody decided": ("duplicate-undecided", (*UNDECIDED, *BOTH), set()),
    "a pair has no case": ("duplicate-case", (
        *UNDECIDED, "DELETE FROM flags WHERE kind = 'duplicate'"), set()),
    "the trail lacks a decision": ("duplicate-trail", (
        "UPDATE duplicate_decisions SET verdict = 'same-later'",), set()),
    "a decision vanishes": ("duplicate-trail", (
        "DELETE FROM duplicate_decisions", "UPDATE flags SET closed_at = NULL WHERE kind = 'duplicate'"),
        set()),
    "a case of a duplicate is closed in silence": ("case-closed", UNDECIDED, set()),
}  # fmt: skip
