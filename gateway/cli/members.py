"""The commands `mutuelle members`: the people of a household, and lists of them."""

from typing import Any

import click
from sqlalchemy.orm import Session

from gateway.cli import office_lists
from gateway.cli.common import as_json, boot, household_of, print_values
from mutuelle import db
from mutuelle.contributions import bills
from mutuelle.cover import cover_books
from mutuelle.households.households import Household, claim_of, members_of
from mutuelle.organisation import tenants


@click.group("members")
def group() -> None:
    """Households and their members."""


group.add_command(office_lists.members_import)


@group.command("show")
@click.argument("number")
@as_json
def show(number: str, as_json: bool) -> None:
    """Show one household: its members, its category and what it owes."""
    boot()
    with db.transaction(db.Role.AUDITOR) as session:
        household = household_of(session, number)
        tenant = tenants.get(session, household.tenant_id)
        position = cover_books.position(session, household.tenant_id, household.id, tenant.today())
        people = members_of(session, household.tenant_id, household.id)
        values = {
            "number": household.number,
            "mutuelle": tenant.code,
            "scheme": tenant.scheme,
            "language": household.language,
            "category": _category(session, household),
            "members": [
                {"kind": member.kind, "born": member.birth_year, "provisional": member.provisional}
                for member in people
            ],
            "currency": tenant.currency,
            "owed": position.owed,
            "credit": position.credit,
            "state": position.right.state,
        }
    print_values(values, as_json)


def _category(session: Session, household: Household) -> dict[str, Any]:
    """The claimed category, the state of its proof, and the category of the last bill."""
    claim = claim_of(session, household.tenant_id, household.id)
    billed = bills.category_of(session, household.tenant_id, household.id)
    return {"claimed": claim and claim.category, "standing": claim and claim.standing, "billed": billed}
