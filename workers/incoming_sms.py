"""Reads what aggregators send about SMS: delivery reports, STOP, and the words that undo a STOP."""

import logging
from urllib.parse import parse_qsl
from uuid import UUID

from gateway.sms import SMS
from gateway.sms.message import Delivery, IncomingSms
from mutuelle import audit, crypto, db, inbox, outbox, phone
from mutuelle.audit import FlagKind, Subject
from mutuelle.errors import Malformed
from mutuelle.households import households
from mutuelle.inbox import Door, Notice, NoticeState
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from mutuelle.organisation import tenants
from workers import batch
from workers.services import WorkerServices

REPORT_TRIES = 8
TRIES = 10
log = logging.getLogger("workers.incoming_sms")


def run(services: WorkerServices) -> int:
    """Reads the notices that are due. Returns how many were leased. A repeat changes nothing."""
    lease_s = services.settings.lease_s
    with db.transaction(db.Role.WORKER) as session:
        due = inbox.lease(
            session, doors=[Door.SMS_DELIVERY, Door.SMS_INCOMING], limit=batch.LIMIT, lease_s=lease_s
        )
    # In order: no network call is made here, and of two reports about one message the first must count first.
    batch.for_each(due, _read, _put_back_or_give_up, lease_s=lease_s, in_order=True)
    return len(due)


def _read(notice: Notice) -> None:
    route = SMS[notice.provider]
    pairs = parse_qsl(notice.words.decode("utf-8", "replace"), keep_blank_values=True)
    try:
        if notice.door == Door.SMS_DELIVERY:
            _record_delivery(notice, route.read_delivery(pairs))
        else:
            _obey(notice, route.read_incoming(pairs))
    except Malformed:
        _end(notice, "cannot be read")


def _record_delivery(notice: Notice, report: Delivery) -> None:
    """Records a delivery report. A transient one after a final one changes nothing."""
    with db.transaction(db.Role.WORKER) as session:
        owner = messages.owner_of(session, report.message_id)
    if owner is None:
        # The report may come before we have recorded the id that it names.
        if notice.attempts >= REPORT_TRIES:
            _end(notice, "names no message of ours")
        else:
            _put_back(notice, "not ours yet")
        return
    with db.transaction(db.Role.WORKER, owner[0]) as session:
        outcome = report.status if report.reason is None else f"{report.status} {report.reason}"
        messages.record_report(session, *owner, outcome, None if not report.final else bool(report.delivered))
    _end(notice, outcome)


def _obey(notice: Notice, incoming: IncomingSms) -> None:
    """Stops or restarts our messages to a phone, in every mutuelle where it is registered."""
    word = incoming.text.strip().strip(".!").upper()
    try:
        sender = phone.normalize(incoming.sender)
    except Malformed:
        _end(notice, "from no phone")
        return
    if word not in messages.STOP_WORDS | messages.START_WORDS:
        _end(notice, "kept")
        return
    start = word in messages.START_WORDS
    with db.transaction(db.Role.WORKER) as session:
        keys = households.by_phone(session, sender)
    failures: list[Exception] = []
    for tenant_id in sorted({tenant_id for tenant_id, _ in keys} or {notice.tenant_id}):
        household_id = next((household for owner, household in keys if owner == tenant_id), None)
        try:
            _switch(tenant_id, sender, household_id, start=start)
        except Exception as error:  # of any kind: the wish counts in the other mutuelles
            log.exception("a mutuelle cannot obey an SMS: %s", type(error).__name__)
            failures.append(error)
    if failures:  # tried again: where it was obeyed, that changes nothing
        raise failures[0]
    _end(notice, "messages again" if start else "no more messages")


def _switch(tenant_id: UUID, sender: str, household_id: UUID | None, *, start: bool) -> None:
    """Starts or stops messages to `sender` in one mutuelle and confirms it by SMS, if that is a change."""
    index = crypto.blind_index(sender)
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        if messages.is_stopped(session, tenant_id, index) is not start:
            return
        if start:
            messages.start(session, tenant_id, index)
        else:
            messages.stop(session, tenant_id, index)
        if household_id:
            language = households.get(session, tenant_id, household_id).language
        else:
            language = tenants.get(session, tenant_id).language
        messages.queue(
            session,
            tenant_id,
            phone=sender,
            household_id=household_id,
            language=language,
            kind=MessageKind.STARTED if start else MessageKind.STOPPED,
            facts={},
        )


def _end(notice: Notice, outcome: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.end(session, notice, NoticeState.DONE, outcome)


def _put_back_or_give_up(notice: Notice, reason: str) -> None:
    """Retries a notice on which our own code failed; after `TRIES` tries opens a case for staff instead."""
    if notice.attempts < TRIES:
        _put_back(notice, reason)
        return
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.end(session, notice, NoticeState.PERSON, reason)
        audit.open_case(
            session, notice.tenant_id, FlagKind.UNREADABLE, audit.about(Subject.NOTICE, notice.id), reason
        )


def _put_back(notice: Notice, reason: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.postpone(session, notice, outbox.backoff_s(notice.attempts, first_s=1), reason)
