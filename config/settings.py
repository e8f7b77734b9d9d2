"""The settings of a process: read once from the environment, checked, frozen. Only this module reads it."""

import json
import os
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

HTTP = r"^https?://[^/]"
RUNNING = "settings.json"  # in STATE_DIR, while `make run` runs: the variables that it gave the product


class SettingsError(SystemExit):
    """Stops the process at start, naming every variable that is missing or wrong."""


class Settings(BaseSettings):
    """Every setting is an environment variable of the same name in capitals. docs/settings.md lists them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(
        pattern=r"^postgresql://",
        description="PostgreSQL, e.g. postgresql://mutuelle:secret@db/mutuelle; no superuser, no BYPASSRLS",
    )
    redis_url: str = Field(
        pattern=r"^(rediss?|unix)://",
        description="Redis or Valkey, e.g. redis://localhost:6379/0; policy noeviction",
    )
    public_url: str = Field(
        pattern=HTTP,
        description="address at which operators and aggregators reach the gateway,"
        " e.g. https://ussd.example.org",
    )
    secret_key: str = Field(
        min_length=32, description="secret from which the keys of stored notices and credentials are derived"
    )
    phone_key: str = Field(
        min_length=32,
        description="secret from which the phone encryption key and the blind index are derived;"
        " never stored in the database",
    )
    at_username: str = Field(description="Africa's Talking application")
    at_api_key: str = Field(description="Africa's Talking API key")
    at_base_url: str = Field(
        "https://api.africastalking.com", pattern=HTTP, description="Africa's Talking API"
    )
    at_sender: str = Field("", description="sender id of SMS; empty: the aggregator's own sender")
    mtn_base_url: str = Field(
        "https://proxy.momoapi.mtn.com", pattern=HTTP, description="MTN MoMo Collections API"
    )
    mtn_target_environment: str = Field("mtnrwanda", description="MTN's name of the market")
    wave_base_url: str = Field("https://api.wave.com", pattern=HTTP, description="Wave Business API")
    state_dir: Path = Field(
        Path("var"), description="folder in which `make run` keeps its servers' data and `endpoints.json`"
    )
    web_port: int = Field(8000, ge=1, le=65535, description="port of the web process")
    sandbox_port: int = Field(8001, ge=1, le=65535, description="port of the sandbox in `make run`")
    web_threads: int = Field(4, ge=1, le=64, description="requests that one web process serves at once")
    ussd_session_s: int = Field(
        300, ge=60, description="how long an open USSD session stays in the cache, seconds"
    )
    draft_s: int = Field(86_400, ge=0, description="how long a dropped dialogue can be resumed, seconds")
    sweep_s: int = Field(
        30, ge=1, description="how often the scheduler rings for rows that are not done, seconds"
    )
    pull_s: int = Field(300, ge=1, description="how often an operator's transaction list is pulled, seconds")
    sms_per_s: int = Field(10, ge=1, description="reminders sent per second, at most")
    lease_s: int = Field(150, ge=1, description="how long a worker may hold a row that it leased, seconds")
    notice_days: int = Field(
        400, ge=30, description="how long raw messages of operators and aggregators are kept, days"
    )
    # How long rows stay in the working tables after they ended; evidence stays (mutuelle/archive.py). The
    # least values are longer than anybody repeats a message, and than operators take to give up (days).
    notice_row_days: int = Field(
        800,
        ge=30,
        description="how long notices stay, days; at least NOTICE_DAYS. Two years, because a complaint may"
        " come after the year that it is about",
    )
    message_days: int = Field(
        400, ge=90, description="how long SMS stay, days; more than a year, for the dues of a whole year"
    )
    task_days: int = Field(
        400,
        ge=30,
        description="how long tasks that are done stay, days; like the SMS and requests they are of",
    )
    session_days: int = Field(
        400, ge=62, description="how long USSD sessions stay, days; indicators of a month need its sessions"
    )
    audit_days: int = Field(
        1100,
        ge=366,
        description="how long entries of the trail stay in the working table, days; then the archive keeps"
        " them for ever, because accounts are kept for ten years (OHADA, Acte uniforme comptable, art. 24)",
    )
    clock_shift: int = Field(
        0, description="shifts the clock, seconds; refused unless every provider is on loopback"
    )
    metrics_from: str = Field(
        "127.0.0.0/8 ::1/128",
        description="networks that may read `/metrics`, separated by spaces; never through a proxy",
    )
    targets_file: str = Field("", description="TOML file of target populations; empty: no targets")
    small_count: int = Field(
        5,
        ge=2,
        description="smallest count of people that `/figures` shows; a smaller count is shown as `<5`",
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="lowest level that is logged"
    )

    @property
    def metrics_networks(self) -> list[IPv4Network | IPv6Network]:
        return [ip_network(network) for network in self.metrics_from.split()]

    @field_validator("metrics_from")
    @classmethod
    def _are_networks(cls, networks: str) -> str:
        for network in networks.split():
            ip_network(network)  # raises ValueError with the reason
        return networks

    @property
    def pretend_world(self) -> bool:
        """Whether every provider is on loopback, so that no real money or phone can be reached."""
        return all(map(_is_loopback, [self.at_base_url, self.mtn_base_url, self.wave_base_url]))

    @model_validator(mode="after")
    def _rows_stay_as_long_as_their_bodies(self) -> Self:
        if self.notice_row_days < self.notice_days:
            raise ValueError("NOTICE_ROW_DAYS is refused below NOTICE_DAYS: the raw messages would go first")
        return self

    @model_validator(mode="after")
    def _shift_only_in_a_pretend_world(self) -> Self:
        if self.clock_shift and not self.pretend_world:
            raise ValueError(
                "CLOCK_SHIFT is refused unless AT_BASE_URL, MTN_BASE_URL and WAVE_BASE_URL are on loopback"
            )
        return self


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def take_from(state_dir: Path) -> None:
    """Sets the environment variables that a running `make run` gave the product, in place of one's own.

    Raises SettingsError where `make run` does not run with this STATE_DIR.
    """
    try:
        values = json.loads((state_dir / RUNNING).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"Nothing runs in {state_dir}, so nothing was done: start `make run STATE_DIR={state_dir}` first."
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{state_dir / RUNNING} cannot be read ({type(error).__name__}), so nothing was done:"
            " use the login that started `make run`."
        ) from None
    os.environ.update(values)


def load() -> Settings:
    """The settings. Raises SettingsError with one line per wrong variable."""
    try:
        return Settings()  # type: ignore[call-arg]  # pydantic-settings fills the fields from the environment
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])).upper() or 'settings'}: {e['msg']}" for e in error.errors()]
        raise SettingsError("Cannot start, settings are missing or wrong:\n  " + "\n  ".join(lines)) from None
