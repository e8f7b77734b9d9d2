"""The regulator's indicators of subsidy claims at the end of a month, computed by hand."""

from datetime import date

from mutuelle import db
from mutuelle.organisation import tenants
from mutuelle.reports import indicators
from tests.mutuelle.subsidies.world import DECEMBER, ClaimsWorld

Values = dict[tuple[str, str], tuple[int, int | None]]


def read(office: ClaimsWorld, month: str, today: date = date(2027, 3, 5)) -> Values:
    with db.transaction(db.Role.AUDITOR) as session:
        tenant = tenants.get(session, office.tenant_id)
        period = indicators.month(month, today)
        values = indicators.read(session, tenant, period, None)
    return {
        (value.code, value.slice): (value.numerator, value.denominator)
        for value in values
        if value.code.startswith("subsidy-")
    }


def test_money_asked_and_received_and_how_long_it_was_waited_for(office: ClaimsWorld) -> None:
    office.joins()
    # No claim, no indicator of claims.
    assert not [code for code, _ in read(office, "2026-12") if code != "subsidy-due"]
    claim = office.draft(DECEMBER, on="2027-01-31")
    office.send(claim)
    office.on("2027-02-10")
    office.accept(claim)
    office.pay(claim, 4_500, "VIR 1")
    january, february = read(office, "2027-01"), read(office, "2027-02")
    # 10 500 were asked on 31 January at ten in the morning: 14 hours before the month ended, and all of
    # February.
    assert january["subsidy-received", ""] == january["subsidy-received", "state"] == (0, 10_500)
    assert february["subsidy-received", ""] == (4_500, 10_500)
    waited, longer = january["subsidy-wait", ""][0], february["subsidy-wait", ""][0]
    assert 13 * 3600 < waited <= 14 * 3600
    assert longer == waited + 28 * 86_400
    office.on("2027-03-04")
    office.pay(claim, 6_000, "VIR 2")
    assert read(office, "2027-03")["subsidy-received", ""] == (10_500, 10_500)
    assert ("subsidy-wait", "") not in read(office, "2027-03")
    assert read(office, "2027-02") == february  # a month that is over does not change


def test_money_is_compared_with_what_the_claims_of_the_same_twelve_months_asked_for(
    office: ClaimsWorld,
) -> None:
    office.joins()
    first = office.draft(DECEMBER, on="2027-01-31")
    office.send(first)
    office.accept(first)
    office.on("2027-02-10")
    office.pay(first, 10_500, "VIR 1")
    assert read(office, "2027-12", today=date(2028, 3, 5))["subsidy-received", ""] == (10_500, 10_500)
    # Eleven months and a day later the claim of January 2027 is older than twelve months.
    assert ("subsidy-received", "") not in read(office, "2028-01", today=date(2028, 3, 5))
