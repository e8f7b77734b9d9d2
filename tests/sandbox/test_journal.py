"""Tests that the journal survives a restart, even after a kill in the middle of a line."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.journal import DamagedJournal, Journal
from tests.sandbox.test_mtn import request_to_pay, status
from tests.sandbox.test_wave import approve, open_session, wave
from tests.sandbox.world import AWA, MUTESI, Product, Sandbox


def test_money_sessions_wallets_and_sms_survive_a_restart(start: Any, product: Product) -> None:
    before: Sandbox = start()
    paid, waiting = (
        open_session(before),
        open_session(before, client_reference="ref-2", restrict_payer_mobile=AWA),
    )
    approve(before, paid)
    reference, _ = request_to_pay(before, product)
    before.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": "approve"})
    form = {"username": "sandbox-demo", "to": AWA, "message": "Bonjour"}
    before.http.post("/africastalking/version1/messaging", data=form, headers={"apiKey": "at-key"})
    paths = ("/truth", f"/phones/{AWA}/sms", f"/phones/{AWA}/prompts", f"/phones/{AWA}")
    answers = [before.get(path) for path in paths]
    lines = wave(before, "GET", "/transactions").json()
    before.running.stop()

    after: Sandbox = start()
    assert [after.get(path) for path in paths] == answers
    assert wave(after, "GET", "/transactions").json() == lines
    assert wave(after, "GET", "/balance").json()["amount"] == "1000"
    assert wave(after, "GET", f"/checkout/sessions/{paid['id']}").json()["checkout_status"] == "complete"
    assert status(after, reference).json()["status"] == "SUCCESSFUL"
    matches = wave(after, "GET", "/checkout/sessions/search", params={"client_reference": "ref-2"}).json()[
        "result"
    ]
    assert [session["id"] for session in matches] == [waiting["id"]]
    approve(after, waiting)
    assert len(after.get("/truth")) == 3


def test_half_a_last_line_is_cut_off_and_a_damaged_one_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    assert journal.open() == 0
    journal.put(("t", "a", {"n": 1}), ("t", "b", {"n": 2}))
    journal.put(("t", "a", {"n": 3}))
    journal.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('[["t","c",{"n"')
    again = Journal(path)
    assert again.open() == 2
    assert again.rows("t") == [{"n": 3}, {"n": 2}]
    again.put(("t", "c", {"n": 4}))
    again.close()
    path.write_text("not ours\n" + path.read_text())
    with pytest.raises(DamagedJournal, match="line 1"):
        Journal(path).open()
