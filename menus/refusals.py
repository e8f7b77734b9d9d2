"""The last screen of a session in which the rules refused an act.

It ends the session, because dialling again is free.
"""

from menus.screens import Dialogue, End, ScreenView, TextChoice

LINKS = ("pay.no-link", "pay.links-sent")
PAY = ("pay.pending", "pay.nothing-owed", "pay.too-much", "pay.step", "pay.no-operator", *LINKS)
REASONS = ("enrol.already", *PAY, "promise.open", "promise.day", "appeal.open")


def refusal_text(view: ScreenView) -> str:
    reason = str(view.outcome.get("refused"))
    return f"refused.{reason}" if reason in REASONS else "refused.other"


REFUSALS = Dialogue(
    screens=(
        End(
            "refused",
            prompt=TextChoice((*(f"refused.{reason}" for reason in REASONS), "refused.other"), refusal_text),
        ),
    )
)
