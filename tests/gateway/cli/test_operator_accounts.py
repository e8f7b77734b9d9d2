"""`mutuelle account add`: credentials are sealed, and what cannot be added is refused with its reason."""

import json
from pathlib import Path

import pytest

from mutuelle import crypto
from tests.gateway.cli.world import Terminal
from tests.support import people
from tests.support.books import contents

GOOD = {"wave": people.CREDENTIALS["wave"], "mtn": people.CREDENTIALS["mtn"]}


def add(
    file: Path, mutuelle: str = "SN-TEST", operator: str = "wave", name: str = "SN-SECOND"
) -> tuple[str, ...]:
    return (
        "account",
        "add",
        "--mutuelle",
        mutuelle,
        "--operator",
        operator,
        "--name",
        name,
        "--credentials",
        str(file),
    )


@pytest.mark.parametrize(
    ("credentials", "where", "message"),
    [
        ("{", {}, "--credentials: the file is not JSON"),
        ("\udcff", {}, "--credentials: the file is not JSON"),
        ("[]", {}, "--credentials: the file holds no words by name"),
        ('{"api_key": 5}', {}, "--credentials: the file holds no words by name"),
        ('{"api_key": ""}', {}, "--credentials: the file holds no words by name"),
        ("{}", {}, "--credentials: 'api_key' is missing"),
        (
            '{"api_key": "k"}',
            {},
            "--credentials: signing_secrets or shared_secrets is missing; every callback would be",
        ),
        (
            '{"api_key": "k", "signing_secrets": " , "}',
            {},
            "--credentials: signing_secrets or shared_secrets is missing",
        ),
        (
            '{"api_user": "u", "api_key": "k"}',
            {"operator": "mtn"},
            "--credentials: 'subscription_key' is missing",
        ),
        (json.dumps(GOOD["wave"]), {"mutuelle": "SN-NONE"}, "there is no mutuelle SN-NONE"),
        (json.dumps(GOOD["wave"]), {"name": "ML-TEST"}, "there is an account ML-TEST already"),
    ],
)
def test_an_account_that_cannot_be_added_is_reported_with_the_reason_and_stores_nothing(
    shell: Terminal, tmp_path: Path, credentials: str, where: dict[str, str], message: str
) -> None:
    file = tmp_path / "credentials.json"
    file.write_bytes(credentials.encode("utf-8", "surrogateescape"))
    before = contents(shell.database)
    assert message in shell.refusal(*add(file, **where))
    assert contents(shell.database) == before


def test_an_unknown_operator_or_a_file_that_is_not_there_stores_nothing(
    shell: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "credentials.json"
    before = contents(shell.database)
    ran = shell.run(*add(file))
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "does not exist" in ran.stderr
    file.write_text(json.dumps(GOOD["wave"]))
    ran = shell.run(*add(file, operator="tamtam"))
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "'tamtam' is not one of 'mtn', 'wave'" in ran.stderr
    assert contents(shell.database) == before


def test_an_account_is_sealed_and_its_callback_address_printed_alone(shell: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(GOOD["wave"]))
    ran = shell.run(*add(file, name="SN-THIRD"))
    assert (ran.exit_code, ran.stderr) == (0, "")
    address = ran.stdout.removesuffix("\n")
    token = address.removeprefix("https://ussd.example.org/momo/wave/").removesuffix("/callback")
    assert len(token) >= 22
    assert "/" not in token
    with shell.database.superuser() as connection:
        row = connection.execute(
            "SELECT credentials, token_hash, currency FROM operator_accounts WHERE code = 'SN-THIRD'"
        )
        sealed, hashed, currency = row.fetchone()  # type: ignore[misc]  # there is one row
    assert (hashed, currency) == (crypto.token_hash(token), "XOF")
    assert crypto.open_credentials(sealed) == {**GOOD["wave"], "callback_token": token}
    values = "\n".join(row for rows in contents(shell.database).values() for row in rows)
    assert not [
        word for word in (*GOOD["wave"].values(), token) if word in values or word.encode().hex() in values
    ]
    assert "there is an account SN-THIRD already" in shell.refusal(*add(file, name="SN-THIRD"))
