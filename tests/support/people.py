"""The people of the tests: Awa and Bakary of Senegal, and Coumba of Mali, who must see nothing of theirs."""

from dataclasses import dataclass
from uuid import UUID

from mutuelle import crypto, db
from mutuelle.organisation import tenants
from mutuelle.organisation.tenants import OperatorAccount

AWA, BAKARY, COUMBA, IMANA = "+221770000001", "+221770000002", "+22370000003", "+250780000004"
TOKEN = "a-path-token-of-at-least-128-bits"
CREDENTIALS = {
    "wave": {"api_key": "wave_sn_test", "signing_secrets": "whsec_test"},
    "mtn": {"api_user": "8d2e7b1e-8f0a-4a55-9f5e-000000000001", "api_key": "key", "subscription_key": "sub"},
}


@dataclass(frozen=True)
class Place:
    """A mutuelle with its one operator account."""

    tenant_id: UUID
    account: OperatorAccount
    code: str


@dataclass(frozen=True)
class World:
    """Three mutuelles behind one gateway account."""

    gateway_id: UUID
    senegal: Place
    rwanda: Place
    mali: Place


def connect(url: str) -> None:
    """Connects this process to the database `url`, with test keys."""
    crypto.use("p" * 32, "s" * 32)
    db.connect(url, wait_s=5)


def settle_in() -> World:
    """Creates the three mutuelles, their operator accounts and the gateway account."""
    with db.transaction(db.Role.LOGIN) as session:
        places = {}
        for code, short, scheme, country, currency, zone, operator in (
            ("SN-TEST", "101", "SN-CMU", "SN", "XOF", "Africa/Dakar", "wave"),
            ("RW-TEST", "102", "RW-CBHI", "RW", "RWF", "Africa/Kigali", "mtn"),
            ("ML-TEST", "103", "ML-5050", "ML", "XOF", "Africa/Bamako", "wave"),
        ):
            tenant = tenants.add_mutuelle(
                session,
                code=code,
                short_code=short,
                name=f"Mutuelle {country}",
                scheme=scheme,
                country=country,
                currency=currency,
                zone=zone,
                language="fr",
            )
            account = tenants.add_account(
                session,
                tenant.id,
                operator=operator,
                code=code,
                currency=currency,
                credentials=CREDENTIALS[operator] | {"callback_token": f"{TOKEN}-{country}"},
                token=f"{TOKEN}-{country}",
            )
            places[country] = Place(
                tenant.id, account, {"SN": "*384*55#", "RW": "*384*56#", "ML": "*384*57#"}[country]
            )
        codes = {place.code: place.tenant_id for place in places.values()}
        gateway = tenants.add_gateway(
            session, places["SN"].tenant_id, provider="africastalking", token=TOKEN, codes=codes
        )
    return World(gateway.id, places["SN"], places["RW"], places["ML"])
