"""Tests that a plan that breaks a promise is shrunk to the few events that break it."""

from collections.abc import Sequence

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proving import simulate
from proving.simulator import database
from proving.simulator.plan import FAULTS, Plan
from proving.simulator.shrink import Shrinking


@given(st.sets(st.integers(0, 99), min_size=1, max_size=6))
def test_only_the_events_that_are_needed_together_stay(needed: set[int]) -> None:
    events = [f"event {number}" for number in range(100)]
    wanted = [f"event {number}" for number in sorted(needed)]
    assert Shrinking(lambda rest: set(wanted) <= set(rest), tries=2_000).smallest(events) == wanted


def test_the_search_ends_when_its_tries_are_used_up() -> None:
    tried: list[Sequence[str]] = []

    def fails(events: Sequence[str]) -> bool:
        tried.append(events)
        return "7" in events

    rest = Shrinking(fails, tries=4).smallest([str(number) for number in range(64)])
    assert len(tried) == 4
    assert "7" in rest
    assert len(rest) < 64


def test_a_plan_without_events_is_quiet() -> None:
    plan = Plan.of(6, 30, 10, FAULTS)
    assert plan.only(plan.events()) == plan
    quiet = plan.only([])
    assert (quiet.people, quiet.acts, quiet.strangers, quiet.outages) == ((), (), (), ())
    assert not any(
        share for name, share in quiet.faults.outside.items() if name not in ("delay_s", "timeout_s")
    )
    assert quiet.faults.falls == 0


# Records the amounts of unsolicited payments wrongly, as a fault of ours would.
WRONG_AMOUNTS = (
    "CREATE FUNCTION wrong_amount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " NEW.amount := NEW.amount + 1; RETURN NEW; END $$",
    "CREATE TRIGGER wrong_amount BEFORE INSERT ON receipts FOR EACH ROW"
    " WHEN (NEW.reference IS NULL) EXECUTE FUNCTION wrong_amount()",
)


@pytest.mark.timeout(900)
def test_a_fault_of_ours_is_shrunk_to_one_payment() -> None:
    plan = Plan.of(3, 6, 3, FAULTS)
    with database.start_servers() as copies, psycopg.connect(copies.template_url, autocommit=True) as books:
        for statement in WRONG_AMOUNTS:
            books.execute(statement)
        books.close()
        wrong = different(simulate.run(copies, plan)[1])
        events = simulate.shrink(copies, plan, wrong)
        assert different(simulate.run(copies, plan.only(events))[1])
    assert wrong
    assert len(events) <= 3, events


def different(broken: Sequence[str]) -> list[str]:
    """Returns the records whose amount is not what moved; `verify` also finds the trigger itself."""
    return [line for line in broken if line.startswith("DIFFERENT")]
