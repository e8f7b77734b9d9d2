"""Logs hide telephone numbers, PINs, tokens and names."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from config import logs
from mutuelle import db
from tests.support import people
from tests.support.templates import Database

REFERENCE = "8d2e7b1e-8f0a-4a55-9f5e-12345678abcd"


@pytest.fixture
def as_before() -> Iterator[None]:
    """The logging of the test run, put back."""
    root = logging.getLogger()
    state = root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook
    yield
    root.handlers[:], level, logging.raiseExceptions, sys.excepthook = state
    root.setLevel(level)


def line(message: str, *values: object, error: BaseException | None = None) -> str:
    record = logging.LogRecord(
        "test", logging.ERROR, __file__, 1, message, values, (type(error), error, None) if error else None
    )
    return logs.LineFormatter().format(record)


CANARIES = [
    *(
        "+221774561237",
        "221774561237",
        "774561237",
        "77 456 12 37",
        "+221 77 456 12 37",
        "77-456-12-37",
        "77.456.12.37",
    ),
    *(
        "77\u00a0456\u00a012\u00a037",
        "77\u202f456\u202f12\u202f37",
        "%2B221774561237",
        "(+221) 77 456 12 37",
        "1234567890",
    ),
    *("1*1234", "1*2*1234", "*1234", "1234*", "1**1234", "*384*55*1234#", "1%2A1234", "1*774561237*1234"),
    *(
        "/ussd/africastalking/C4n4ry-t0ken",
        "/sms/africastalking/C4n4ry-t0ken/incoming",
        "/momo/wave/C4n4ry-t0ken/callback",
    ),
    *(
        "/momo/mtn/C4n4ry-t0ken/callback/" + REFERENCE,
        "/ussd/Other-2/C4n4ry-t0ken/events",
        "/momo/wave/C4n4ry-t0ken?x=1",
    ),
]
SEEN = (
    "774561237",
    "77 456",
    "456 12",
    "456.12",
    "456-12",
    "456\u00a012",
    "456\u202f12",
    "1234567890",
    "*1234",
    "1234*",
    "A1234",
    "C4n4ry",
)


@pytest.mark.parametrize("canary", CANARIES)
def test_nothing_of_a_canary_is_seen_in_a_line(canary: str) -> None:
    for output in (
        line("heard %s.", canary),
        line(f"heard {canary}"),
        line("failed", error=ValueError(f"text='{canary}'")),
    ):
        assert "\n" not in output
        assert not [
            part for part in SEEN if part in json.loads(output)["said"] + json.loads(output).get("trace", "")
        ]


def test_our_references_and_plain_figures_stay_readable() -> None:
    message = f"payment {REFERENCE}: 12 500 XOF, 3 tries, HTTP 503 in 1800 ms; +221774561237 {REFERENCE}"
    assert json.loads(line(message))["said"] == message.replace("+221774561237", "***")
    token = "0d2e7b1e-8f0a-4a55-9f5e-12345678abcd"
    assert (
        json.loads(line(f"/momo/mtn/{token}/callback/{REFERENCE}"))["said"]
        == f"/momo/mtn/***/callback/{REFERENCE}"
    )


def test_line_breaks_cannot_be_smuggled_in() -> None:
    output = line("heard %s", 'x\n{"level": "info"}\r\n')
    assert output.splitlines() == [output]


def test_a_long_line_is_cleaned_at_once() -> None:
    for words in ("7" * 20_000, "7*" * 10_000, "*" * 20_000, "7 " * 10_000, "%2a" * 7_000):
        assert len(line(words)) < 21_100


def test_a_name_the_database_refused_is_in_no_trace(database: Database, capsys, as_before: None) -> None:
    people.connect(database.url)
    world = people.settle_in()
    logs.set_up("INFO")
    named = {"name": "Awa Canary"}
    nameless = (
        "INSERT INTO members (tenant_id, id, household_id, kind, name)"
        " SELECT id, id, id, 'head', :name FROM tenants"
    )
    try:
        with db.transaction(db.Role.WORKER, world.senegal.tenant_id) as session:
            session.execute(text(nameless + " WHERE code = 'SN-TEST'"), named)
    except IntegrityError:
        logging.getLogger("workers").exception("row failed")
    db.disconnect()
    output = capsys.readouterr().err
    assert "NotNullViolation" in output
    assert "Canary" not in output


def test_uncaught_errors_are_masked_too() -> None:
    falls = (
        "from config import logs; logs.set_up('INFO'); import logging;"
        " logging.error('%d tries of +221774561237', 'x')\n"
    )
    falls += "raise ValueError('no answer to +221774561237')"
    run = subprocess.run([sys.executable, "-c", falls], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert json.loads(run.stderr)["said"] == "ends: ValueError"
    assert "no answer to ***" in run.stderr
    assert "774561237" not in run.stderr
