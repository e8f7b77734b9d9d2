"""Reads CONFIG.json into frozen values, and names what is missing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ServiceCode:
    """A short code rented from the aggregator; `url` takes its turns, `events` its end-of-session reports."""

    code: str
    url: str
    events: str | None = None
    mutuelle: str = ""
    country: str = ""
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class AfricasTalking:
    """The aggregator account. `json_type` is the Content-Type of its SMS answers.

    With a charset in it, the SDK returns a str.
    """

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
class VirtualTime:
    """The clock starts at `now` and moves only on request; random names are drawn from `seed`."""

    now: datetime
    seed: int


@dataclass(frozen=True)
class Settings:
    """All of CONFIG.json. `public_url` is the address for browsers (default: loopback on `port`)."""

    port: int
    journal: Path
    africastalking: AfricasTalking
    wave: tuple[WaveAccount, ...] = ()
    mtn: tuple[MtnAccount, ...] = ()
    clock_shift_s: float = 0
    public_url: str = ""
    phones: tuple[DemoPhone, ...] = ()
    virtual: VirtualTime | None = None


class BadConfig(Exception):
    """CONFIG.json lacks or misspells something; the message names it."""


def read(path: Path) -> Settings:
    """Returns the settings of the file. Raises BadConfig with the file and the key."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path}: {error}") from error
    return from_json(config)


def from_json(config: Any) -> Settings:
    try:
        return Settings(
            port=int(config["port"]),
            journal=Path(config["journal"]),
            africastalking=_africastalking(config["africastalking"]),
            wave=tuple(WaveAccount(**account) for account in config.get("wave", [])),
            mtn=tuple(MtnAccount(**account) for account in config.get("mtn", [])),
            clock_shift_s=float(config.get("clock_shift_s", 0)),
            public_url=config.get("public_url") or f"http://127.0.0.1:{config['port']}",
            phones=tuple(DemoPhone(**phone) for phone in config.get("phones", [])),
            virtual=_virtual(config["virtual"]) if "virtual" in config else None,
        )
    except KeyError as error:
        raise BadConfig(f"the sandbox configuration lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadConfig(f"the sandbox configuration is wrong: {error}") from error


def _virtual(config: Mapping[str, Any]) -> VirtualTime:
    now = datetime.fromisoformat(config["now"])
    if now.tzinfo is None:
        raise ValueError("virtual.now has no zone")
    return VirtualTime(now, int(config["seed"]))


def _africastalking(config: Mapping[str, Any]) -> AfricasTalking:
    sms = config.get("sms", {})
    optional = {
        key: config[key] for key in ("network_code", "json_type", "sms_cost", "ussd_cost") if key in config
    }
    codes = tuple(_service_code(code, rest) for code, rest in config.get("service_codes", {}).items())
    return AfricasTalking(
        username=config["username"],
        api_key=config["api_key"],
        codes=codes,
        delivery=sms.get("delivery"),
        incoming=sms.get("incoming"),
        numbers=sms.get("numbers", {}),
        senders=tuple(sms.get("senders", ())),
        **optional,
    )


def _service_code(code: str, urls: Mapping[str, Any]) -> ServiceCode:
    return ServiceCode(
        code=code,
        url=urls["url"],
        events=urls.get("events"),
        mutuelle=urls.get("mutuelle", ""),
        country=urls.get("country", ""),
        operators=tuple(urls.get("operators", ())),
    )
