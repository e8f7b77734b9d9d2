"""MTN's callbacks trigger a query and prove nothing; the reader raises nothing but Malformed."""

import json
from contextlib import suppress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.momo import OPERATORS
from gateway.momo.mtn import Mtn
from mutuelle.errors import Malformed, Unavailable
from mutuelle.payments.operators import Status
from tests.gateway.momo.mtn_world import KEYS, NOW, RECORDED, REF, recorded


def hint(body):
    return OPERATORS["mtn"].read_callback(body, {}, {}, NOW)


def test_every_recorded_callback_triggers_the_query_of_our_reference():
    hints = [hint(path.read_bytes()) for path in RECORDED.glob("*.json")]
    assert {callback.our_ref for callback in hints} == {str(REF)}
    assert {callback.authentic for callback in hints} == {None}
    assert not any(callback.unsolicited for callback in hints)


def test_a_callback_may_name_only_the_transaction_or_a_reference_that_is_not_ours():
    assert hint(b'{"status":"SUCCESSFUL","financialTransactionId":"23503452"}').our_ref is None
    assert hint(b'{"status":"SUCCESSFUL","externalId":"order-123"}').our_ref is None
    assert hint(json.dumps({"status": "FAILED", "externalId": str(REF).upper()}).encode()).our_ref == str(REF)


BAD = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{}",
    b'{"status":"FAILED"}',
    b'{"status":1,"externalId":"x"}',
    b"\xff\xfe",
    b"[" * 50_000,
    b"a=1&b=2",
]


@pytest.mark.parametrize("body", BAD)
def test_a_callback_of_another_shape_is_malformed(body):
    with pytest.raises(Malformed):
        hint(body)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["SUCCESSFUL", "FAILED", str(REF), "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from([*recorded("successful"), "reason"])


@settings(deadline=None)
@given(st.dictionaries(FIELDS, ANY), st.binary(max_size=50))
def test_the_reader_raises_no_error_but_malformed(changes, noise):
    for body in (
        json.dumps(changes).encode(),
        json.dumps({**recorded("successful"), **changes}).encode(),
        noise,
    ):
        with suppress(Malformed):
            hint(body)


@settings(deadline=None)
@given(st.dictionaries(FIELDS, ANY))
def test_any_answer_is_understood_or_refused(changes):
    payload = {**recorded("successful"), **changes}

    def answer(request):
        changes = (
            {"access_token": "one", "expires_in": 3600} if request.url.path.endswith("/token/") else payload
        )
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(changes).encode()))

    with httpx.Client(transport=httpx.MockTransport(answer)) as http, suppress(Malformed, Unavailable):
        standing = Mtn("http://mtn", "mtnrwanda", KEYS, http).fetch_status(REF, None)
        assert (standing.movement is not None) == (standing.status is Status.CONFIRMED)
