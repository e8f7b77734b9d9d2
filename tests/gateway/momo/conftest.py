"""Our adapters of MTN and Wave, connected to the stranger on loopback."""

import pytest

from gateway.momo.mtn import Mtn
from gateway.momo.wave import Wave
from tests.gateway.momo import mtn_world, wave_world


@pytest.fixture
def mtn(stranger, http):
    token = {"access_token": "one", "token_type": "access_token", "expires_in": 3600}
    stranger.answers[mtn_world.TOKEN] = (200, token)
    return Mtn(stranger.url, "mtnrwanda", mtn_world.KEYS, http)


@pytest.fixture
def wave(stranger, http):
    stranger.answers[wave_world.SEARCH] = (200, {"result": []})
    return Wave(stranger.url, {"api_key": "wave_sn_test"}, http)
