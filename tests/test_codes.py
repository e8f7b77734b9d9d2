"""Every code enum of the product has its words, and every word belongs to a code.

`PLACES` maps each enum to the places that word it. `NOT_SHOWN` names the enums without words, and why.
A new enum must be added to one of them.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from gateway import doorbell
from gateway.console import indicator_tables, words
from menus import texts
from mutuelle import archive, audit, db, inbox, outbox, set_aside
from mutuelle.contributions.bill_change import AdjustmentReason
from mutuelle.cover.household_rights import NextStep, RightsReason, RightsState
from mutuelle.enrolment import appeals, household_changes, registry_matching, registry_proposals
from mutuelle.enrolment.category_proofs import NotProven
from mutuelle.households.duplicate_candidates import DuplicateReason
from mutuelle.households.duplicate_decisions import DuplicateEvidence, DuplicateVerdict
from mutuelle.households.evidence import EvidenceKind
from mutuelle.households.households import MemberKind
from mutuelle.messaging.messages import ALWAYS, MessageKind, MessageStatus
from mutuelle.messaging.reminders import ReminderSubject
from mutuelle.organisation import sponsors, tenants
from mutuelle.payments import operators, promises, receipts, refunds, suspense_candidates
from mutuelle.reports import indicator_list, search
from mutuelle.reports.payment_history import StepKind
from mutuelle.schemes import money_rules
from mutuelle.schemes.service_rules import Relationship
from mutuelle.subsidies import claim_drafts, claim_eligibility, claim_lines
from workers import remind

ROOT = Path(__file__).parents[1]
PRODUCT = ("config", "gateway", "menus", "mutuelle", "workers")
PAYMENT_PAGE = ROOT / "gateway" / "console" / "templates" / "payment.html"

Codes = list[set[str]]  # the codes with words, one set for each language


def console(group: str) -> Codes:
    """Returns the codes of a group of the console's French words."""
    return [set(words.WORDS[group])]


def table(mapping: Mapping[str, object]) -> Codes:
    """Returns the codes of a table that stands outside of the console's groups."""
    return [{str(code) for code in mapping}]


def catalogue(domain: str, pattern: str) -> Codes:
    """Returns, for each language, the first group of each id of a gettext catalogue that has the pattern."""
    catalogues = [texts.read(language, domain) for language in texts.LANGUAGES]
    return [
        {match[1] for match in (re.fullmatch(pattern, name) for name in ids) if match} for ids in catalogues
    ]


def steps_of_the_payment_page() -> Codes:
    return [set(re.findall(r'step\.kind == "([a-z]+)"', PAYMENT_PAGE.read_text(encoding="utf-8")))]


@dataclass(frozen=True)
class Place:
    """Codes with words, and the enums they belong to. The members `without` words are not shown there."""

    codes: Codes
    enums: tuple[type[StrEnum], ...]
    without: frozenset[str] = frozenset()


PLACES = {
    "console answer": Place(console("answer"), (appeals.TicketAnswer,)),
    "console appeal": Place(console("appeal"), (appeals.TicketKind,)),
    "console because": Place(console("because"), (appeals.Explanation,)),
    "console bill": Place(console("bill"), (money_rules.BillKind,)),
    "console claim-answer": Place(console("claim-answer"), (claim_lines.LineAnswer,)),
    "console claim-state": Place(console("claim-state"), (claim_lines.ClaimState,)),
    "console duplicate": Place(console("duplicate"), (DuplicateReason,)),
    "console duplicate-verdict": Place(console("duplicate-verdict"), (DuplicateVerdict,)),
    "console duplicate-why": Place(console("duplicate-why"), (DuplicateEvidence,)),
    "console evidence": Place(console("evidence"), (EvidenceKind, household_changes.ClassEvidence)),
    "console left-out": Place(console("left-out"), (claim_lines.LeftOutReason,)),
    "console listed": Place(console("listed"), (registry_matching.MatchReason,)),
    "console member": Place(console("member"), (MemberKind,)),
    "console mistake": Place(console("mistake"), (household_changes.CorrectionReason,)),
    "console not-proven": Place(console("not-proven"), (NotProven,)),
    "console door": Place(console("door"), (receipts.ReceiptDoor,)),
    "console sign": Place(console("sign"), (suspense_candidates.CandidateSign,)),
    "console placed": Place(console("placed"), (receipts.Reason,)),
    "console relationship": Place(console("relationship"), (Relationship,)),
    "console refund-status": Place(console("refund-status"), (refunds.RefundStatus,)),
    # No payment sends the answers to STOP and OUI.
    "console sms": Place(
        console("sms"), (MessageKind,), frozenset({MessageKind.STOPPED, MessageKind.STARTED})
    ),
    "console sms-status": Place(console("sms-status"), (MessageStatus,)),
    "console standing": Place(console("standing"), (money_rules.CategoryState,)),
    # Tasks about messages are no step of a payment.
    "console task": Place(
        console("task"),
        (outbox.TaskKind,),
        frozenset({outbox.TaskKind.DELIVER, outbox.TaskKind.REMIND}),
    ),
    # Money in suspense has a page of its own.
    "console FLAGS": Place(table(words.FLAGS), (audit.FlagKind,), frozenset({audit.FlagKind.SUSPENSE})),
    "console PARTS": Place(table(words.PARTS), (receipts.PartKind,)),
    "console RIGHTS": Place(table(words.RIGHTS), (RightsState,)),
    "console STATUSES": Place(table(words.STATUSES), (operators.Status,)),
    "indicators KINDS": Place(table(indicator_tables.KINDS), (indicator_tables.Breakdown,)),
    "claim evidence": Place(table(claim_eligibility.EVIDENCE_WORDS), (EvidenceKind,)),
    # The SMS with a payment link is shown as an SMS.
    "payment page": Place(steps_of_the_payment_page(), (StepKind,), frozenset({StepKind.LINK})),
    "screens appeal": Place(
        catalogue("messages", r"appeal\.((?!confirm$|sent$|open$).+)"), (appeals.TicketKind,)
    ),
    "sms appeal": Place(catalogue("sms", r"appeal-(.+)"), (appeals.TicketAnswer,)),
    "sms because": Place(catalogue("sms", r"because\.(.+)"), (appeals.Explanation,)),
    # A reminder is worded by its subject.
    "sms kinds": Place(
        catalogue("sms", r"((?!welcome-covered$|credit$)[a-z-]+)"),
        (MessageKind,),
        frozenset({MessageKind.REMINDER}),
    ),
    "sms reminders": Place(
        catalogue("sms", r"reminder\.((?!pay$|left$|stop$)[a-z]+)(?:-before|-after)?"), (ReminderSubject,)
    ),
    "rights ids": Place(catalogue("rights", r"(rights\.(?!state\.).+)"), (RightsReason, NextStep)),
    "rights states": Place(catalogue("rights", r"rights\.state\.(.+)"), (RightsState,)),
    "rights adjustments": Place(catalogue("rights", r"explain\.reason\.(.+)"), (AdjustmentReason,)),
}

NOT_SHOWN: dict[type[StrEnum], str] = {
    archive.ArchivedTable: "names of tables, and a label of metrics",
    appeals.TicketState: "a page shows the deadline of an open ticket and the answer of another one",
    audit.Subject: "the first part of a key in the trail and in cases",
    db.Role: "roles of the database",
    doorbell.QueueName: "queues in Redis",
    inbox.Door: "addresses, and a label of metrics",
    outbox.TaskState: "how far a worker is with a task",
    tenants.TenantKind: "no page shows a federation",
    inbox.NoticeState: "how far a worker is with a notice",
    indicator_list.Kind: "chooses how a value is computed and written",
    indicator_list.Unit: "chooses how a value is computed and written",
    promises.PromiseState: "a page shows the day of an open promise only",
    registry_proposals.ProposalState: "a page lists open proposals only",
    operators.OutflowDirection: "the page of outflows words what came back",
    remind.Outcome: "counts of one run of a worker",
    set_aside.Work: "the first part of the reason of a case, for the person who keeps the software",
    search.SearchKind: "an entry of the trail about a search",
}

# Groups of the console's words whose codes are in no enum: their codes, or where a test compares them.
OTHER_GROUPS: dict[str, set[str] | str] = {
    "act": "names of entries of the audit trail, beside the functions that record them",
    "class": set(money_rules.MEMBER_STATUSES),
    "class-why": set(money_rules.MEMBER_STATUSES),
    "entry": "the first part of the name of a ledger entry",
    "language": set(texts.LANGUAGES),
    "payer": set(claim_drafts.PAYERS),
    "refund": set(refunds.REASONS),
    "sponsor": set(sponsors.KINDS),
    "why": "codes of Refused, compared by test_every_refusal_has_words_on_the_pages",
}

# Refusals that no page of the console shows.
OFF_THE_PAGES = {
    # screens of the menus
    *("born.not-adult", "error.amount", "error.count", "promise.day", "promise.open"),
    *("pay.links-sent", "pay.no-link", "pay.no-operator", "pay.nothing-owed", "pay.pending", "pay.step"),
    "pay.too-much",
    # the command line, and the errors of the login page
    *("scheme.draft", "scheme.not-in-force", "scheme.unknown"),
    *("login.password", "login.throttled", "login.wrong"),
    # guards: no form sends such values
    *("born.two-digits", "option.other-months"),
}


def enums_in_the_product() -> set[str]:
    """Returns the module and name of every enum class in the syntax trees of the product."""
    names = set()
    for folder in PRODUCT:
        for path in (ROOT / folder).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and any(
                    ast.unparse(base).endswith("Enum") for base in node.bases
                ):
                    names.add(f"{module}.{node.name}")
    return names


def test_every_enum_has_words_or_a_reason_to_have_none():
    worded = {enum for place in PLACES.values() for enum in place.enums}
    assert worded & NOT_SHOWN.keys() == set()
    mapped = {f"{enum.__module__}.{enum.__qualname__}" for enum in worded | NOT_SHOWN.keys()}
    assert len(mapped) > 30
    assert mapped == enums_in_the_product()


@pytest.mark.parametrize("name", PLACES)
def test_every_code_has_words_and_every_word_a_code(name: str):
    place = PLACES[name]
    members = {str(member) for enum in place.enums for member in enum}
    assert place.without <= members
    for codes in place.codes:
        assert codes == members - place.without


def test_every_group_of_the_console_belongs_to_codes():
    groups = {name.removeprefix("console ") for name in PLACES if name.startswith("console ")}
    assert groups & OTHER_GROUPS.keys() == set()
    assert {group for group in groups if group.islower()} | OTHER_GROUPS.keys() == words.WORDS.keys()
    for group, codes in OTHER_GROUPS.items():
        if isinstance(codes, set):
            assert words.WORDS[group].keys() == codes, group


def test_every_refusal_has_words_on_the_pages():
    files = (path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    refusals = set(re.findall(r'Refused\(\s*"([a-z-]+\.[a-z-]+)"', code))
    assert refusals - OFF_THE_PAGES == words.WORDS["why"].keys()
    assert refusals >= OFF_THE_PAGES


def test_a_reminder_around_a_day_has_words_for_before_and_after():
    subjects = {ReminderSubject.END, ReminderSubject.START}
    expected = {f"{subject}-{when}" for subject in subjects for when in ("before", "after")}
    assert catalogue("sms", r"reminder\.(.+-.+)") == [expected] * len(texts.LANGUAGES)


def test_what_is_sent_after_a_stop_is_a_kind_of_message():
    assert set(MessageKind) >= ALWAYS
