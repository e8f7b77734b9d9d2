"""The form *Inscrire un ménage* of a RAMED mutuelle, where Kadi must prove a category first."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from mutuelle import clock, db
from mutuelle.households import households
from mutuelle.organisation import tenants
from tests.gateway.console import world as scenes
from tests.gateway.console.conftest import Site, serve
from tests.support.templates import Database

TODAY = clock.today("Africa/Bamako")
PATH = "/console/inscrire"


@contextmanager
def ramed_site(database: Database, redis_url: str) -> Iterator[Site]:
    """Serves the console of the three mutuelles and of a fourth, Kadi's."""
    scene = scenes.open_world(database.url)
    with db.transaction(db.Role.LOGIN) as session:
        ramed = tenants.add_mutuelle(
            session,
            code="ML-POOR",
            short_code="104",
            name="RAMED Sikasso",
            scheme="ML-RAMED",
            country="ML",
            currency="XOF",
            zone="Africa/Bamako",
            language="fr",
        )
    scene.employ("kadi", "Kadi", replace(scene.world.mali, tenant_id=ramed.id))
    with serve(scene, redis_url, database.url) as console:
        yield console
    db.disconnect()


def number() -> str:
    return f"+22376{clock.digits(6)}"


def form(phone: str, **more: Any) -> dict[str, Any]:
    """Returns Kadi's form for a couple with a child: RAMED, a certificate of the commune."""
    fields = {
        "cle": str(uuid4()),
        "telephone": phone,
        "langue": "fr",
        "categorie": "indigent",
        "accord": "oui",
        "annee": ["1980", "1984", "", "2018"],
        "nom": ["Fanta Keïta", "", "", "Sira Keïta"],
        "lien": ["", "", "", ""],
        "preuve": "document",
        "numero": f"SIK {clock.digits(6)}",
        "etablie": "",
        "jusque": "",
    }
    return fields | more


def household_of(phone: str) -> UUID:
    with db.transaction(db.Role.APP) as session:
        ((_, household_id),) = households.by_phone(session, phone)
    return household_id


def rows(query: str, **values: Any) -> list[Any]:
    with db.transaction(db.Role.AUDITOR) as session:
        return list(session.execute(text(query), values).all())
