"""Reads pages of Wave's transaction list (`GET /v1/transactions`).

Wave does not document the following, so we assume it. A line's `amount` is the change of the wallet's
balance: gross less `fee`, negative for money that left (`wave-api-client`, a public client, says so). Gross
is therefore |`amount`| + |`fee`|, also of a reversal, which gives the fee back. Any other line of money that
left, such as a payout, has the fee on top: gross is |`amount`| - |`fee`|. So has its coming back. No
documented field names the original transaction of a reversal. `_original` tries the fields in `ORIGINAL`,
then `payment_reason` ("Refund of T…"), then the line's checkout session, then the line's `transaction_id`.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from typing import Any

from gateway import http_client
from mutuelle import clock, money, phone
from mutuelle.errors import Malformed, OperatorError, Unavailable
from mutuelle.money import Money
from mutuelle.payments.operators import Movement, MovementPage, OutflowDirection

ORIGINAL = ("original_transaction_id", "reversed_transaction_id", "refunded_transaction_id")
REFUND_OF = re.compile(r"Refund of ([A-Za-z0-9_-]{1,80})")
# Reversals of our own payouts: money that comes back. So is any other reversal line that adds money.
PAYOUT_REVERSALS = {"api_payout_reversal", "bulk_payment_reversal", "b2b_payment_reversal"}
LOOKUPS_S = 30.0  # for all queries about sessions of one page
log = logging.getLogger("gateway.momo.wave_list")

SessionLookup = Callable[[str], object]  # the transaction id of a checkout session, None when it has none


def read_page(payload: dict[str, Any], transaction_of: SessionLookup) -> MovementPage:
    """Returns the movements of a page, and the names of lines that cannot be read.

    These include a line for which `transaction_of` gets no answer. Raises Malformed when the page itself
    cannot be read.
    """
    info, items = payload.get("page_info"), payload.get("items")
    if (
        not isinstance(info, dict)
        or not isinstance(items, list)
        or not isinstance(info.get("has_next_page"), bool)
    ):
        raise Malformed("wave list: no page_info or no items")
    after, more = info.get("end_cursor"), info["has_next_page"]
    if not (isinstance(after, str) and 0 < len(after) <= 500) and (more or after not in (None, "")):
        raise Malformed("wave list: more pages but no cursor")
    movements, unreadable = [], []
    lookup = _with_patience(transaction_of)
    for item in items:
        try:
            movements.append(_movement(item, lookup))
        except (Malformed, OperatorError):
            unreadable.append(_line_name(item))
        except Exception as error:  # of any kind: it holds no other line back
            log.error("a line of wave's list cannot be read: %s", type(error).__name__)
            unreadable.append(_line_name(item))
    return MovementPage(tuple(movements), after or None, more, tuple(unreadable))


def _with_patience(transaction_of: SessionLookup) -> SessionLookup:
    """`transaction_of`, which raises Unavailable at once after LOOKUPS_S seconds, so that a page ends."""
    until = clock.ticks() + LOOKUPS_S

    def lookup(session_id: str) -> object:
        if clock.ticks() > until:
            raise Unavailable("wave: no time left to query sessions")
        return transaction_of(session_id)

    return lookup


def payer_of(number: object) -> str | None:
    """The payer's number. None when it is missing or masked."""
    try:
        return phone.wire(number)
    except Malformed:
        return None


def _movement(item: object, transaction_of: SessionLookup) -> Movement:
    """The movement of a line: a receipt, the reversal of one, or other money that left or came back."""
    if not isinstance(item, dict) or not isinstance(item.get("is_reversal"), bool | None):
        raise Malformed("wave list: a line is not understood")
    amount, fee, left = _gross(item)
    reversal = bool(item.get("is_reversal"))
    if left != reversal or (not left and item.get("transaction_type") in PAYOUT_REVERSALS):
        return _outflow(item, amount, fee or 0, OutflowDirection.OUT if left else OutflowDirection.BACK)
    reference = item.get("client_reference")
    return Movement(
        transaction=http_client.name(item.get("transaction_id"), "transaction_id"),
        amount=amount,
        at=http_client.moment(item.get("timestamp")),
        payer=payer_of(item.get("counterparty_mobile")),
        reference=reference[:255] if isinstance(reference, str) and reference else None,
        reverses=_original(item, transaction_of) if reversal else None,
        fee=fee,
    )


def _outflow(item: dict[str, Any], amount: Money, fee: int, flow: OutflowDirection) -> Movement:
    """Money that left and reverses no receipt (a payout, a bank sweep), or that came back from there."""
    change = amount.units - fee
    charged = fee if fee < change else 0
    return Movement(
        transaction=http_client.name(item.get("transaction_id"), "transaction_id"),
        amount=Money(change - charged, amount.currency),
        at=http_client.moment(item.get("timestamp")),
        fee=charged,
        flow=flow,
        kind=http_client.word(item.get("transaction_type")),
    )


def _original(item: dict[str, Any], transaction_of: SessionLookup) -> str:
    """The transaction that a reversal line reverses, by the surest of the ways in the module's docstring."""
    original = next((item[field] for field in ORIGINAL if item.get(field)), None)
    reason, session_id = item.get("payment_reason"), item.get("checkout_api_session_id")
    if original is None and isinstance(reason, str) and (match := REFUND_OF.fullmatch(reason)):
        original = match[1]
    if original is None and isinstance(session_id, str) and session_id:
        original = transaction_of(session_id)
    return http_client.name(original or item.get("transaction_id"), "original transaction")


def _gross(item: dict[str, Any]) -> tuple[Money, int | None, bool]:
    """(gross amount, fee, whether the money left the wallet) of a line, in positive units.

    The fee is None where the line names none.
    """
    net, fee = money.parse_signed(item.get("amount"), item.get("currency")), item.get("fee")
    if not net.units:
        raise Malformed("wave list: a line without an amount")
    units = None if fee in (None, "") else abs(money.parse_signed(fee, net.currency).units)
    return Money(abs(net.units) + (units or 0), net.currency), units, net.units < 0


def _line_name(item: object) -> str:
    """A name for a line that cannot be read: always the same, and without personal data."""
    transaction = http_client.word(item.get("transaction_id")) if isinstance(item, dict) else None
    return transaction or "line-" + hashlib.sha256(repr(item).encode(errors="replace")).hexdigest()[:16]
