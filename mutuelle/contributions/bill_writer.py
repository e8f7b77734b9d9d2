"""Writes bills with all their lines in one statement: one household's at enrolment, or a thousand at night.

What bills have in common is sent once, as a `NewBill`; each bill adds its household, the birth years it was
priced for, and ids.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import clock, pipeline
from mutuelle.contributions.quotes import PeriodQuote, PriceLine
from mutuelle.pipeline import array
from mutuelle.schemes.money_rules import MEMBER, BillKind


@dataclass(frozen=True)
class NewBill:
    """A bill about to be written for any household; `lines` add up to `total`, in units of `currency`."""

    kind: BillKind
    issued: date
    period_from: date | None
    period_until: date | None
    scheme: str
    version: date
    option: str
    category: str
    total: int
    currency: str
    lines: tuple[PriceLine, ...]


def new_bills(price: PeriodQuote, on: date, *, joining: bool) -> tuple[NewBill, ...]:
    """The dues bill of `price`, then its joining-fee bill, if any, which the member alone pays."""
    dues = NewBill(
        kind=BillKind.DUES,
        issued=on,
        period_from=price.period_from,
        period_until=price.period_until,
        scheme=price.scheme,
        version=date.fromisoformat(price.version),
        option=price.option,
        category=price.billed_category,
        total=price.total,
        currency=price.currency,
        lines=price.lines,
    )
    if not joining or not price.joining_fee:
        return (dues,)
    line = PriceLine(MEMBER, price.joining_fee, f"{price.scheme}/{price.version}/joining")
    fee = replace(
        dues, kind=BillKind.JOINING, period_from=None, period_until=None, total=line.amount, lines=(line,)
    )
    return dues, fee


@dataclass
class BillBatch:
    """Bills that are written together."""

    _bills: list[NewBill] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)  # places in `_bills`, by the id() of the object
    _ids: list[str] = field(default_factory=list)
    _household_ids: list[str] = field(default_factory=list)
    _born: list[str] = field(default_factory=list)
    _which: list[int] = field(default_factory=list)  # of each bill, its place in `_bills`
    _line_ids: list[str] = field(default_factory=list)  # of all lines, bill after bill
    _first_lines: list[int] = field(default_factory=list)  # of each bill, where its `_line_ids` begin

    def add(self, household_id: UUID, bill: NewBill, born: Sequence[int]) -> UUID:
        """Adds one bill to the batch. Returns its id. Bills alike should share one `NewBill` object."""
        place = self._places.get(id(bill))
        if place is None:
            place = self._places[id(bill)] = len(self._bills)
            self._bills.append(bill)  # the list keeps the object alive, so its id() stays its own
        bill_id = clock.new_id()
        self._ids.append(bill_id.hex)
        self._household_ids.append(household_id.hex)
        self._born.append(f'"{{{",".join(map(str, born))}}}"')
        self._which.append(place)
        self._first_lines.append(len(self._line_ids))
        self._line_ids += [clock.new_id().hex for _ in bill.lines]
        return bill_id

    def write(self, session: Session, tenant_id: UUID) -> None:
        """Queues the INSERT; it is sent at commit at the latest."""
        if not self._ids:
            return
        lines = [
            {"n": n, "k": k, **asdict(line)}
            for n, bill in enumerate(self._bills)
            for k, line in enumerate(bill.lines)
        ]
        terms = [
            {"n": n, **{name: value for name, value in vars(bill).items() if name != "lines"}}
            for n, bill in enumerate(self._bills)
        ]
        values = {
            "tenant": tenant_id,
            "terms": json.dumps(terms, default=str),
            "lines": json.dumps(lines),
            "ids": array(self._ids),
            "household_ids": array(self._household_ids),
            "born": array(self._born),
            "which": array(map(str, self._which)),
            "line_ids": array(self._line_ids),
            "first": array(map(str, self._first_lines)),
        }
        pipeline.queue(session, (_WRITE, values))


_WRITE = """
WITH new_bills AS MATERIALIZED (
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(household_ids)s::uuid[], %(born)s::text[], %(which)s::int[], %(first)s::int[]
    ) AS new_bills (id, household_id, born, n, first)
), written AS (
    INSERT INTO bills (
        tenant_id, id, household_id, kind, issued, period_from, period_until,
        scheme, version, option, category, born, total, currency)
    SELECT %(tenant)s, new_bills.id, new_bills.household_id, t.kind, t.issued, t.period_from, t.period_until,
        t.scheme, t.version, t.option, t.category, new_bills.born::smallint[], t.total, t.currency
    FROM new_bills
    JOIN json_to_recordset(%(terms)s::json) AS t (
        n int, kind text, issued date, period_from date, period_until date,
        scheme text, version date, option text, category text, total bigint, currency text) USING (n)
)
INSERT INTO bill_lines (tenant_id, id, bill_id, payer, amount, rule)
SELECT %(tenant)s, (%(line_ids)s::uuid[])[new_bills.first + l.k + 1], new_bills.id, l.payer, l.amount, l.rule
FROM new_bills
JOIN json_to_recordset(%(lines)s::json) AS l (n int, k int, payer text, amount bigint, rule text) USING (n)
"""
