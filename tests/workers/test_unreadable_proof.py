"""Money that the operator proves in an answer we cannot read is neither called failed nor asked for again."""

from typing import Any

import pytest

from mutuelle.errors import Refused
from mutuelle.payments.payments import Payment
from tests.workers.test_missed_lists import open_flags
from tests.workers.world import Home, WorkerWorld


def asked_and_paid(town: WorkerWorld, operator: str) -> tuple[Home, Payment, dict[str, Any]]:
    """Awa's household pays 3 000; no callback comes. Returns the row at the sandbox, which a test spoils."""
    home = town.joins(operator)
    payment = town.asks(home)
    town.collect()
    town.faults(drop=1)
    town.answers(home, quiet=False)
    world = town.sandbox.running.world
    if operator == "mtn":
        mtn_row = world.mtn.find(home.account.code, str(payment.ref))
        assert mtn_row is not None
        return home, payment, mtn_row
    (row,) = world.wave.by_reference(home.account.code, str(payment.ref))
    return home, payment, row


def work_for(town: WorkerWorld, seconds: int, step_s: int = 900) -> None:
    """Passes time and does the worker's work without the transaction list, which may prove the money, too."""
    for _ in range(seconds // step_s):
        town.pass_time(step_s)
        town.read_callbacks()
        town.collect()
        town.poll()


UNREADABLE = [
    ("mtn", {"amount": "3 000"}),
    ("mtn", {"amount": 3000.5}),
    ("mtn", {"amount": None}),
    ("mtn", {"currency": "FRW"}),
    ("mtn", {"externalId": "another"}),
    ("mtn", {"financialTransactionId": {"id": 1}}),
    ("wave", {"amount": "3000,00"}),
    ("wave", {"transaction_id": None}),
    ("wave", {"when_completed": "yesterday"}),
    ("wave", {"client_reference": None}),
]


@pytest.mark.parametrize(("operator", "spoilt"), UNREADABLE)
def test_proven_money_that_cannot_be_read_stays_unknown_until_it_can(
    town: WorkerWorld, operator: str, spoilt: dict[str, Any]
) -> None:
    home, payment, row = asked_and_paid(town, operator)
    good = {name: row.get(name) for name in spoilt}
    row.update(spoilt)
    work_for(town, 2 * 3_600)
    assert (town.status(payment), town.parts()) == ("unknown", {})
    assert open_flags(town) == [("unreadable", f"payment:{payment.ref}")]
    assert [kind for kind in town.sms() if kind != "link"] == []
    with pytest.raises(Refused, match=r"pay\.pending"):
        town.asks(home, key="second")
    work_for(town, 6 * 86_400, 43_200)
    assert town.status(payment) == "unknown", "also long after we stop asking about others"
    row.update(good)
    work_for(town, 3_600)
    assert (town.status(payment), town.parts(), open_flags(town)) == ("confirmed", {"bill": 3_000}, [])
    assert [kind for kind in town.sms() if kind != "link"] == ["receipt"]


@pytest.mark.parametrize("amount", ["3000.0", "3000.00", 3000, 3000.0])
@pytest.mark.parametrize("operator", ["mtn", "wave"])
def test_an_amount_in_another_form_is_read(town: WorkerWorld, operator: str, amount: object) -> None:
    _, payment, row = asked_and_paid(town, operator)
    row["amount"] = amount
    work_for(town, 900)
    assert (town.status(payment), town.parts(), town.flags()) == ("confirmed", {"bill": 3_000}, [])


def test_a_failing_query_after_the_proof_does_not_make_the_payment_expire(town: WorkerWorld) -> None:
    _, payment, row = asked_and_paid(town, "mtn")
    row["amount"] = "3 000"
    work_for(town, 900)
    town.faults(http_500=1, drop=1)
    work_for(town, 2 * 3_600)
    assert (town.status(payment), town.sms()) == ("unknown", [])
    town.faults(drop=1)
    row["amount"] = "3000"
    work_for(town, 3_600)
    assert (town.status(payment), town.parts()) == ("confirmed", {"bill": 3_000})


def test_a_failure_after_the_proof_is_a_contradiction(town: WorkerWorld) -> None:
    _, payment, row = asked_and_paid(town, "mtn")
    row["amount"] = "3 000"
    work_for(town, 900)
    row["status"] = "FAILED"
    work_for(town, 3_600)
    assert (town.status(payment), town.sms()) == ("unknown", [])
    assert [kind for kind, _ in open_flags(town)] == ["contradiction", "unreadable"]
    row.update(status="SUCCESSFUL", amount="3000")
    work_for(town, 3_600)
    assert (town.status(payment), town.parts()) == ("confirmed", {"bill": 3_000})


def test_a_proof_that_comes_by_callback_after_a_failure_is_asked_about_until_it_is_read(
    town: WorkerWorld,
) -> None:
    _, payment, row = asked_and_paid(town, "mtn")
    good = dict(row)
    row.update(status="FAILED", reason="INTERNAL_PROCESSING_ERROR")
    work_for(town, 900)
    assert (town.status(payment), town.tasks("poll")[0].state) == ("failed", "done")
    row.update(good, amount="3 000")
    body = f'{{"externalId": "{payment.ref}", "status": "SUCCESSFUL"}}'.encode()
    assert town.calls_back("mtn", body) == 202
    work_for(town, 900)
    assert (town.status(payment), town.tasks("poll")[0].state) == ("failed", "waiting")
    row["amount"] = "3000"
    work_for(town, 3_600)
    assert (town.parts(), [kind for kind, _ in open_flags(town)]) == ({"bill": 3_000}, ["contradiction"])
    assert town.tasks("poll")[0].state == "done"


def test_the_list_reads_what_the_session_does_not_say(town: WorkerWorld) -> None:
    _, payment, row = asked_and_paid(town, "wave")
    row["amount"] = "3000,00"
    work_for(town, 900)
    assert town.status(payment) == "unknown"
    town.pull()
    assert (town.status(payment), town.parts(), open_flags(town)) == ("confirmed", {"bill": 3_000}, [])
