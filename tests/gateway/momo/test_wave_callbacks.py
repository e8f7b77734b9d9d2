"""Wave's callbacks: the origin is checked first, then the event is read; it raises nothing but Malformed."""

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.momo import OPERATORS, wave_list
from mutuelle.errors import Malformed
from tests.gateway.momo.wave_world import NOW, RECORDED, REF, recorded

NEW = "new_secret"
SECRETS = {"api_key": "x", "signing_secrets": f"old_secret, {NEW}"}
EVENT = (RECORDED / "event_session_completed.json").read_bytes()


def signed(body, secret=NEW, at=NOW, stamp=None):
    stamp = str(int(at.timestamp())) if stamp is None else stamp
    return f"t={stamp},v1={hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()}"


def hint(body, signature=None, secrets=SECRETS, **headers):
    if signature is not None:
        headers["Wave-Signature"] = signature
    return OPERATORS["wave"].read_callback(body, headers, secrets, NOW)


@pytest.mark.parametrize(
    ("name", "ours", "unsolicited"),
    [
        ("event_session_completed", True, False),
        ("event_payment_failed", True, False),
        ("event_session_without_reference", False, False),
        ("event_payment_received", False, True),
        ("event_b2b_payment_received", False, True),
        ("event_b2b_payment_failed", False, False),
        ("event_test", False, False),
        ("event_of_a_new_type", False, False),
    ],
)
def test_every_recorded_event_is_understood(name, ours, unsolicited):
    body = (RECORDED / f"{name}.json").read_bytes()
    result = hint(body, signed(body))
    assert (result.authentic, result.unsolicited) == (True, unsolicited)
    assert result.our_ref == (str(REF) if ours else None)


def test_both_secrets_hold_during_a_rotation_and_any_of_several_marks_may_fit():
    assert hint(EVENT, signed(EVENT, "old_secret")).authentic
    both = signed(EVENT, "forgotten") + "," + signed(EVENT, "new_secret").split(",")[1]
    assert hint(EVENT, both).authentic
    assert hint(EVENT, None, **{"wave-signature": signed(EVENT)}).authentic


def test_a_signature_is_good_for_five_minutes_either_way():
    for seconds, authentic in ((300, True), (-300, True), (301, False), (-301, False)):
        assert hint(EVENT, signed(EVENT, at=NOW - timedelta(seconds=seconds))).authentic is authentic


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "t=,v1=",
        "v1=00",
        signed(EVENT, "forgotten"),
        signed(EVENT).replace("v1", "v0"),
        signed(EVENT).upper(),
        signed(EVENT) + ",t=1",
        signed(EVENT, stamp="²"),
        signed(EVENT, stamp="9" * 13),
        "t=1,v1=" + "é" * 64,
        "\ud800",
    ],
)
def test_a_doubtful_origin_is_not_believed(signature):
    result = hint(EVENT, signature)
    assert (result.authentic, result.our_ref, result.unsolicited) == (False, None, False)


def test_one_flipped_bit_anywhere_breaks_the_signature():
    signature = signed(EVENT)
    for at in range(0, len(EVENT), 7):
        flipped = bytearray(EVENT)
        flipped[at] ^= 1
        assert hint(bytes(flipped), signature).authentic is False
    stamp, mark = signature.split(",")
    for at in range(len("v1="), len(mark)):
        changed = mark[:at] + ("0" if mark[at] != "0" else "1") + mark[at + 1 :]
        assert hint(EVENT, f"{stamp},{changed}").authentic is False


def test_without_secrets_nothing_is_genuine():
    for secrets in ({}, {"signing_secrets": ""}, {"signing_secrets": " , "}):
        assert hint(EVENT, signed(EVENT, ""), secrets).authentic is False
        assert hint(EVENT, None, secrets, Authorization="Bearer ").authentic is False


def test_the_shared_secret_strategy():
    secrets = {"shared_secrets": "was,is"}
    assert hint(EVENT, None, secrets, Authorization="Bearer is").authentic
    assert hint(EVENT, None, secrets, authorization="Bearer was").authentic
    assert not hint(EVENT, None, secrets, Authorization="Bearer will").authentic
    assert not hint(EVENT, None, secrets, Authorization="is").authentic


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":"EV_1"}',
        b'{"id":"EV_1","type":"x"}',
        b'{"id":"E V","type":"x","data":{}}',
        b"[" * 50_000,
        b"\xff",
    ],
)
def test_a_genuine_message_of_another_shape_is_malformed_and_a_forged_one_is_only_forged(body):
    with pytest.raises(Malformed):
        hint(body, signed(body))
    assert hint(body, signed(body, "forged")).authentic is False


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["checkout.session.completed", str(REF)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.just("client_reference"), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["id", "type", "data"]), ANY),
    st.binary(max_size=60),
    st.text(max_size=60),
)
def test_the_reader_raises_no_error_but_malformed(changes, noise, signature):
    for body in (json.dumps({**json.loads(EVENT), **changes}).encode(), noise):
        for mark in (signed(body), signature):
            with suppress(Malformed):
                hint(body, mark)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(recorded("transactions")["items"][5])), ANY))
def test_any_line_is_understood_or_refused(changes):
    line = {**recorded("transactions")["items"][5], **changes}
    info = {"end_cursor": "x", "has_next_page": False}
    page = wave_list.read_page({"page_info": info, "items": [line]}, lambda session_id: None)
    assert len(page.movements) + len(page.unreadable) <= 1
    for movement in page.movements:
        assert movement.amount.units > 0
        assert movement.transaction
