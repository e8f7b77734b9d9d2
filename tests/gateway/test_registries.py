"""Each registry names its adapters, which connect from settings and credentials alone."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from config.settings import Settings
from gateway import http_client
from gateway.momo import OPERATORS, connect
from gateway.sms import SMS
from gateway.ussd import USSD

TESTS = Path(__file__).parent.parent


@pytest.fixture
def settings(stranger):
    return Settings(
        database_url="postgresql://x",
        redis_url="redis://x",
        public_url="http://127.0.0.1:8000",
        secret_key="s" * 32,
        phone_key="p" * 32,
        at_username="mutuelle",
        at_api_key="k",
        at_base_url=stranger.url + "/at",
        mtn_base_url=stranger.url + "/mtn",
        mtn_target_environment="mtnbenin",
        wave_base_url=stranger.url + "/wave",
    )


def test_every_adapter_speaks_where_the_settings_say(settings, stranger):
    stranger.answers["POST", "/mtn/collection/token/"] = (200, {"access_token": "t", "expires_in": 3600})
    stranger.answers["GET", "/wave/v1/checkout/sessions/search"] = (200, {"result": []})
    stranger.answers["POST", "/at/version1/messaging"] = (
        201,
        {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}},
    )
    assert (
        connect("mtn", settings, {"api_user": "u", "api_key": "k", "subscription_key": "s"}).fetch_status(
            uuid4(), None
        )
        is None
    )
    assert connect("wave", settings, {"api_key": "k"}).fetch_status(uuid4(), None) is None
    assert not SMS["africastalking"].connect(settings).send(["+221770000001"], "x")[0].accepted
    assert (
        stranger.requests_to("GET", stranger.requests[1].path)[0].headers["x-target-environment"]
        == "mtnbenin"
    )
    assert len(stranger.requests) == 4
    http_client.shared_client().close()
    http_client._client_of.cache_clear()


def test_one_process_has_one_pool():
    assert http_client.shared_client() is http_client.shared_client()


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_operator_has_recorded_messages_and_states_how_payers_approve(operator):
    assert list((TESTS / "callbacks" / operator).glob("*.json"))
    assert OPERATORS[operator].approval in ("push", "link", "otp", "dial")
    assert OPERATORS[operator].give_up_s >= 60


def test_an_unknown_operator_or_a_missing_credential_is_a_key_error(settings):
    with pytest.raises(KeyError):
        connect("tamtam", settings, {})
    for operator in OPERATORS:
        with pytest.raises(KeyError):
            connect(operator, settings, {})


@pytest.mark.parametrize("gateway", sorted(USSD))
def test_the_longest_ussd_body_stays_under_the_ceiling_of_gsm(gateway):
    assert 0 < USSD[gateway].SEPTETS_MAX <= 182


def test_adapters_load_neither_web_nor_queue_nor_database_nor_the_pretend_world():
    code = "import sys, gateway.momo, gateway.sms, gateway.ussd; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"flask", "rq", "redis", "sqlalchemy", "sandbox", "psycopg"} & set(loaded)
