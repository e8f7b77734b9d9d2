"""Tests that the console shows every kind of step in a payment's history."""

import re
from pathlib import Path

from mutuelle.reports.payment_history import StepKind

TEMPLATE = Path(__file__).parents[3] / "gateway" / "console" / "templates" / "payment.html"


def test_the_page_of_a_payment_shows_every_kind_of_step() -> None:
    kinds = set(re.findall(r'step\.kind == "([a-z]+)"', TEMPLATE.read_text(encoding="utf-8")))
    assert kinds == set(StepKind) - {StepKind.LINK}
