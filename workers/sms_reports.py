"""Hear: understand what phones and aggregators told us about SMS: delivery reports, STOP, and its taking
back."""

from urllib.parse import parse_qsl
from uuid import UUID

from gateway.sms import SMS
from gateway.sms.message import Delivery, Incoming
from mutuelle import audit, crypto, db, inbox, phone
from mutuelle.errors import Malformed
from mutuelle.households import households
from mutuelle.inbox import Notice
from mutuelle.messaging import messages
from mutuelle.organisation import tenants
from workers import batch
from workers.services import WorkerServices

STOP = frozenset({"STOP", "ARRET", "ARRÊT", "NON"})
START = frozenset({"START", "OUI", "YES"})
REPORT_TRIES = 8
TRIES = 10


def run(hub: WorkerServices) -> int:
    """Take in what is due; how many notices were taken. A repeat changes nothing."""
    with db.transaction(db.Role.WORKER) as session:
        due = inbox.lease(
            session, doors=["sms-delivery", "sms-incoming"], limit=batch.LIMIT, lease_s=hub.settings.lease_s
        )
    # Nobody is asked anything here, and of two reports about one message the first must be heard first.
    batch.each(
        due, lambda notice: notice.provider, _one, _failed, lease_s=hub.settings.lease_s, in_order=True
    )
    return len(due)


def _one(notice: Notice) -> None:
    route = SMS[notice.provider]
    pairs = parse_qsl(notice.words.decode("utf-8", "replace"), keep_blank_values=True)
    try:
        if notice.door == "sms-delivery":
            _report(notice, route.read_delivery(pairs))
        else:
            _incoming(notice, route.read_incoming(pairs))
    except Malformed:
        _end(notice, "cannot be read")


def _report(notice: Notice, told: Delivery) -> None:
    """Write what became of a message. After a final report a transient one is old news; an unknown status
    ends nothing."""
    with db.transaction(db.Role.WORKER) as session:
        owner = messages.owner(session, told.message_id)
    if owner is None:
        # The report may be faster than our own record of the id it names.
        _end(notice, "names no message of ours") if notice.attempts >= REPORT_TRIES else _put_back(
            notice, "not ours yet"
        )
        return
    with db.transaction(db.Role.WORKER, owner[0]) as session:
        said = told.status if told.reason is None else f"{told.status} {told.reason}"
        messages.learn(session, *owner, said, None if not told.final else bool(told.delivered))
    _end(notice, said)


def _incoming(notice: Notice, told: Incoming) -> None:
    """STOP ends our messages to that phone in every mutuelle it is registered in; OUI brings them back."""
    word = told.text.strip().strip(".!").upper()
    try:
        sender = phone.normalize(told.sender)
    except Malformed:
        _end(notice, "from no phone")
        return
    if word not in STOP | START:
        _end(notice, "kept")
        return
    with db.transaction(db.Role.WORKER) as session:
        homes = households.who(session, sender)
    for tenant_id in sorted({tenant_id for tenant_id, _ in homes} or {notice.tenant_id}):
        _switch(
            notice,
            tenant_id,
            sender,
            word in START,
            next((home for owner, home in homes if owner == tenant_id), None),
        )
    _end(notice, "messages again" if word in START else "no more messages")


def _switch(notice: Notice, tenant_id: UUID, sender: str, wanted: bool, home: UUID | None) -> None:
    index = crypto.blind_index(sender)
    with db.transaction(db.Role.WORKER, tenant_id) as session:
        if messages.is_stopped(session, tenant_id, index) is not wanted:
            return  # said before
        messages.start(session, tenant_id, index) if wanted else messages.stop(session, tenant_id, index)
        language = (
            households.get(session, tenant_id, home).language
            if home
            else tenants.get(session, tenant_id).language
        )
        messages.queue(session, tenant_id, phone=sender, household_id=home, language=language,
                       kind="started" if wanted else "stopped", facts={})  # fmt: skip


def _end(notice: Notice, outcome: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.end(session, notice, "done", outcome)


def _failed(notice: Notice, why: str) -> None:
    """Our own code failed on it: again later; after many tries a person looks at it instead."""
    if notice.attempts < TRIES:
        _put_back(notice, why)
        return
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.end(session, notice, "person", why)
        audit.open_case(session, notice.tenant_id, "unreadable", f"notice:{notice.id}", why)


def _put_back(notice: Notice, why: str) -> None:
    with db.transaction(db.Role.WORKER, notice.tenant_id) as session:
        inbox.postpone(session, notice, batch.backoff_s(notice.attempts, first_s=1), why)
