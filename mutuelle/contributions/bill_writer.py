"""Issuing: bills with all their lines leave as one statement, one household's at the yes or a thousand
households' at night.

What bills have in common is sent once, as their terms; of each bill leaves its household, the years it was
priced for, and ids.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import clock, pipeline
from mutuelle.contributions.quotes import Dues, PriceLine
from mutuelle.pipeline import array
from mutuelle.schemes.money_rules import MEMBER


@dataclass(frozen=True)
class Terms:
    """A bill, but for whose it is: the amounts of its `lines` add up to `total`, in whole units of
    `currency`."""

    kind: str
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


def terms_of(price: Dues, on: date, *, joining: bool) -> tuple[Terms, ...]:
    """The dues bill of `price`, and its joining-fee bill, which the member alone pays; dues first."""
    dues = Terms(
        kind="dues",
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
    told = vars(dues) | {
        "kind": "joining",
        "period_from": None,
        "period_until": None,
        "total": line.amount,
        "lines": (line,),
    }
    return dues, Terms(**told)


@dataclass
class BillBatch:
    """Bills that leave together."""

    _terms: list[Terms] = field(default_factory=list)
    _place: dict[int, int] = field(default_factory=dict)  # of each terms object in the list above
    _ids: list[str] = field(default_factory=list)
    _homes: list[str] = field(default_factory=list)
    _born: list[str] = field(default_factory=list)
    _which: list[int] = field(default_factory=list)  # the terms of each bill
    _lines: list[str] = field(default_factory=list)  # the ids of all lines, bill after bill
    _first: list[int] = field(default_factory=list)  # where those of each bill begin

    def add(self, household_id: UUID, terms: Terms, born: Sequence[int]) -> UUID:
        """Lay one more bill on it; its id."""
        which = self._place.get(id(terms))
        if which is None:
            which = self._place[id(terms)] = len(self._terms)
            self._terms.append(terms)  # which keeps the object, and so its id
        bill_id = clock.new_id()
        self._ids.append(bill_id.hex)
        self._homes.append(household_id.hex)
        self._born.append(f'"{{{",".join(map(str, born))}}}"')
        self._which.append(which)
        self._first.append(len(self._lines))
        self._lines += [clock.new_id().hex for _ in terms.lines]
        return bill_id

    def write(self, session: Session, tenant_id: UUID) -> None:
        """Let it leave, at the latest when the transaction ends."""
        if not self._ids:
            return
        lines = [
            {"n": n, "k": k, **asdict(line)}
            for n, one in enumerate(self._terms)
            for k, line in enumerate(one.lines)
        ]
        terms = [
            {"n": n, **{name: told for name, told in vars(one).items() if name != "lines"}}
            for n, one in enumerate(self._terms)
        ]
        asked = {
            "tenant": tenant_id,
            "terms": json.dumps(terms, default=str),
            "lines": json.dumps(lines),
            "ids": array(self._ids),
            "homes": array(self._homes),
            "born": array(self._born),
            "which": array(map(str, self._which)),
            "line_ids": array(self._lines),
            "first": array(map(str, self._first)),
        }
        pipeline.queue(session, (_WRITE, asked))


_WRITE = """
WITH told AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::uuid[], %(homes)s::uuid[], %(born)s::text[], %(which)s::int[],
    %(first)s::int[])
        AS told (id, household_id, born, n, first)
), written AS (
    INSERT INTO bills (tenant_id, id, household_id, kind, issued, period_from, period_until, scheme, version,
    option, category,
        born, total, currency)
    SELECT %(tenant)s, told.id, told.household_id, t.kind, t.issued, t.period_from, t.period_until, t.scheme,
    t.version,
        t.option, t.category, told.born::smallint[], t.total, t.currency
    FROM told JOIN json_to_recordset(%(terms)s::json) AS t (n int, kind text, issued date, period_from date,
    period_until date,
        scheme text, version date, option text, category text, total bigint, currency text) USING (n)
)
INSERT INTO bill_lines (tenant_id, id, bill_id, payer, amount, rule)
SELECT %(tenant)s, (%(line_ids)s::uuid[])[told.first + l.k + 1], told.id, l.payer, l.amount, l.rule
FROM told JOIN json_to_recordset(%(lines)s::json) AS l (n int, k int, payer text, amount bigint, rule text)
USING (n)
"""
