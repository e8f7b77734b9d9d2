"""The USSD endpoints (contract, HTTP).

A well-formed turn always gets a valid screen; any other request changes nothing.
"""

import json
from uuid import UUID

import pytest

from proving.stage.servers import Redis
from tests.gateway.hooks.world import EVENTS, SMS, USSD, WebWorld, screen
from tests.support.people import AWA, BAKARY, TOKEN

FORM = {
    "sessionId": "ATUid_x",
    "phoneNumber": AWA,
    "networkCode": "99999",
    "serviceCode": "*384*55#",
    "text": "",
}
EVENT = {
    "date": "2026-11-22 09:00:00",
    "sessionId": "ATUid_x",
    "phoneNumber": AWA,
    "networkCode": "99999",
    "serviceCode": "*384*55#",
    "status": "Incomplete",
    "cost": "KES 0.10",
    "durationInMillis": "9000",
    "hopsCount": "3",
    "input": "4071*4071",
    "lastAppResponse": "CON 40714071",
}


def stored(web: WebWorld) -> tuple[object, ...]:
    """Returns what a refused turn must leave as it was."""
    with web.cache() as cache:
        return (
            web.rows("SELECT count(*) FROM ussd_sessions"),
            web.rows("SELECT count(*) FROM notices"),
            sorted(cache.scan_iter()),
        )


@pytest.mark.parametrize(
    "path",
    [
        USSD + "x", USSD[:-1], USSD.upper(), "/ussd/africastalking", "/ussd/africastalking/",
        f"/ussd/{TOKEN}", f"/ussd/nobody/{TOKEN}", f"/ussd/wave/{TOKEN}", f"/ussd/africastalking/{TOKEN}-SN",
        f"{USSD}/events/x", f"{USSD}/", f"/ussd/africastalking/{'x' * 5000}", "/ussd/africastalking/%00%ff",
        "/ussd/africastalking/..%2f..%2fetc", f"{EVENTS}x", EVENTS.replace(TOKEN, "wrong"),
        "/", "/admin", "/ussd",
    ],
)  # fmt: skip
def test_an_unknown_address_is_404_and_stores_nothing(web: WebWorld, path: str):
    before = stored(web)
    answer = web.send("POST", path, data=FORM | EVENT)
    assert answer.status_code == 404
    assert len(answer.data) < 100
    assert stored(web) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
@pytest.mark.parametrize("path", [USSD, EVENTS, f"{SMS}/incoming"])
def test_another_method_is_405(web: WebWorld, method: str, path: str):
    assert web.send(method, path, data=FORM).status_code == 405


MALFORMED = {
    **{f"no {name}": {name: None} for name in ("sessionId", "phoneNumber", "serviceCode", "text")},
    **{f"empty {name}": {name: ""} for name in ("sessionId", "phoneNumber", "serviceCode")},
    "phone without +": {"phoneNumber": AWA[1:]},
    "phone with a space for its +": {"phoneNumber": " " + AWA[1:]},
    "phone in words": {"phoneNumber": "+22177000000a"},
    "phone in other digits": {"phoneNumber": "+٢٢١٧٧٠٠٠٠٠٠١"},
    "phone with a line after it": {"phoneNumber": AWA + "\n"},
    "phone too short": {"phoneNumber": "+2217"},
    "phone too long": {"phoneNumber": "+" + "2" * 16},
    "session too long": {"sessionId": "x" * 129},
    "code too long": {"serviceCode": "*" + "1" * 64},
    "network too long": {"networkCode": "9" * 17},
    "text over 1,000": {"text": "1*" * 501},
    "text of 2,000": {"text": "1" * 2000},
    **{
        f"control {ord(c):#x} in {name}": {name: f"1{c}1"}
        for c in "\0\n\r\t\x1b\x7f\x85"
        for name in ("text", "sessionId")
    },
}


@pytest.mark.parametrize("wrong", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_turn_is_400_and_touches_no_session(web: WebWorld, wrong: dict[str, str | None]):
    before = stored(web)
    answer = web.turn(**{"sessionId": "ATUid_bad", "text": "3", **wrong})
    assert answer.status_code == 400
    assert b"nothing was changed" in answer.data
    assert AWA[1:].encode() not in answer.data
    assert stored(web) == before


FORMS = "application/x-www-form-urlencoded"
BODY = "sessionId=ATUid_y&phoneNumber=%2B221770000001&serviceCode=*384*55%23&text="


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps(FORM), "application/json"), ("sessionId=x&" * 3, FORMS), ("", None), (BODY, None),
        (BODY, "text/plain"), (f"sessionId=ATUid_y&{BODY}", FORMS), (f"{BODY}1&text=1*2", FORMS),
        (BODY.replace("%2B", "+"), FORMS), ("<xml/>", "text/xml"),
        ("--x\r\n", "multipart/form-data; boundary=x"), ("--x\r\n", "multipart/form-data"),
    ],
)  # fmt: skip
def test_what_is_not_the_gateways_form_is_400(web: WebWorld, body: str, kind: str | None):
    before = stored(web)
    assert web.send("POST", USSD, data=body.encode(), content_type=kind).status_code == 400
    assert stored(web) == before


@pytest.mark.parametrize("path", [USSD, EVENTS, f"{SMS}/incoming", f"{SMS}/delivery"])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 2**20])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", None])
def test_a_body_over_64_kb_is_413(web: WebWorld, path: str, size: int, kind: str | None):
    before = stored(web)
    assert web.send("POST", path, data=b"text=" + b"1" * (size - 5), content_type=kind).status_code == 413
    assert stored(web) == before


ODD = [
    "😀",
    "ÿ",
    "\u202e",
    "\ufffe",
    "'",
    '"',
    "';DROP TABLE households;--",
    "<script>alert(1)</script>",
    "%s%d%n",
    "{mutuelle}",
    "{0}",
    "%(x)s",
    "\\x00",
    "1 OR 1=1",
    "ⅷ",
    "٣",
    "１",
    "²",
    " ",
    "#",
    "+",
    "-1",
    "1e9",
    "9" * 400,
    "*" * 500,
    "1*" * 500,
    "ç" * 900,
    "é" * 1000,
    "3*1*1*2*1*٨٠٨٥١٢",
    "*3",
    "**",
    "3**1",
    "null",
    "undefined",
    "NaN",
]


@pytest.mark.parametrize("text", ODD)
def test_unusual_but_legal_requests_get_a_valid_screen(web: WebWorld, text: str):
    for typed in (text, f"3*{text}", f"3*1*{text}", f"3*1*1*2*1*{text}", f"2*{text}"):
        if len(typed) <= 1000:
            assert web.turn(typed).status_code == 200
    session = f"ATUid_{abs(hash(text))}"
    assert web.turn("", session).data.startswith(b"CON ")
    if len(text) <= 1000:
        web.turn(text, session)


def test_strange_session_ids_are_sessions_like_others(web: WebWorld):
    for session in ("😀", "a b", "../..", "'; --", "%", "x" * 128, "ATUid_x:y", "{}"):
        assert b"1. Ma couverture" in web.turn("", session).data
        assert b"Nous gardons" in web.turn("3", session).data
        assert screen(web.turn("3", session)) == screen(web.turn("3", session))


def test_the_network_code_may_be_absent_and_a_leading_star_is_tolerated(web: WebWorld):
    assert web.turn("", networkCode=None).data.startswith(b"CON Mutuelle SN")
    assert screen(web.turn("*3", networkCode="")) == screen(web.turn("3"))


@pytest.mark.parametrize(
    "code", ["*384*99#", "*384*5#", "*384*55", "384*55#", "#", "*384*555#", "*384*55*", "😀"]
)
def test_a_code_without_a_mutuelle_gets_a_polite_end(web: WebWorld, code: str):
    assert screen(web.turn("", serviceCode=code)).startswith("END Ce code n'est pas en service")


def test_each_code_is_its_own_mutuelle(web: WebWorld):
    for code, name in (("*384*55#", "SN"), ("*384*56#", "RW"), ("*384*57#", "ML")):
        assert screen(web.turn("", serviceCode=code)).startswith(f"CON Mutuelle {name}")
        assert "1. Oui, j'accepte" in screen(web.turn("", serviceCode=code.replace("#", "*3#")))


def test_a_session_of_another_phone_ends_politely_and_stays_as_it_was(web: WebWorld):
    web.turn("", "ATUid_two")
    web.turn("3", "ATUid_two")
    assert screen(web.turn("3*1", "ATUid_two", phoneNumber=BAKARY)).startswith(
        "END Désolé, la session est perdue"
    )
    assert "Votre ménage" in screen(web.turn("3*1", "ATUid_two"))


def set_scheme(web: WebWorld, session: str, scheme: str) -> None:
    query = "UPDATE ussd_sessions SET opening = opening || %s::jsonb WHERE foreign_id = %s"
    web.change(query, json.dumps({"scheme": scheme}), session)


def test_what_breaks_inside_is_a_polite_end_and_the_session_stays_as_it_was(web: WebWorld):
    for text in ("", "3"):
        web.turn(text, "ATUid_broken", serviceCode="*384*57#")
    set_scheme(web, "ATUid_broken", "GONE")
    with web.cache() as cache:
        cache.flushall()
    for text in ("3*1", "3*1*1", "3*1*1*1*0*85*1"):
        assert screen(web.turn(text, "ATUid_broken", serviceCode="*384*57#")).startswith(
            "END Le service est indisponible"
        )
    set_scheme(web, "ATUid_broken", "ML-5050")
    assert "Votre ménage" in screen(web.turn("3*1", "ATUid_broken", serviceCode="*384*57#"))


OLD_FORM = {"gateway_id": str(UUID(int=1)), "tenant_id": str(UUID(int=2)), "cached": {}}


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"{", b"[]", b"null", b'"x"', b'{"gateway_id": "x"}', b"\xff\xfe", b'{"cached": {}}'),
        json.dumps(OLD_FORM).encode(),
    ],
)
def test_a_cache_that_cannot_be_read_is_a_lost_cache(web: WebWorld, garbage: bytes):
    session = f"ATUid_garbage{garbage.hex()[:99]}"
    web.turn("", session)
    web.turn("3", session)
    with web.cache() as cache:
        for key in cache.scan_iter():
            cache.set(key, garbage)
        assert "Votre ménage" in screen(web.turn("3*1", session))
        cache.flushall()


def test_without_the_database_a_turn_is_a_polite_end_and_a_report_503(web: WebWorld):
    web.turn("", "ATUid_down")
    with web.no_database():
        assert "indisponible" in screen(web.turn("", "ATUid_down2"))
        # A turn that does not act needs no database.
        assert screen(web.turn("3", "ATUid_down")).startswith("CON Nous gardons")
        assert screen(web.turn("3*1*1*2*1*808512", "ATUid_down")).startswith("CON 3 personnes, pour 1 an")
        assert "indisponible" in screen(web.turn("3*1*1*2*1*808512*1", "ATUid_down"))
        assert web.send("POST", EVENTS, data=EVENT).status_code == 503
    assert screen(web.turn("3*1*1*2*1*808512*1", "ATUid_down")).startswith("END Bienvenue")


def test_without_redis_every_turn_is_answered(web: WebWorld, redis_server: Redis):
    redis_server.stop()
    try:
        for text in ("", "3", "3*1", "3*1*1", "3*1*1*1", "3*1*1*1*0", "3*1*1*1*0*85"):
            shown = screen(web.turn(text, "ATUid_dark", phoneNumber=BAKARY))
        assert shown.startswith("CON 1 personne, pour 1 an")
        assert screen(web.turn("3*1*1*1*0*85*1", "ATUid_dark", phoneNumber=BAKARY)).startswith(
            "END Bienvenue"
        )
    finally:
        redis_server.start()


def test_an_event_is_kept_with_its_session_by_an_allow_list(web: WebWorld):
    web.turn("", "ATUid_end", phoneNumber="+221770000031")
    event = EVENT | {"sessionId": "ATUid_end", "phoneNumber": "+221770000031"}
    for status in ("Incomplete", "Success", "SomethingNew"):
        assert web.send("POST", EVENTS, data=event | {"status": status}).status_code == 200
    ((report,),) = web.rows("SELECT report FROM ussd_sessions WHERE foreign_id = 'ATUid_end'")
    assert (report["status"], report["hops"], "4071" in json.dumps(report)) == ("SomethingNew", 3, False)
    other_phone = event | {"phoneNumber": BAKARY, "status": "Failed"}
    assert web.send("POST", EVENTS, data=other_phone).status_code == 200
    assert web.rows("SELECT report ->> 'status' FROM ussd_sessions WHERE foreign_id = 'ATUid_end'") == [
        ("SomethingNew",)
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sessionId": ""}, {"phoneNumber": "221"}, {"status": ""}, {"date": "yesterday"}, {"hopsCount": "-1"},
        {"hopsCount": "1e3"}, {"durationInMillis": "9" * 13}, {"cost": "x" * 41}, {"status": "x" * 41},
        {"status": "a\0b"}, {"serviceCode": ""},
    ],
)  # fmt: skip
def test_a_malformed_event_is_400_and_changes_nothing(web: WebWorld, wrong: dict[str, str]):
    before = stored(web)
    assert web.send("POST", EVENTS, data=EVENT | wrong).status_code == 400
    assert stored(web) == before
