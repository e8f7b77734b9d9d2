"""The wallets people pay from: the name of each, and how its payer approves a payment.

The adapters of operators declare the same `approval`.
"""

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
    """Returns push, link, otp or dial; `other` for an unknown operator (the screen says: an SMS follows)."""
    return WALLETS[operator][1] if operator in WALLETS else "other"


def chosen_operator(operators: Sequence[str], answers: Mapping[str, Any]) -> str:
    """Returns the operator the caller chose, or the first of `operators`."""
    operator = str(answers.get("operator"))
    return operator if operator in operators else operators[0]
