"""`mutuelle verify --balance` compares each wallet with its operator, where that answers."""

import json
from typing import Any

import pytest

from tests.gateway.cli.world import Terminal
from tests.gateway.conftest import Stranger

BOOKED = 2_000 - 20 + 500 + 10_500 - 100  # T1 less its fee, T2, T5, less T6; T4 took T3 back
BALANCE = ("GET", "/v1/balance")


def compare(shell: Terminal, stranger: Stranger) -> tuple[int, str, dict[str, dict[str, Any]]]:
    """Returns the exit code, standard error, and the results by account."""
    urls = {"WAVE_BASE_URL": stranger.url, "MTN_BASE_URL": stranger.url}
    ran = shell.run("verify", "--balance", "--json", **urls)
    return ran.exit_code, ran.stderr, {row["account"]: row for row in json.loads(ran.stdout)["balances"]}


def test_equal_balances_are_equal(shell: Terminal, stranger: Stranger) -> None:
    stranger.answers[BALANCE] = (200, {"amount": str(BOOKED), "currency": "XOF"})
    _, _, rows = compare(shell, stranger)
    assert rows["SN-TEST"] == {
        "account": "SN-TEST",
        "operator": "wave",
        "currency": "XOF",
        "booked": BOOKED,
        "answer": BOOKED,
        "result": "equal",
    }


@pytest.mark.parametrize(
    ("answer", "difference"), [("12879", "-1 FCFA"), ("0", "-12 880 FCFA"), ("13880", "1 000 FCFA")]
)
def test_a_difference_is_named_and_exits_with_1(
    shell: Terminal, stranger: Stranger, answer: str, difference: str
) -> None:
    stranger.answers[BALANCE] = (200, {"amount": answer, "currency": "XOF"})
    code, message, rows = compare(shell, stranger)
    assert (code, rows["SN-TEST"]["answer"]) == (1, int(answer))
    assert rows["SN-TEST"]["result"].endswith(f"difference {difference}")
    assert "BROKEN I15 account" in message


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (200, b"no"),
        (200, {"amount": "12.5", "currency": "XOF"}),
        (200, {"amount": None, "currency": "XOF"}),
        (200, {"amount": "", "currency": "XOF"}),
        (200, {"amount": "0", "currency": "EUR"}),
        "drop",
    ],
)
def test_without_an_answer_that_can_be_read_nothing_is_compared(
    shell: Terminal, stranger: Stranger, answer: Any
) -> None:
    stranger.answers[BALANCE] = answer
    code, message, rows = compare(shell, stranger)
    assert (code, message) == (0, "")
    assert {row["result"].partition(":")[0] for row in rows.values()} == {"not compared"}


def test_another_currency_is_a_difference(shell: Terminal, stranger: Stranger) -> None:
    stranger.answers[BALANCE] = (200, {"amount": str(BOOKED), "currency": "XAF"})
    code, _, rows = compare(shell, stranger)
    assert (code, "XAF" in rows["SN-TEST"]["result"]) == (1, True)


def test_mtn_is_asked_too(shell: Terminal, stranger: Stranger) -> None:
    stranger.answers["POST", "/collection/token/"] = (200, {"access_token": "t", "expires_in": 3600})
    stranger.answers["GET", "/collection/v1_0/account/balance"] = (
        200,
        {"availableBalance": "7", "currency": "RWF"},
    )
    code, _, rows = compare(shell, stranger)
    assert (code, rows["RW-TEST"]["booked"], rows["RW-TEST"]["answer"]) == (1, 0, 7)


def test_verify_without_the_option_compares_no_balance(shell: Terminal) -> None:
    assert "balances" not in shell.json("verify")
