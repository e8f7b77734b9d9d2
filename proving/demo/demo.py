"""Seeds the demo: three mutuelles, one per country and dialled code, and the sandbox's configuration.

Assumed for the demo, as documented in `docs/schemes.md`: Wave in Mali, MTN's market name `mtnrwanda`,
Africa's Talking USSD in Senegal and Mali.
"""

import secrets as chance
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from mutuelle import crypto, db
from mutuelle.organisation import logins, tenants

ROUTE = "africastalking"


@dataclass(frozen=True)
class DemoMutuelle:
    """One demo mutuelle."""

    code: str
    short_code: str
    name: str
    scheme: str
    country: str
    currency: str
    zone: str
    operator: str
    dial: str


PLACES = (
    DemoMutuelle(
        "SN-DIENDER", "221", "Mutuelle Diender", "SN-CMU", "SN", "XOF", "Africa/Dakar", "wave", "*384*55#"
    ),
    DemoMutuelle(
        "RW-HUYE", "250", "Mutuelle Huye", "RW-CBHI", "RW", "RWF", "Africa/Kigali", "mtn", "*384*56#"
    ),
    DemoMutuelle(
        "ML-SIKASSO", "223", "Mutuelle Sikasso", "ML-5050", "ML", "XOF", "Africa/Bamako", "wave", "*384*57#"
    ),
)
# (mutuelle, login, name). Two in Senegal, because a refund takes two.
MANAGERS = (
    ("SN-DIENDER", "bakary", "Bakary"),
    ("SN-DIENDER", "ndeye", "Ndèye"),
    ("RW-HUYE", "claudine", "Claudine"),
    ("ML-SIKASSO", "coumba", "Coumba"),
)


def seed(env: dict[str, str], sandbox_url: str, web_url: str) -> dict[str, Any]:
    """Seeds the database. Returns the content of `endpoints.json` and the sandbox's configuration."""
    crypto.use(env["PHONE_KEY"], env["SECRET_KEY"])
    db.connect(env["DATABASE_URL"])
    gateway_token = chance.token_urlsafe(24)
    momo: dict[str, dict[str, Any]] = {}
    outside: dict[str, list[dict[str, str]]] = {}
    managers: list[dict[str, str]] = []
    with db.transaction(db.Role.LOGIN) as session:
        codes = {}
        for place in PLACES:
            tenant = tenants.add_mutuelle(
                session,
                code=place.code,
                short_code=place.short_code,
                name=place.name,
                scheme=place.scheme,
                country=place.country,
                currency=place.currency,
                zone=place.zone,
                language="fr",
            )
            codes[place.dial] = tenant.id
            managers += [_manager(session, tenant, *who) for code, *who in MANAGERS if code == place.code]
            token = chance.token_urlsafe(24)
            callback = f"{web_url}/momo/{place.operator}/{token}/callback"
            credentials, operator_record = _wallet(place, env, callback)
            tenants.add_account(
                session,
                tenant.id,
                operator=place.operator,
                code=place.code,
                currency=place.currency,
                credentials=credentials | {"callback_token": token},
                token=token,
            )
            momo.setdefault(place.operator, {})[place.code] = {"account": place.code, "callback": callback}
            outside.setdefault(place.operator, []).append(operator_record)
        owner = next(iter(codes.values()))
        tenants.add_gateway(session, owner, provider=ROUTE, token=gateway_token, codes=codes)
    db.disconnect()
    configuration = _configuration(env, sandbox_url, web_url, gateway_token, momo, outside)
    console = f"{web_url}/console/"
    configuration["endpoints"] |= {"console": {"url": console, **managers[0]}, "managers": managers}
    return configuration


def _manager(session: Session, tenant: tenants.Tenant, login: str, name: str) -> dict[str, str]:
    password = logins.new_password()
    logins.add(session, tenant.id, login=login, name=name, password=password)
    return {"login": login, "password": password, "mutuelle": tenant.code}


def _wallet(place: DemoMutuelle, env: dict[str, str], callback: str) -> tuple[dict[str, str], dict[str, str]]:
    """Returns our credentials at the operator, and the operator's own record of the account."""
    operator_record = {"account": place.code, "currency": place.currency}
    if place.operator == "wave":
        key, signing = (
            f"wave_{place.country.lower()}_prod_{chance.token_urlsafe(24)}",
            f"wave_{chance.token_urlsafe(24)}",
        )
        operator_record |= {
            "api_key": key,
            "signing_secret": signing,
            "merchant_id": f"M_{place.code}",
            "business_name": place.name,
        }
        return {"api_key": key, "signing_secrets": signing}, operator_record | {"callback": callback}
    ours = {
        "api_user": str(uuid.uuid4()),
        "api_key": chance.token_hex(16),
        "subscription_key": chance.token_hex(16),
    }
    return ours, operator_record | ours | {"target_environment": env["MTN_TARGET_ENVIRONMENT"]}


def _configuration(
    env: dict[str, str],
    sandbox_url: str,
    web_url: str,
    token: str,
    momo: dict[str, dict[str, Any]],
    outside: dict[str, list[dict[str, str]]],
) -> dict[str, Any]:
    ussd, sms = f"{web_url}/ussd/{ROUTE}/{token}", f"{web_url}/sms/{ROUTE}/{token}"
    reports = {"incoming": f"{sms}/incoming", "delivery": f"{sms}/delivery"}
    codes = {
        place.dial: {
            "mutuelle": place.code,
            "scheme": place.scheme,
            "operators": [place.operator],
            "country": place.country,
        }
        for place in PLACES
    }
    endpoints = {
        "web": web_url,
        "sandbox": sandbox_url,
        "ussd": {ROUTE: {"url": ussd, "events": f"{ussd}/events", "service_codes": codes}},
        "sms": {ROUTE: reports},
        "momo": momo,
    }
    gateway = {
        "username": env["AT_USERNAME"],
        "api_key": env["AT_API_KEY"],
        "network_code": "99999",
        "service_codes": {
            code: {"url": ussd, "events": f"{ussd}/events", **facts} for code, facts in codes.items()
        },
        "sms": reports,
    }
    return {"endpoints": endpoints, "sandbox": {ROUTE: gateway, **outside}}
