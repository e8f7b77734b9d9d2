"""Tests every indicator of the town's November by hand, and that a past month never changes."""

from datetime import date
from typing import Any

import pytest

from menus.flow import FLOW
from menus.screens import Confirm
from mutuelle import clock, db
from mutuelle.errors import Malformed
from mutuelle.households import households
from mutuelle.money import Money
from mutuelle.organisation import tenants
from mutuelle.payments import reversals
from mutuelle.payments.operators import Movement
from mutuelle.reports import indicators
from mutuelle.reports.indicator_list import INDICATORS
from mutuelle.reports.indicators import Reading
from tests.mutuelle.reports.world import FREE, ORANGE, ReportsWorld, at

TARGET = 40


def read(
    town: ReportsWorld, name: str = "2026-11", place: str = "senegal", target: int | None = TARGET
) -> dict[Any, tuple[int, Any]]:
    """Returns (numerator, denominator) by indicator, or by (indicator, kind of slice, slice)."""
    tenant_id = getattr(town.world, place).tenant_id
    with db.transaction(db.Role.AUDITOR, within_s=60) as session:
        tenant = tenants.get(session, tenant_id)
        readings = indicators.read(session, tenant, indicators.month(name, tenant.today()), target)
    return {
        (reading.code, reading.by, reading.slice) if reading.by else reading.code: (
            reading.numerator,
            reading.denominator,
        )
        for reading in readings
    }


WORKED = {
    # Awa's 3 and Modou's 4 are open; the target population is set to 40.
    "penetration": (3 + 4, 40),
    # Ever enrolled: Awa 3, Fatou 2, Modou 4, Binta 5, Seynabou 2, Khady 1.
    "open-share": (7, 3 + 2 + 4 + 5 + 2 + 1),
    ("open-share", "language", "fr"): (7, 3 + 4 + 5 + 2 + 1),
    ("open-share", "language", "en"): (0, 2),
    ("open-share", "channel", "ussd"): (3, 3 + 2 + 5 + 2 + 1),
    ("open-share", "channel", "agent"): (4, 4),
    # Households: Awa and Modou, of six.
    "rights-state": (2, 6),
    ("rights-state", "state", "open"): (2, 6),
    ("rights-state", "state", "waiting"): (0, 6),
    ("rights-state", "state", "part-paid"): (2, 6),
    ("rights-state", "state", "lapsed"): (1, 6),
    ("rights-state", "state", "suspended"): (0, 6),
    ("rights-state", "state", "never"): (1, 6),
    # On 30 November 2025 Awa and Fatou were covered; of these Awa still is.
    "renewal": (1, 2),
    # 7 people after 5: Modou's 4 are new, Fatou's 2 are lost, Awa's 3 stayed 3.
    "growth": (7 - 5, 5),
    ("growth", "part", "external"): (4, 5),
    ("growth", "part", "internal"): (0, 5),
    ("growth", "part", "lost"): (-2, 5),
    "family-size": (7, 2),
    # Members' shares at 3 500 a person: Modou 14 000 due in September, Awa's second 10 500 in October; in
    # November Binta 17 500, Seynabou 7 000, Khady 3 500. Received on them: 14 000, 10 500, and 5 000 + 1 000.
    # Awa's first and Fatou's fell due before December 2025.
    "collection": (14_000 + 10_500 + 6_000, 14_000 + 10_500 + 28_000),
    ("collection", "cohort", "2026-09"): (14_000, 14_000),
    ("collection", "cohort", "2026-10"): (10_500, 10_500),
    ("collection", "cohort", "2026-11"): (6_000, 28_000),
    # The State owes as much as the member in the latest dues of the two open households.
    "subsidy-due": (10_500 + 14_000, None),
    ("subsidy-due", "payer", "state"): (24_500, None),
    # Three payments in November: Binta's found its way, one was put by hand, one is in suspense.
    "match-rate": (1, 3),
    ("match-rate", "operator", "wave"): (1, 3),
    # Binta's after 60 seconds, Seynabou's after a day and 60 seconds; the median of two is the smaller one.
    "match-time": (60, None),
    # Three households are on the registry's list of October, Fatou and Modou among them; Modou is open.
    "exempt": (1, 3),
    ("exempt", "category", "indigent"): (1, 3),
    # Four sessions in November, local time; Binta asked to pay, Khady joined.
    "sessions-acted": (2, 4),
    ("sessions-acted", "language", "fr"): (2, 2),
    ("sessions-acted", "language", "?"): (0, 2),
    ("sessions-acted", "network", ORANGE): (2, 2),
    ("sessions-acted", "network", FREE): (0, 1),
    ("sessions-acted", "network", "?"): (0, 1),
    # Three of the four came from phones that were no household's yet; Khady's joined.
    "join-completion": (1, 3),
    ("join-completion", "network", ORANGE): (1, 1),
    ("join-completion", "network", FREE): (0, 1),
    ("join-completion", "network", "?"): (0, 1),
    # The other two: one was over after three screens, one has no report.
    ("join-step", "step", "3"): (1, 2),
    ("join-step", "step", "?"): (1, 2),
}


@pytest.mark.every_postgres
def test_every_indicator_of_november_is_what_the_hand_works_out(settled: ReportsWorld) -> None:
    assert read(settled) == WORKED
    of_claims = {"subsidy-received", "subsidy-wait"}  # tests/mutuelle/subsidies/test_claim_indicators.py
    assert {code if isinstance(code, str) else code[0] for code in WORKED} | of_claims == {
        indicator.code for indicator in INDICATORS
    }


def test_a_year_earlier_the_town_was_smaller(settled: ReportsWorld) -> None:
    values = read(settled, "2025-11")
    assert values["open-share"] == (5, 5)  # Awa and Fatou
    assert values["renewal"] == (0, 0)
    assert values["growth"] == (5, 0)
    assert values["family-size"] == (5, 2)
    assert values["match-rate"] == (0, 0)
    assert "match-time" not in values  # no payment, no median


def test_the_running_month_is_shown_as_of_today(settled: ReportsWorld) -> None:
    month = indicators.month("2026-12", date(2026, 12, 5))
    assert (month.first, month.last, month.over) == (date(2026, 12, 1), date(2026, 12, 5), False)
    assert read(settled, "2026-12")["renewal"] == (1, 2)
    assert indicators.month("2026-11", date(2026, 12, 1)).over
    assert not indicators.month("2026-11", date(2026, 11, 30)).over
    assert str(indicators.last_over(date(2026, 1, 31))) == "2025-12"


@pytest.mark.parametrize("name", ["2026-13", "2026-1", "2026-11-01", "", "2027-01", "0000-01", "２０２６-11"])
def test_what_is_no_month_or_has_not_begun_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        indicators.month(name, date(2026, 12, 5))


def test_a_newer_list_counts_from_the_month_in_which_it_came(settled: ReportsWorld) -> None:
    """The list of 2 December leaves Modou and the third household out, and brings a fourth."""
    assert read(settled, "2026-10")["exempt"] == (2, 3)  # Fatou was open until 3 November
    assert read(settled, "2026-12")["exempt"] == (0, 2)
    assert read(settled, "2026-09")["exempt"] == (0, 0)


def test_without_a_target_population_penetration_has_no_denominator(settled: ReportsWorld) -> None:
    assert read(settled, target=None)["penetration"] == (7, None)


def test_another_mutuelle_is_counted_by_itself(settled: ReportsWorld) -> None:
    values = read(settled, place="mali", target=None)
    assert {numbers[0] for numbers in values.values()} == {0}
    assert {numbers[1] for numbers in values.values()} <= {0, None}


def test_a_quotient_is_rounded_half_up_to_thousandths() -> None:
    def per_mille(numerator: int, denominator: int | None) -> int | None:
        return Reading("growth", "", "", numerator, denominator, 9).per_mille

    assert [per_mille(*pair) for pair in ((1, 3), (2, 3), (1, 2000), (-1, 2000), (-2, 5))] == [
        333,
        667,
        1,
        -1,
        -400,
    ]
    assert per_mille(3, 0) is per_mille(3, None) is None


def test_the_sessions_that_join_are_those_that_confirm_the_price() -> None:
    """The queries contain this screen's name."""
    assert isinstance(FLOW.screens["join.confirm"], Confirm)


def test_what_happens_later_changes_no_month_that_is_over(settled: ReportsWorld) -> None:
    """Awa changes her language, Seynabou pays, Modou's money is taken back: November stays."""
    before, home = read(settled), settled.homes["awa"].id
    at("2026-12-10T10:00")
    with db.transaction(db.Role.APP, settled.tenant_id) as session:
        households.set_language(session, settled.tenant_id, home, "en")
    settled.pays("seynabou", 7_000, "2026-12-11T10:00")
    at("2026-12-12T10:00")
    back = Movement("R_modou", Money(15_000, "XOF"), clock.now(), reverses="T_modou_2026-09-15T10:00")
    with db.transaction(db.Role.WORKER, settled.tenant_id) as session:
        assert reversals.apply(session, settled.world.senegal.account, back)
    assert read(settled) == before
    december = read(settled, "2026-12")
    assert december["rights-state"] == (1, 6)  # Modou is open no more
    assert december["open-share", "language", "en"] == (3, 3 + 2)


def test_a_month_of_which_sessions_were_taken_out_has_no_session(settled: ReportsWorld) -> None:
    """The last test: the run stays in the database of this file."""
    with settled.database.superuser() as connection:
        connection.execute(
            "INSERT INTO archive_runs VALUES (gen_random_uuid(), 'ussd_sessions', '2026-11-02', 1, true,"
            " now(), decode(repeat('00', 32), 'hex'))"
        )
    values = read(settled)
    assert (values["sessions-acted"], values["join-completion"]) == ((0, 0), (0, 0))
    assert values["match-rate"] == WORKED["match-rate"]
