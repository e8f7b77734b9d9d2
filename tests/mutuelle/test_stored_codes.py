"""Each CHECK constraint that lists codes accepts exactly the codes that the product compares.

`STORED` maps each column with such a constraint to its enum, or to a table of codes. A new constraint must be
added to it.
"""

import re
from collections.abc import Collection

import pytest

from mutuelle.archive import ArchivedTable
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.cover.household_rights import RightsState
from mutuelle.enrolment.appeals import TicketAnswer, TicketKind, TicketState
from mutuelle.enrolment.household_changes import ClassEvidence
from mutuelle.enrolment.registry_proposals import ProposalState
from mutuelle.households.duplicate_decisions import DuplicateEvidence, DuplicateVerdict
from mutuelle.households.evidence import EvidenceKind
from mutuelle.households.households import MemberKind
from mutuelle.inbox import Door, NoticeState
from mutuelle.messaging.messages import MessageStatus
from mutuelle.organisation import sponsors
from mutuelle.organisation.tenants import TenantKind
from mutuelle.outbox import TaskKind, TaskState
from mutuelle.payments import refunds
from mutuelle.payments.operators import OutflowDirection, Status
from mutuelle.payments.promises import PromiseState
from mutuelle.payments.receipts import PartKind, ReceiptDoor
from mutuelle.payments.refunds import RefundStatus
from mutuelle.schemes.money_rules import MEMBER, MEMBER_STATUSES, BillKind, CategoryState
from mutuelle.subsidies import claim_drafts
from mutuelle.subsidies.claim_lines import ClaimState, LineAnswer
from tests.support.templates import Database

STORED: dict[tuple[str, str], Collection[str]] = {
    ("adjustments", "reason"): AdjustmentReason,
    ("allocations", "kind"): PartKind,
    ("bill_lines", "payer"): {MEMBER, *claim_drafts.PAYERS},
    ("bills", "kind"): BillKind,
    ("archive_runs", "archived"): ArchivedTable,
    ("categories", "evidence"): EvidenceKind,
    ("categories", "standing"): CategoryState,
    ("claim_answers", "answer"): LineAnswer,
    ("subsidy_claims", "payer"): claim_drafts.PAYERS,
    ("subsidy_claims", "state"): ClaimState,
    ("consents", "kind"): {"membership", "sms"},  # no enum: both are written in one place
    ("member_classes", "code"): MEMBER_STATUSES,
    ("member_classes", "evidence"): ClassEvidence,
    ("duplicate_decisions", "verdict"): DuplicateVerdict,
    ("duplicate_decisions", "why"): DuplicateEvidence,
    ("members", "kind"): MemberKind,
    ("messages", "status"): MessageStatus,
    ("notices", "door"): Door,
    ("notices", "state"): NoticeState,
    ("outbox", "kind"): TaskKind,
    ("outbox", "state"): TaskState,
    ("outflows", "flow"): OutflowDirection,
    ("payments", "status"): Status,
    ("promises", "state"): PromiseState,
    ("receipts", "door"): ReceiptDoor,
    ("refunds", "reason"): refunds.REASONS,
    ("refunds", "status"): RefundStatus,
    ("registry_proposals", "state"): ProposalState,
    ("rights", "state"): RightsState,
    ("sponsors", "kind"): sponsors.KINDS,
    ("tenants", "kind"): TenantKind,
    ("tickets", "answer"): TicketAnswer,
    ("tickets", "kind"): TicketKind,
    ("tickets", "state"): TicketState,
}
LISTS = """
SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module")
def accepted(module_database: Database) -> dict[tuple[str, str], list[set[str]]]:
    """Returns the codes of each constraint that only lists codes, by table and column."""
    with module_database.superuser() as connection:
        constraints = connection.execute(LISTS).fetchall()
    code_sets: dict[tuple[str, str], list[set[str]]] = {}
    for table, definition in constraints:
        if match := re.fullmatch(r"CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)", definition):
            codes = set(re.findall(r"'([^']+)'::text", match[2]))
            code_sets.setdefault((table, match[1]), []).append(codes)
    return code_sets


def test_every_column_that_lists_codes_is_compared(accepted: dict[tuple[str, str], list[set[str]]]) -> None:
    assert accepted.keys() == STORED.keys()


@pytest.mark.parametrize("column", STORED, ids=".".join)
def test_the_database_accepts_exactly_the_codes_we_compare(
    accepted: dict[tuple[str, str], list[set[str]]], column: tuple[str, str]
) -> None:
    assert accepted[column] == [set(STORED[column])]
