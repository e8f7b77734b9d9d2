"""The callers of every menu test: the opening facts of each, under one name."""

from dataclasses import replace
from typing import Any

from menus.facts import Appeal, Facts, HouseholdFacts, PendingPayment
from menus.flow import FLOW

CURRENCY = {
    **{"SN-CMU": "XOF", "ML-5050": "XOF", "RW-CBHI": "RWF"},
    **{"ML-RAMED": "XOF", "TG-AMU-TNS": "XOF", "CI-CMU": "XOF", "BF-RAMU": "XOF", "MR-CNASS": "MRU"},
}
OPERATORS = {"SN-CMU": ("wave",), "ML-5050": ("wave",), "RW-CBHI": ("mtn",)}
NAMES = {"SN-CMU": "Mutuelle de Thiès", "ML-5050": "Mutuelle de Ségou", "RW-CBHI": "Mutuelle de Huye"}

NEW = HouseholdFacts(
    id="5a0c0f0e-0000-4000-8000-000000000001",
    number="4829160374",
    people=5,
    category="general",
    state="never",
    since="2026-11-22",
    until=None,
    owed=18500,
    owed_dues=17500,
    state_share=17500,
    paid=0,
    left_to_open=17500,
    opens_from="2026-12-22",
    opens_until="2027-12-21",
)

HOUSEHOLDS: dict[str, HouseholdFacts | None] = {
    "stranger": None,
    "new": NEW,
    "part-paid": replace(NEW, state="part-paid", owed=8500, owed_dues=7500, paid=10000, left_to_open=7500),
    "waiting": replace(
        NEW,
        state="waiting",
        reason="rights.waiting",
        until="2026-12-21",
        owed=1000,
        owed_dues=0,
        paid=17500,
        left_to_open=0,
        opens_from=None,
        opens_until=None,
        covered_from="2026-12-22",
        covered_until="2027-12-21",
    ),
    "open": replace(
        NEW,
        state="open",
        since="2026-12-22",
        until="2027-12-21",
        owed=0,
        owed_dues=0,
        paid=18500,
        left_to_open=0,
        opens_from=None,
        opens_until=None,
        credit=500,
    ),
    "half-open": replace(
        NEW,
        state="open",
        since="2026-07-01",
        until="2026-12-31",
        owed=6000,
        owed_dues=6000,
        paid=19000,
        state_share=0,
        left_to_open=6000,
        opens_from="2027-01-01",
        opens_until="2027-06-30",
    ),
    "lapsed": replace(
        NEW, state="lapsed", since="2026-10-01", owed=17500, opens_from="2026-11-22", opens_until="2027-11-21"
    ),
    "suspended": replace(NEW, state="suspended", since="2027-01-01", owed=6000, left_to_open=6000),
    "to-come": replace(
        NEW,
        state="waiting",
        reason="rights.period-to-come",
        until="2027-06-30",
        owed=0,
        owed_dues=0,
        paid=19000,
        state_share=0,
        left_to_open=0,
        opens_from=None,
        opens_until=None,
        covered_from="2027-07-01",
        covered_until="2028-06-30",
    ),
    "asked": replace(NEW, pending=PendingPayment(17500, "wave", True, "10:30")),
    "prompted": replace(
        NEW, state="part-paid", paid=12000, pending=PendingPayment(6000, "mtn", False, "10:30")
    ),
    "late": replace(NEW, pending=PendingPayment(17500, "wave", True, None)),
    "quiet": replace(NEW, sms=False),
    "appealing": replace(NEW, appeal=Appeal("48291604", "2026-12-07")),
    "promised": replace(NEW, promised="2027-02-28"),
    "monthly": replace(
        NEW, owed=19000, owed_dues=16500, state_share=16500, left_to_open=1375, opens_until="2027-01-21"
    ),
}


def facts(scheme: str = "SN-CMU", language: str = "fr", who: str = "stranger", **more: Any) -> Facts:
    """Returns the opening facts of `who` who dials the mutuelle of `scheme` on 22 November 2026."""
    opening = Facts(
        flow=FLOW.version,
        language=language,
        tenant_id="5a0c0f0e-0000-4000-8000-00000000000a",
        mutuelle=NAMES.get(scheme, "Mutuelle"),
        scheme=scheme,
        currency=CURRENCY[scheme],
        on="2026-11-22",
        operators=OPERATORS.get(scheme, ("wave",)),
        household=HOUSEHOLDS[who],
    )
    return replace(opening, **more)
