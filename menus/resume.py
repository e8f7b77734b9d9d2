"""After a drop: go on where the last session stopped, or start that dialogue again. A senseless draft is
ignored.

How long a draft is kept is the cache's to say (`DRAFT_S`).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from menus import enrol, pay
from menus.facts import Facts
from menus.screens import Dialogue, Goto, Menu, MenuOption, Resume, ScreenView, TextChoice
from mutuelle.schemes import schemes

DRAFTED = (*enrol.JOIN.drafted, *pay.PAY.drafted)


def resumes(facts: Facts) -> bool:
    """Whether the draft is worth offering: ours, and still making sense for who dials."""
    draft = facts.draft
    if not draft or draft.get("flow") != facts.flow or draft.get("screen") not in DRAFTED:
        return False
    home = facts.household
    if str(draft["screen"]).startswith("join."):
        return home is None and _rules_are_known(facts, draft["answers"])
    return (
        home is not None
        and home.owed > 0
        and home.pending is None
        and draft["answers"].get("amount", 0) <= home.owed
    )


def _rules_are_known(facts: Facts, answers: Mapping[str, Any]) -> bool:
    """A rule book may have changed since."""
    version = schemes.get(facts.scheme).on(date.fromisoformat(facts.on))
    category, option = answers.get("category"), answers.get("option")
    return category in {None, *(c.code for c in version.categories)} and option in {
        None,
        *(o.code for o in version.options),
    }


def joining(view: ScreenView) -> bool:
    return str((view.facts.draft or {}).get("screen")).startswith("join.")


RESUME = Dialogue(
    screens=(
        Menu(
            "resume",
            prompt=TextChoice(
                ("resume.join", "resume.pay"), lambda view: "resume.join" if joining(view) else "resume.pay"
            ),
            options=(
                MenuOption("go-on", Resume(DRAFTED)),
                MenuOption(
                    "start-again",
                    Goto(
                        (*enrol.ENTRY.targets, *pay.ENTRY.targets),
                        lambda v: (enrol if joining(v) else pay).ENTRY.of(v),
                    ),
                ),
            ),
        ),
    ),
)
