"""The wallets people pay from: how each is called, and how its payer agrees. The adapters declare the same
`approval`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mutuelle.payments.operators import Approval

WALLETS: dict[str, tuple[str, Approval]] = {
    "mtn": ("MTN MoMo", "push"),
    "wave": ("Wave", "link"),
}
LONGEST = "W" * 12


def name(operator: str) -> str:
    return WALLETS[operator][0] if operator in WALLETS else operator[: len(LONGEST)].title()


def approval(operator: str) -> str:
    """push, link, otp, dial; `other` when all we can say is that an SMS follows."""
    return WALLETS[operator][1] if operator in WALLETS else "other"


def among(operators: Sequence[str], answers: Mapping[str, Any]) -> str:
    """The wallet chosen, or the only one there is."""
    picked = str(answers.get("operator"))
    return picked if picked in operators else operators[0]
