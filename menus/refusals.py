"""What is said when a Confirm could not act because the rules say no. The words end the session; dialling
again is free."""

from menus.screens import Dialogue, End, ScreenView, TextChoice

LINKS = ("pay.no-link", "pay.links-sent")
PAY = ("pay.pending", "pay.nothing-owed", "pay.too-much", "pay.step", "pay.no-operator", *LINKS)
KNOWN = ("enrol.already", *PAY, "promise.open", "promise.day", "appeal.open")


def why(view: ScreenView) -> str:
    told = str(view.outcome.get("refused"))
    return f"refused.{told}" if told in KNOWN else "refused.other"


REFUSALS = Dialogue(
    screens=(End("refused", prompt=TextChoice((*(f"refused.{key}" for key in KNOWN), "refused.other"), why)),)
)
