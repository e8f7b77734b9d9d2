"""After any pairs, decisions and answers of a payer: it accepted what it owes of who is claimed, no more."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.subsidies.claim_lines import ClaimDuplicates, ClaimedDays
from tests.mutuelle.subsidies.test_claim_stories import ANSWERS, EVENTS, MONTHS, YEAR_AFTER, Story
from tests.mutuelle.subsidies.test_rule_books import household

pytestmark = pytest.mark.usefixtures("whole_periods")

# What people know of one member of the household, who may be a member of another one, too.
KNOWN = st.sampled_from(["nothing", "held", "returned", "elsewhere"])
STEPS = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.integers(0, 9), st.booleans(), ANSWERS, KNOWN),
    min_size=1,
    max_size=9,
)
Steps = list[tuple[str, int, bool, list[str | None], str]]


def mark(story: Story, mark_name: str, place: int) -> None:
    """Notes what is known of the member at this place from now on."""
    member_id = story.household.members[place].id
    marks = {
        "nothing": ClaimDuplicates(),
        "held": ClaimDuplicates(held=frozenset([member_id])),
        "returned": ClaimDuplicates(held=frozenset([member_id]), returned=frozenset([member_id])),
        "elsewhere": ClaimDuplicates(elsewhere=(ClaimedDays(member_id, MONTHS[0], YEAR_AFTER),)),
    }
    story.household = replace(story.household, duplicates=marks[mark_name])


def story_after(steps: Steps) -> Story:
    """Returns the household after the steps, with every line answered."""
    story = Story(household("SN-CMU", [1985, 1990, 2015], "general", "state"))
    for day, (event, pick, again, answers, mark_name) in zip(MONTHS, steps, strict=False):
        story.happens(event, pick, day, 12 - MONTHS.index(day))
        mark(story, mark_name, pick % 3)
        story.drafted(day.replace(day=28), answers, again=again)
        if pick % 2:
            story.answered("rejected" if pick % 3 == 0 else "accepted")
    story.answered("accepted")
    return story


def settle(story: Story, day: date) -> None:
    """Drafts claims and accepts every line until there is nothing left to claim."""
    for _ in range(9):
        if not story.drafted(day, ["accepted"], again=True):
            break


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_once_people_know_that_it_is_another_person_the_payer_accepted_what_it_owes(steps: Steps) -> None:
    story = story_after(steps)
    mark(story, "nothing", 0)
    settle(story, YEAR_AFTER)
    assert story.accepted == story.owed


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 2))
def test_of_who_is_claimed_elsewhere_nothing_stays_accepted(steps: Steps, place: int) -> None:
    story = story_after(steps)
    mark(story, "returned", place)
    settle(story, YEAR_AFTER)
    member_id = story.household.members[place].id
    units = [
        earlier.line.amount
        for earlier in story.household.claimed
        if earlier.answer != "rejected" and earlier.line.member_id == member_id
    ]
    assert sum(units) == 0
    assert story.accepted <= story.owed
    mark(story, "nothing", place)
    settle(story, YEAR_AFTER)
    assert story.accepted == story.owed


def test_no_other_gives_back_what_a_held_member_does_not_cost_any_more() -> None:
    story = Story(household("SN-CMU", [1985, 1990, 2015], "general", "state"))
    mark(story, "held", 2)
    settle(story, MONTHS[1].replace(day=28))
    assert story.accepted == 7_000
    story.happens("leaves", 1, MONTHS[2], 9)  # the held child
    assert story.household.members[2].until == MONTHS[2]
    settle(story, YEAR_AFTER)
    assert story.accepted == 7_000
