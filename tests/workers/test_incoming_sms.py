"""STOP, ARRET and OUI by SMS, in every mutuelle of the phone; receipts of payments still come."""

from urllib.parse import urlsplit

import pytest

from tests.support.people import AWA, BAKARY
from tests.workers.world import WorkerWorld


def writes(town: WorkerWorld, text: str, phone: str = AWA) -> None:
    """A phone sends us an SMS, and a worker reads it."""
    town.sandbox.post(f"/phones/{phone}/sms", {"to": "55055", "text": text})
    town.sandbox.quiet()
    while town.read_incoming_sms():
        pass


def inbox(town: WorkerWorld, phone: str = AWA) -> list[str]:
    while town.deliver():
        pass
    return [message["text"] for message in town.sandbox.get(f"/phones/{phone}/sms")]


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop. ", "ARRET", "arrêt!", "NON"])
def test_a_stop_ends_news_and_is_confirmed_once(town: WorkerWorld, word: str) -> None:
    town.joins()
    inbox(town)
    writes(town, word)
    writes(town, word)
    assert [message.kind for message in town.messages()] == ["welcome", "stopped"]
    assert len(inbox(town)) == 2


def test_words_that_wait_together_are_obeyed_in_the_order_they_came(town: WorkerWorld) -> None:
    town.joins()
    inbox(town)
    for word in ("STOP", "OUI", "STOP", "OUI", "STOP", "OUI", "STOP"):
        town.sandbox.post(f"/phones/{AWA}/sms", {"to": "55055", "text": word})
        town.sandbox.quiet()
    assert town.read_incoming_sms() >= 7
    kinds = ["welcome", *["stopped", "started"] * 3, "stopped"]
    assert [message.kind for message in town.messages()] == kinds


def test_after_a_stop_the_link_and_the_receipt_still_come_and_oui_brings_all_back(town: WorkerWorld) -> None:
    home = town.joins()
    writes(town, "STOP")
    town.asks(home)
    town.collect()
    assert any("/wave/c/cos-" in text for text in inbox(town))
    town.answers(home)
    town.read_callbacks()
    writes(town, "OUI")
    writes(town, "Oui")
    inbox(town)
    assert [message.kind for message in town.messages()] == [
        "welcome",
        "stopped",
        "link",
        "receipt",
        "started",
    ]
    assert {message.status for message in town.messages() if message.kind != "welcome"} <= {
        "accepted",
        "delivered",
    }


def test_a_stop_holds_in_every_mutuelle_of_the_phone(town: WorkerWorld) -> None:
    home = town.joins()
    mali = town.account_of(next(code for code in town.endpoints["momo"]["wave"] if code != home.account.code))
    town.joins(account=mali)
    writes(town, "STOP")
    assert {message.tenant_id for message in town.messages() if message.kind == "stopped"} == {
        home.account.tenant_id,
        mali.tenant_id,
    }


@pytest.mark.parametrize(("phone", "text"), [(AWA, "Bonjour, où payer ?"), (BAKARY, "merci")])
def test_other_sms_texts_are_kept_and_change_nothing(town: WorkerWorld, phone: str, text: str) -> None:
    town.joins()
    writes(town, text, phone)
    assert [notice.outcome for notice in town.notices()] == ["kept"]
    assert [message.kind for message in town.messages()] == ["welcome"]


@pytest.mark.parametrize(
    "body", [b"", b"id=1", b"\xff\xfe=%00", b"id=1&from=WAVE&to=55055&text=STOP&date=2026-11-22"]
)
def test_what_cannot_be_read_or_comes_from_no_phone_has_an_end(town: WorkerWorld, body: bytes) -> None:
    town.joins()
    for url in town.endpoints["sms"]["africastalking"].values():
        assert urlsplit(url).hostname == "127.0.0.1"
        assert town.sandbox.http.post(url, content=body).status_code == 200
    while town.read_incoming_sms():
        pass
    assert {notice.state for notice in town.notices() if notice.attempts} == {"done"}
    assert [message.kind for message in town.messages()] == ["welcome"]
