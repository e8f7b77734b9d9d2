"""What a web process holds besides the database: settings, caches, doorbell and target populations."""

from dataclasses import dataclass

from flask import current_app
from redis import Redis

from config.settings import Settings
from gateway.doorbell import Doorbell
from gateway.session_cache import ANSWER_S, Sessions
from gateway.token_cache import TokenCache
from mutuelle.reports import targets
from mutuelle.reports.targets import TargetPopulations


@dataclass(frozen=True)
class Services:
    """One instance per process, made at start."""

    settings: Settings
    redis: Redis
    sessions: Sessions
    doorbell: Doorbell
    tokens: TokenCache
    targets: TargetPopulations


def open_services(settings: Settings) -> Services:
    """Makes the services of this process. Redis is connected at the first command."""
    redis = Redis.from_url(settings.redis_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)
    sessions = Sessions(redis, session_s=settings.ussd_session_s, draft_s=settings.draft_s)
    return Services(
        settings, redis, sessions, Doorbell(redis), TokenCache(), targets.load(settings.targets_file)
    )


def services() -> Services:
    """The services of the current application."""
    application_services: Services = current_app.extensions["mutuelle"]
    return application_services
