"""Read CONFIG.json once into frozen values, and name what is missing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ServiceCode:
    """A short code rented from the aggregator: where its turns and its end-of-session reports go."""

    code: str
    url: str
    events: str | None = None
    mutuelle: str = ""
    country: str = ""
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class AfricasTalking:
    """The aggregator account. `json_type` is the Content-Type of its SMS answers: with a charset the SDK
    returns a str."""

    username: str
    api_key: str
    network_code: str = "99999"
    codes: tuple[ServiceCode, ...] = ()
    delivery: str | None = None
    incoming: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    senders: tuple[str, ...] = ()
    json_type: str = "application/json"
    sms_cost: str = "KES 0.8000"
    ussd_cost: str = "KES 0.10"


@dataclass(frozen=True)
class WaveAccount:
    """A Wave merchant wallet; `fee_permille` is taken from the merchant (0: none, the default)."""

    account: str
    currency: str
    api_key: str
    signing_secret: str
    merchant_id: str
    business_name: str
    callback: str | None = None
    fee_permille: int = 0


@dataclass(frozen=True)
class MtnAccount:
    """An MTN MoMo collections wallet. `callback_method`: PUT, POST, or alternate (MTN says: allow both).
    `reason_form`: a refusal's reason as a bare `word`, or as an `object` of code and message; public clients
    disagree about it."""

    account: str
    currency: str
    api_user: str
    api_key: str
    subscription_key: str
    target_environment: str
    business_name: str = ""
    callback_method: str = "alternate"
    reason_form: str = "word"


@dataclass(frozen=True)
class DemoPhone:
    """A number the phone page offers."""

    number: str
    label: str


@dataclass(frozen=True)
class Virtual:
    """A world whose time is told by whoever runs it, from `now` on, and whose made-up names are drawn from
    `seed`."""

    now: datetime
    seed: int


@dataclass(frozen=True)
class Settings:
    """All of CONFIG.json. `public_url` is how a browser reaches us (default: loopback on `port`)."""

    port: int
    journal: Path
    africastalking: AfricasTalking
    wave: tuple[WaveAccount, ...] = ()
    mtn: tuple[MtnAccount, ...] = ()
    clock_shift_s: float = 0
    public_url: str = ""
    phones: tuple[DemoPhone, ...] = ()
    virtual: Virtual | None = None


class BadConfig(Exception):
    """CONFIG.json lacks or misspells something; the message names it."""


def read(path: Path) -> Settings:
    """Settings from the file, or BadConfig naming the file and the key."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path}: {error}") from error
    return from_json(said)


def from_json(said: Any) -> Settings:
    try:
        return Settings(
            port=int(said["port"]),
            journal=Path(said["journal"]),
            africastalking=_africastalking(said["africastalking"]),
            wave=tuple(WaveAccount(**account) for account in said.get("wave", [])),
            mtn=tuple(MtnAccount(**account) for account in said.get("mtn", [])),
            clock_shift_s=float(said.get("clock_shift_s", 0)),
            public_url=said.get("public_url") or f"http://127.0.0.1:{said['port']}",
            phones=tuple(DemoPhone(**phone) for phone in said.get("phones", [])),
            virtual=_virtual(said["virtual"]) if "virtual" in said else None,
        )
    except KeyError as error:
        raise BadConfig(f"the sandbox configuration lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadConfig(f"the sandbox configuration is wrong: {error}") from error


def _virtual(said: Mapping[str, Any]) -> Virtual:
    now = datetime.fromisoformat(said["now"])
    if now.tzinfo is None:
        raise ValueError("virtual.now has no zone")
    return Virtual(now, int(said["seed"]))


def _africastalking(said: Mapping[str, Any]) -> AfricasTalking:
    sms = said.get("sms", {})
    optional = {
        key: said[key] for key in ("network_code", "json_type", "sms_cost", "ussd_cost") if key in said
    }
    codes = tuple(_service_code(code, rest) for code, rest in said.get("service_codes", {}).items())
    return AfricasTalking(
        username=said["username"],
        api_key=said["api_key"],
        codes=codes,
        delivery=sms.get("delivery"),
        incoming=sms.get("incoming"),
        numbers=sms.get("numbers", {}),
        senders=tuple(sms.get("senders", ())),
        **optional,
    )


def _service_code(code: str, rest: Mapping[str, Any]) -> ServiceCode:
    return ServiceCode(
        code=code,
        url=rest["url"],
        events=rest.get("events"),
        mutuelle=rest.get("mutuelle", ""),
        country=rest.get("country", ""),
        operators=tuple(rest.get("operators", ())),
    )
