"""Notifies a household that its own share has changed, once for all changes that are told together.

An SMS that has not left when the next change comes is withdrawn, and a new one tells the sum: what is noted
by mistake and undone before the SMS leaves (at night it waits for daylight) sends none.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from mutuelle.billing.adjustment_writer import AdjustmentResult
from mutuelle.households import household_sms
from mutuelle.households.locks import HouseholdKey
from mutuelle.messaging import messages
from mutuelle.messaging.messages import MessageKind
from mutuelle.schemes import money_rules

SHARE_CHANGES = messages.PRICE_CHANGES | {MessageKind.SPONSORED}


def notify(
    session: Session,
    household: HouseholdKey,
    results: Sequence[AdjustmentResult],
    *,
    by_sponsor: bool = False,
    sponsor: str | None = None,
) -> None:
    """Queues the SMS about these adjustments, in whole units: one by price, one for a sponsor's new promise.

    `by_sponsor` says that a sponsor began or ended, `sponsor` names the one who begins. The member's share
    changes by the price less the promise; a promise that shrinks after its SMS has left raises the price.
    """
    member = sum(result.member for result in results)
    promised = sum(result.shares.get(money_rules.SPONSOR, 0) for result in results)
    if not member and not promised:
        return
    price, earlier_promise = 0, 0
    for message in messages.withdraw(session, *household, SHARE_CHANGES):
        units = int(message.facts["amount"])
        if message.kind == MessageKind.SPONSORED:
            earlier_promise, sponsor = earlier_promise + units, sponsor or message.facts["sponsor"]
        else:
            price += units if message.kind == MessageKind.ADJUSTED_MORE else -units
    promise = earlier_promise + (promised if by_sponsor or earlier_promise else 0)
    price += member + promise - earlier_promise
    if promise < 0 or sponsor is None:
        price, promise = price - promise, 0
    if promise:
        facts = {"amount": promise, "sponsor": sponsor}
        household_sms.queue_with_state(session, household, MessageKind.SPONSORED, facts)
    if price:
        kind = MessageKind.ADJUSTED_MORE if price > 0 else MessageKind.ADJUSTED_LESS
        key = f"adjusted:{results[0].id}"
        household_sms.queue_once_with_state(session, household, kind, {"amount": abs(price)}, key=key)
