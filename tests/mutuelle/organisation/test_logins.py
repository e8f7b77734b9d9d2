"""Passwords: their hashes are werkzeug's, and the ones stored before still verify."""

import pytest

from mutuelle.organisation import logins

PASSWORD = "correct-horse-battery"
OLD_HASH = (
    "scrypt$000102030405060708090a0b0c0d0e0f$8dbe678b11c1181fad20a165ac98489e2c8f1ff6ebb6c5710e993825cf98936a"
)


def test_a_hash_verifies_its_own_password_only(monkeypatch: pytest.MonkeyPatch) -> None:
    costs, *_ = logins.NO_PASSWORD.split("$")  # as in production; the other tests hash cheaply
    monkeypatch.setattr(logins, "METHOD", costs)
    stored = logins.hash_password(PASSWORD)
    assert stored.startswith("scrypt:32768:8:3$")
    assert logins.verify_password(PASSWORD, stored)
    assert not logins.verify_password(f"{PASSWORD}!", stored)


def test_a_hash_stored_before_werkzeug_still_verifies() -> None:
    assert logins.verify_password(PASSWORD, OLD_HASH)
    assert not logins.verify_password(f"{PASSWORD}!", OLD_HASH)
