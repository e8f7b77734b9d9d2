"""After a dropped session: go on where it stopped, or start that dialogue again.

A draft that no longer makes sense is ignored. The cache decides how long a draft lives (`DRAFT_S`).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from menus import enrol, pay
from menus.facts import Facts
from menus.screens import Dialogue, Goto, Menu, MenuOption, Resume, ScreenView, TextChoice
from mutuelle.schemes import schemes

DRAFT_SCREENS = (*enrol.JOIN.draft_screens, *pay.PAY.draft_screens)


def can_resume(facts: Facts) -> bool:
    """Whether to offer the draft: the same dialogue version wrote it, and it still suits the caller."""
    draft = facts.draft
    if not draft or draft.get("flow") != facts.flow or draft.get("screen") not in DRAFT_SCREENS:
        return False
    household = facts.household
    if str(draft["screen"]).startswith("join."):
        return household is None and _codes_exist(facts, draft["answers"])
    return (
        household is not None
        and household.owed > 0
        and household.pending is None
        and draft["answers"].get("amount", 0) <= household.owed
    )


def _codes_exist(facts: Facts, answers: Mapping[str, Any]) -> bool:
    """Whether the rule book still has the category and option of the draft: it may have changed since."""
    version = schemes.get(facts.scheme).on(date.fromisoformat(facts.on))
    categories = {None, *(category.code for category in version.categories)}
    options = {None, *(option.code for option in version.options)}
    return answers.get("category") in categories and answers.get("option") in options


def was_joining(view: ScreenView) -> bool:
    return str((view.facts.draft or {}).get("screen")).startswith("join.")


RESUME = Dialogue(
    screens=(
        Menu(
            "resume",
            prompt=TextChoice(
                ("resume.join", "resume.pay"),
                lambda view: "resume.join" if was_joining(view) else "resume.pay",
            ),
            options=(
                MenuOption("go-on", Resume(DRAFT_SCREENS)),
                MenuOption(
                    "start-again",
                    Goto(
                        (*enrol.ENTRY.targets, *pay.ENTRY.targets),
                        lambda view: (enrol if was_joining(view) else pay).ENTRY.choose(view),
                    ),
                ),
            ),
        ),
    ),
)
