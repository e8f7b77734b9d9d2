"""Adds, subtracts and intersects spans of days. Pure.

A list of spans is in order, and its spans neither overlap nor touch.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

DaySpan = tuple[date, date]  # first and last day, both included
DAY = timedelta(1)


def merge(spans: Iterable[DaySpan]) -> list[DaySpan]:
    """Returns the days of all `spans` as a list of spans; a span that ends before it begins holds no day.

    >>> day = date.fromisoformat
    >>> merge([(day("2027-01-05"), day("2027-01-09")), (day("2027-01-01"), day("2027-01-04"))])
    [(datetime.date(2027, 1, 1), datetime.date(2027, 1, 9))]
    """
    merged: list[DaySpan] = []
    for since, until in sorted(span for span in spans if span[0] <= span[1]):
        if merged and since <= merged[-1][1] + DAY:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until))
        else:
            merged.append((since, until))
    return merged


def intersect(spans: Sequence[DaySpan], others: Sequence[DaySpan]) -> list[DaySpan]:
    """Returns the days that both lists hold."""
    common = ((max(a, c), min(b, d)) for a, b in spans for c, d in others)
    return merge(common)


def subtract(spans: Sequence[DaySpan], others: Sequence[DaySpan]) -> list[DaySpan]:
    """Returns the days of `spans` that `others` do not hold."""
    rest = list(spans)
    for since, until in others:
        rest = [part for span in rest for part in _without(span, since, until)]
    return rest


def _without(span: DaySpan, since: date, until: date) -> Iterator[DaySpan]:
    if until < span[0] or since > span[1]:
        yield span
        return
    if span[0] < since:
        yield span[0], since - DAY
    if until < span[1]:
        yield until + DAY, span[1]


def clip(spans: Sequence[DaySpan], since: date, until: date) -> list[DaySpan]:
    """Returns the days of `spans` from `since` to `until`."""
    return intersect(spans, [(since, until)])


def days_in(spans: Iterable[DaySpan]) -> int:
    """Returns how many days the spans hold."""
    return sum((until - since).days + 1 for since, until in spans)
