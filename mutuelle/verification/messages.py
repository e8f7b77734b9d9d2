"""Questions about what outsiders said and what we still have to say: notices, tasks and SMS."""

from mutuelle.verification import deadlines
from mutuelle.verification.question import Question, query

_NOTICE_END = """
SELECT n.id FROM notices n WHERE n.state = 'new' AND n.received_at < :late
AND NOT EXISTS (SELECT FROM flags f WHERE f.subject = 'notice:' || n.id AND f.closed_at IS NULL)
"""
_NOTICE_OUTCOME = """
SELECT id FROM notices WHERE (state = 'new') <> (ended_at IS NULL) OR (state <> 'new' AND outcome IS NULL)
"""
# Outcomes that say that the operator proved money for the reference.
_NOTICE_MONEY = """
SELECT n.id FROM notices n
LEFT JOIN payments p ON p.ref = n.named_ref AND p.account_id = n.account_id
LEFT JOIN receipts r ON r.account_id = n.account_id AND lower(r.reference) = n.named_ref::text
WHERE n.state = 'done' AND r.id IS NULL AND ((n.outcome = 'confirmed' AND p.status = 'confirmed')
    OR (n.outcome = 'confirmed' AND p.id IS NULL)
    OR n.outcome = 'money for a reference that our books do not know')
"""
# The SMS of a task of before the archive's last run may be gone.
_TASK_SUBJECT = """
SELECT o.id FROM outbox o
LEFT JOIN payments p ON p.tenant_id = o.tenant_id AND p.id = o.subject_id
    AND o.kind IN ('collect', 'poll')
LEFT JOIN messages m ON m.tenant_id = o.tenant_id AND m.id = o.subject_id AND o.kind IN ('deliver', 'remind')
WHERE p.id IS NULL AND m.id IS NULL AND NOT EXISTS (SELECT FROM archive_runs r
    WHERE r.archived = 'messages' AND o.created_at < r.ended_before AND o.kind IN ('deliver', 'remind'))
"""
_TASK_MONEY = """
SELECT o.id FROM outbox o
JOIN payments p ON p.tenant_id = o.tenant_id AND p.id = o.subject_id
WHERE o.kind IN ('collect', 'poll') AND o.state = 'done' AND o.outcome = 'confirmed'
AND NOT EXISTS (SELECT FROM receipts r
    WHERE r.account_id = p.account_id AND lower(r.reference) = p.ref::text)
AND NOT EXISTS (SELECT FROM flags f WHERE f.tenant_id = p.tenant_id AND f.subject = 'payment:' || p.ref
    AND f.kind IN ('contradiction', 'currency', 'unreadable'))
"""
_SMS_TASK = """
SELECT m.id FROM messages m
LEFT JOIN outbox o ON o.tenant_id = m.tenant_id AND o.subject_id = m.id AND o.kind IN ('deliver', 'remind')
    AND o.state = 'waiting'
WHERE m.status IN ('queued', 'sending') AND o.id IS NULL
"""
_SMS_SENDING = """
SELECT id FROM messages WHERE status = 'sending' AND (sent_at IS NULL OR sent_at < :sent_long_ago)
"""
_SMS_SENT = """
SELECT id FROM messages WHERE status IN ('accepted', 'delivered', 'ambiguous')
AND (text IS NULL OR sent_at IS NULL OR segments IS NULL)
"""
_SMS_HOUSEHOLD = """
SELECT m.id FROM messages m
LEFT JOIN phones p ON p.tenant_id = m.tenant_id AND p.household_id = m.household_id
    AND p.blind_index = m.phone_index
WHERE m.kind IN ('receipt', 'reversed', 'refunded', 'corrected') AND p.id IS NULL
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "notice-end",
        "I4",
        "A notice has ended after fifteen minutes, or there is an open case about it.",
        "notice {}",
        _NOTICE_END,
        late=deadlines.late,
    ),
    query(
        "notice-outcome", "I4", "An ended notice has its moment and outcome.", "notice {}", _NOTICE_OUTCOME
    ),
    query(
        "notice-money",
        "I2",
        "A notice that was settled by money has the receipt of its reference.",
        "notice {}",
        _NOTICE_MONEY,
    ),
    query("task-subject", "I4", "The payment or message of a task exists.", "task {}", _TASK_SUBJECT),
    query(
        "task-money",
        "I2",
        "A task that ended by proven money has the receipt of its request.",
        "task {}",
        _TASK_MONEY,
    ),
    query("sms-task", "I4", "An SMS to be sent has a task that waits.", "message {}", _SMS_TASK),
    query(
        "sms-sending",
        "I4",
        "An SMS that is being sent has an outcome after an hour.",
        "message {}",
        _SMS_SENDING,
        sent_long_ago=deadlines.sent_long_ago,
    ),
    query("sms-sent", "I4", "An SMS that left has its text and its moment.", "message {}", _SMS_SENT),
    query(
        "sms-phone",
        "I7",
        "An SMS about money went to a phone that the household had.",
        "message {}",
        _SMS_HOUSEHOLD,
    ),
)
