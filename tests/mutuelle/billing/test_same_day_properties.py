"""Any changes of one day that end where they began change nothing (I14): no right, sum, SMS or next step."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.mutuelle.billing.days import later, on_day
from tests.mutuelle.billing.same_day_acts import (
    is_refused,
    no_longer_sponsored,
    proves_indigence,
    sponsor,
    state_of,
    waiting_sms,
)
from tests.mutuelle.billing.world import BilledHousehold
from tests.support.people import World

Act = Callable[[BilledHousehold], object]


@dataclass(frozen=True)
class Mistake:
    """An act that is noted by mistake, and the act that undoes it."""

    name: str
    act: Act = field(compare=False, repr=False)
    undo: Act = field(compare=False, repr=False)


def newcomer(born: int) -> Mistake:
    return Mistake(f"adds {born}", lambda home: home.adds(born=born), lambda home: home.loses(born=born))


def leaver(born: int) -> Mistake:
    return Mistake(f"loses {born}", lambda home: home.loses(born=born), lambda home: home.adds(born=born))


def help_of(percent: int) -> Mistake:
    return Mistake(
        f"sponsor of {percent} %", lambda home: sponsor(home, percent=percent), no_longer_sponsored
    )


PROOF = Mistake("proof", proves_indigence, is_refused)
PEOPLE = [newcomer(2016), newcomer(2018), newcomer(2020), newcomer(1970), leaver(2015), leaver(1990)]


@st.composite
def days_of_mistakes(draw: st.DrawFn) -> list[tuple[str, Act]]:
    """Draws mistakes and puts each undoing at any place after its act."""
    mistakes = draw(st.lists(st.sampled_from(PEOPLE), unique=True, max_size=4))
    mistakes += draw(st.lists(st.sampled_from([PROOF]), max_size=1))
    mistakes += draw(st.lists(st.sampled_from([help_of(30), help_of(100)]), max_size=1))
    acts: list[tuple[str, Act]] = []
    for mistake in draw(st.permutations(mistakes)):
        at = draw(st.integers(0, len(acts)))
        acts.insert(at, (mistake.name, mistake.act))
        acts.insert(draw(st.integers(at + 1, len(acts))), (f"undo {mistake.name}", mistake.undo))
    return acts


@settings(max_examples=12, report_multiple_bugs=False, phases=[Phase.generate])
@given(days_of_mistakes(), st.sampled_from([0, 1_000, 3_500, 5_250, 10_500, 11_500]), st.sampled_from([0, 2]))
def test_a_day_that_ends_where_it_began_changes_nothing(
    settled: World, acts: list[tuple[str, Act]], paid: int, day: int
) -> None:
    on_day(0)
    household, unchanged = BilledHousehold(settled.senegal), BilledHousehold(settled.senegal)
    for each in (household, unchanged) if paid else ():
        each.pays(paid)
    later(household, day)
    before = state_of(household)
    for _, act in acts:
        act(household)
    assert state_of(household) == before
    assert waiting_sms(household) in ([], [("proof-refused", None)])
    for each in (household, unchanged):
        later(each, 90)
    assert household.stands() == unchanged.stands()
