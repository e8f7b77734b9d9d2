"""`mutuelle refunds`: what is asked, to pay, paid and seen at the operator."""

import json

import click

from gateway.cli.common import DatabaseCommand, as_json, mutuelle_of, of_mutuelle
from mutuelle import db
from mutuelle.payments import refunds
from mutuelle.payments.receipts import Receipt
from mutuelle.payments.refunds import Refund, RefundStatus


@click.command("refunds", cls=DatabaseCommand)
@of_mutuelle
@click.option(
    "--last", default=60, show_default=True, type=click.IntRange(1, 10_000), help="at most this many"
)
@as_json
def command(code: str, last: int, as_json: bool) -> None:
    """List refunds, first those that wait for a decision, a payout, or a line of the operator."""
    tenant = mutuelle_of(code)
    with db.transaction(db.Role.AUDITOR) as session:
        rows = [_values(*pair) for pair in refunds.of_tenant(session, tenant.id, limit=last)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
        return
    for row in rows:
        words = (row["status"], row["left"], row["currency"], row["receipt"], row["transaction"] or "")
        click.echo("  ".join(str(word) for word in words).rstrip())
    if not rows:
        click.echo("no refund was asked")


def _values(refund: Refund, receipt: Receipt) -> dict[str, object]:
    return {
        "status": _status(refund),
        "amount": refund.amount,
        "left": refund.due if refund.status != RefundStatus.REFUSED else 0,
        "currency": refund.currency,
        "receipt": receipt.transaction,
        "transaction": refund.transaction,
        "asked_at": refund.asked_at,
    }


def _status(refund: Refund) -> str:
    if refund.status == RefundStatus.PAID:
        return "paid, not seen" if refund.unseen else "paid, seen"
    return refund.status
