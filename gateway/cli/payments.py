"""The commands `mutuelle payments`: requests to pay."""

from uuid import UUID

import click

from gateway.cli.common import as_json, boot, print_values
from mutuelle import db
from mutuelle.payments import payments


@click.group("payments")
def group() -> None:
    """Payment requests."""


@group.command("show")
@click.argument("ref", type=click.UUID)
@as_json
def show(ref: UUID, as_json: bool) -> None:
    """Show one payment by our reference."""
    boot()
    with db.transaction(db.Role.AUDITOR) as session:
        payment = payments.by_ref(session, ref)
        if payment is None:
            raise click.ClickException("no payment has this reference")
        values = {
            "ref": payment.ref,
            "status": payment.status,
            "amount": payment.amount,
            "currency": payment.currency,
            "operator_ref": payment.operator_ref,
            "reason": payment.reason,
            "created_at": payment.created_at,
            "settled_at": payment.settled_at,
        }
    print_values(values, as_json)
