"""Africa's Talking USSD: a well-formed request is read, any other is refused and never repaired."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ussd import USSD, africastalking
from gateway.ussd.call import UssdRequest
from mutuelle.errors import Malformed

TURN = {
    "sessionId": "ATUid_0a1b",
    "phoneNumber": "+221770000001",
    "networkCode": "99999",
    "serviceCode": "*384*55#",
    "text": "1*2",
}
EVENT = {
    "date": "2026-11-21 10:00:05",
    "sessionId": "ATUid_0a1b",
    "serviceCode": "*384*55#",
    "networkCode": "99999",
    "phoneNumber": "+221770000001",
    "status": "Incomplete",
    "cost": "KES 0.10",
    "durationInMillis": "42000",
    "hopsCount": "3",
    "hopsMetadata": "home|Awa Diop",
    "input": "1*4821",
    "lastAppResponse": "END Awa, 5000 FCFA",
    "errorMessage": "bad response: Awa",
}


def test_a_turn_is_read_whole():
    request = africastalking.read(TURN.items())
    assert request == UssdRequest("ATUid_0a1b", "+221770000001", "*384*55#", "1*2")


def test_a_network_code_may_be_absent_and_the_first_text_empty():
    first = {**TURN, "text": ""}
    del first["networkCode"]
    assert africastalking.read(first.items()).text == ""


@pytest.mark.parametrize("text", ["*1*Awa", "1**", "1*", "#", "é" * 1000])
def test_a_strange_transcript_passes_as_it_came(text):
    assert africastalking.read({**TURN, "text": text}.items()).text == text


@pytest.mark.parametrize("missing", ["sessionId", "phoneNumber", "serviceCode", "text"])
def test_a_missing_field_is_malformed(missing):
    with pytest.raises(Malformed):
        africastalking.read((name, value) for name, value in TURN.items() if name != missing)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phoneNumber", "221770000001"),
        ("phoneNumber", " 221770000001"),
        ("phoneNumber", "+221770000001\n"),
        ("phoneNumber", "+22177000000111111"),
        ("phoneNumber", "+2217700x0001"),
        ("phoneNumber", "+٢٢١٧٧٠٠٠٠٠٠١"),
        ("phoneNumber", ""),
        ("sessionId", ""),
        ("sessionId", "s" * 129),
        ("sessionId", "a\x00b"),
        ("serviceCode", ""),
        ("serviceCode", "*" * 65),
        ("text", "1" * 1001),
        ("text", "1\x00"),
        ("text", "1\n2"),
        ("text", "\x7f"),
        ("text", "\x85"),
        ("text", "\ud800"),
        ("networkCode", "9" * 17),
    ],
)
def test_a_bad_field_is_malformed(name, value):
    with pytest.raises(Malformed):
        africastalking.read({**TURN, name: value}.items())


def test_a_field_that_comes_twice_is_malformed():
    with pytest.raises(Malformed):
        africastalking.read([*TURN.items(), ("text", "1*2*9")])


def test_nothing_private_is_printed():
    request = africastalking.read({**TURN, "text": "1*4821"}.items())
    assert "4821" not in repr(request)
    assert "221770000001" not in repr(request)
    with pytest.raises(Malformed) as refused:
        africastalking.read({**TURN, "phoneNumber": "221770000001"}.items())
    assert "770000001" not in str(refused.value)


def test_answers_begin_with_the_word_the_gateway_waits_for():
    assert africastalking.write("1 Payer", open=True) == "CON 1 Payer"
    assert africastalking.write("Merci", open=False) == "END Merci"


def test_the_end_of_a_session_keeps_only_the_allow_list():
    event = africastalking.read_event(EVENT.items())
    assert event.at == datetime(2026, 11, 21, 10, 0, 5, tzinfo=UTC)
    assert (event.status, event.duration_ms, event.hops, event.cost) == ("Incomplete", 42000, 3, "KES 0.10")
    for secret in ("4821", "Awa", "5000", "221770000001"):
        assert secret not in repr(event)
    assert "4821" not in str(vars(event))


def test_an_unknown_ending_is_kept_and_optional_fields_may_miss():
    bare = {name: EVENT[name] for name in ("sessionId", "serviceCode", "phoneNumber")}
    event = africastalking.read_event({**bare, "status": "Vanished"}.items())
    assert (event.status, event.at, event.hops, event.duration_ms) == ("Vanished", None, None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "yesterday"),
        ("date", "0001-01-01T00:00:00+23:00"),
        ("hopsCount", "-1"),
        ("hopsCount", "²"),
        ("status", ""),
    ],
)
def test_a_bad_ending_is_malformed(name, value):
    with pytest.raises(Malformed):
        africastalking.read_event({**EVENT, name: value}.items())


@pytest.mark.parametrize(
    ("service_code", "expected"),
    [
        ("*384*55#", ("*384*55#", "")),
        ("*384*55*2*1#", ("*384*55#", "2*1")),
        ("*384*55*2#", ("*384*55#", "2")),
        ("*384*551#", ("*384#", "551")),
        ("*384#", ("*384#", "")),
        ("*384*56*1#", ("*384*56#", "1")),
        ("*385#", None),
        ("*384*55*1", None),
        ("", None),
    ],
)
def test_the_longest_known_code_was_dialled(service_code, expected):
    assert africastalking.match_code(service_code, ["*384#", "*384*55#", "*384*56#"]) == expected


NAMES = st.sampled_from([*EVENT, "text", "other"])
FORMS = st.lists(
    st.tuples(NAMES, st.one_of(st.text(), st.sampled_from([*EVENT.values(), "1*2"]))), max_size=16
)


@settings(deadline=None)
@given(FORMS)
def test_readers_raise_no_error_but_malformed(pairs):
    for reader in (USSD["africastalking"].read, USSD["africastalking"].read_event):
        with suppress(Malformed):
            reader(pairs)


@settings(deadline=None)
@given(st.text(), st.lists(st.text(max_size=12)))
def test_the_parts_of_any_dialled_code_make_the_whole(service_code, codes):
    match = africastalking.match_code(service_code, codes)
    if match and match[1]:
        assert match[0].removesuffix("#") + "*" + match[1] + "#" == service_code
