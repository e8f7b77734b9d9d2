"""Stores mutuelles and federations (tenants), their accounts at gateways and at operators."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from mutuelle import clock, crypto
from mutuelle.db import Row
from mutuelle.schemes import schemes


class TenantKind(StrEnum):
    """What a tenant is, as stored."""

    MUTUELLE = "mutuelle"
    FEDERATION = "federation"


class Tenant(Row):
    """A mutuelle, or a federation of them."""

    __tablename__ = "tenants"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    parent_id: Mapped[UUID | None]
    code: Mapped[str]
    short_code: Mapped[str]
    name: Mapped[str]
    scheme: Mapped[str]
    country: Mapped[str]
    currency: Mapped[str]
    zone: Mapped[str]
    language: Mapped[str]
    created_at: Mapped[datetime]

    def today(self) -> date:
        """The local date of now: coverage dates are local dates of the mutuelle."""
        return clock.today(self.zone)

    def day_of(self, moment: datetime) -> date:
        """The local date of `moment`."""
        return clock.local_date(moment, self.zone)


class GatewayAccount(Row):
    """One of our accounts at an aggregator. Its path token is stored as a hash, two during a rotation."""

    __tablename__ = "gateway_accounts"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    provider: Mapped[str]
    token_hash: Mapped[bytes]
    old_token_hash: Mapped[bytes | None]
    created_at: Mapped[datetime]


class ServiceCode(Row):
    """A USSD code and the mutuelle that it reaches."""

    __tablename__ = "service_codes"
    gateway_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class OperatorAccount(Row):
    """A merchant wallet. `credentials` are sealed; the callback path token is stored as a hash."""

    __tablename__ = "operator_accounts"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    operator: Mapped[str]
    code: Mapped[str]
    currency: Mapped[str]
    credentials: Mapped[bytes]
    token_hash: Mapped[bytes]
    old_token_hash: Mapped[bytes | None]
    created_at: Mapped[datetime]


def account_by_token(session: Session, token: str) -> tuple[UUID, UUID, str] | None:
    """Returns the (tenant, account, operator) of a callback path token, before the tenant is known."""
    row = session.execute(
        text("SELECT tenant_id, id, operator FROM account_by_token(:t)"), {"t": crypto.token_hash(token)}
    ).first()
    return (row.tenant_id, row.id, row.operator) if row else None


def gateway_by_token(session: Session, token: str) -> tuple[UUID, UUID, str] | None:
    """Returns the (owner tenant, gateway account, provider) of a USSD or SMS path token."""
    row = session.execute(
        text("SELECT tenant_id, id, provider FROM gateway_by_token(:t)"), {"t": crypto.token_hash(token)}
    ).first()
    return (row.tenant_id, row.id, row.provider) if row else None


def gateway_codes(session: Session, gateway_id: UUID) -> dict[str, UUID]:
    """Returns the service codes of a gateway account with their tenants."""
    rows = session.scalars(select(ServiceCode).where(ServiceCode.gateway_id == gateway_id))
    return {row.code: row.tenant_id for row in rows}


def service_codes(session: Session, tenant_id: UUID) -> list[str]:
    """Returns the service codes that reach this mutuelle, of all gateway accounts."""
    return list(session.scalars(select(ServiceCode.code).where(ServiceCode.tenant_id == tenant_id)))


def get(session: Session, tenant_id: UUID) -> Tenant:
    return session.get_one(Tenant, tenant_id)


def today(session: Session, tenant_id: UUID) -> date:
    """Returns the local date of now in this mutuelle."""
    return get(session, tenant_id).today()


def day_of(session: Session, tenant_id: UUID, moment: datetime) -> date:
    """Returns the local date of `moment` in this mutuelle."""
    return get(session, tenant_id).day_of(moment)


def by_code(session: Session, code: str) -> Tenant | None:
    return session.scalar(select(Tenant).where(Tenant.code == code))


def mutuelles(session: Session) -> list[Tenant]:
    """Returns all mutuelles by code."""
    query = select(Tenant).where(Tenant.kind == TenantKind.MUTUELLE)
    return list(session.scalars(query.order_by(Tenant.code)))


def is_account(session: Session, code: str) -> bool:
    """Whether a mutuelle that the transaction may see has an operator account with this code."""
    return bool(session.scalar(select(exists().where(OperatorAccount.code == code))))


def add_mutuelle(
    session: Session,
    *,
    code: str,
    short_code: str,
    name: str,
    scheme: str,
    country: str,
    currency: str,
    zone: str,
    language: str,
) -> Tenant:
    """Adds a mutuelle, with codes unique among all tenants. Refused if the scheme is unknown or a draft."""
    schemes.in_use(scheme)
    tenant = Tenant(
        id=clock.new_id(),
        kind=TenantKind.MUTUELLE,
        code=code,
        short_code=short_code,
        name=name,
        scheme=scheme,
        country=country,
        currency=currency,
        zone=zone,
        language=language,
        created_at=clock.now(),
    )
    session.add(tenant)
    session.flush()
    return tenant


def add_gateway(
    session: Session, tenant_id: UUID, *, provider: str, token: str, codes: dict[str, UUID]
) -> GatewayAccount:
    """Adds an aggregator account of `tenant_id`. `codes` maps its service codes to mutuelles."""
    account = GatewayAccount(
        id=clock.new_id(),
        tenant_id=tenant_id,
        provider=provider,
        token_hash=crypto.token_hash(token),
        created_at=clock.now(),
    )
    session.add(account)
    session.flush()
    session.add_all(
        ServiceCode(gateway_id=account.id, code=code, tenant_id=owner_id) for code, owner_id in codes.items()
    )
    return account


def add_account(
    session: Session,
    tenant_id: UUID,
    *,
    operator: str,
    code: str,
    currency: str,
    credentials: dict[str, str],
    token: str,
) -> OperatorAccount:
    """Adds a merchant wallet. The credentials are sealed before they are stored."""
    account = OperatorAccount(
        tenant_id=tenant_id,
        id=clock.new_id(),
        operator=operator,
        code=code,
        currency=currency,
        credentials=crypto.seal_credentials(credentials),
        token_hash=crypto.token_hash(token),
        created_at=clock.now(),
    )
    session.add(account)
    session.flush()
    return account
