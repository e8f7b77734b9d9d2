"""Figures: what a machine watches, read from the database when it asks, so that any number of processes say
the same.

Labels are codes, operators, kinds and states: never a phone, a name, a member number or a token. Ages are in
seconds by the product's own clock, because a demonstration may have moved it. The queries stand in
`metrics.sql`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from mutuelle import clock


@dataclass(frozen=True)
class Metric:
    """One family: what it is called, means and is (`gauge` or `counter`)."""

    name: str
    kind: str
    help: str
    query: TextClause


@dataclass(frozen=True)
class Sample:
    """One value under its labels."""

    labels: dict[str, str]
    value: float


def _figures() -> tuple[Metric, ...]:
    told = Path(__file__).with_name("metrics.sql").read_text(encoding="utf-8")
    first, *rest = re.split(r"^-- figure ", told, flags=re.MULTILINE)
    shared = re.sub(r"^--.*\n", "", first, flags=re.MULTILINE)
    figures = []
    for block in rest:
        head, _, query = block.partition("\n")
        about, _, help_text = head.partition(": ")
        name, kind = about.split()
        figures.append(Metric(name, kind, help_text, text(shared + query)))
    return tuple(figures)


FIGURES = _figures()
NAMED = {figure.name: figure for figure in FIGURES}


def read(session: Session, *names: str) -> Iterator[tuple[Metric, list[Sample]]]:
    """These families with their samples, or all of them. As the auditor, who sees every mutuelle."""
    now = {"now": clock.now()}
    for figure in [NAMED[name] for name in names] or FIGURES:
        rows = [dict(row) for row in session.execute(figure.query, now).mappings()]
        yield (
            figure,
            [
                Sample({name: str(row[name]) for name in row if name != "value"}, float(row["value"]))
                for row in rows
            ],
        )


def of_operators(session: Session) -> dict[str, dict[str, float]]:
    """How each operator does: seconds since it last called back, median seconds to credit of the last day,
    and of the last hour the callbacks we refused and those we believed, and the receipts."""
    found: dict[str, dict[str, float]] = {}
    names = ("callbacks", "confirmations", "last_callback_seconds", "request_to_credit_seconds")
    for figure, samples in read(session, *names):
        for one in samples:
            mine = found.setdefault(one.labels["operator"], {})
            span, quantile = one.labels.get("span"), one.labels.get("quantile")
            if figure.name == "last_callback_seconds":
                mine["last_callback_s"] = int(one.value)
            elif quantile == "0.5" and span == "1d":
                mine["median_credit_s"] = round(one.value, 1)
            elif quantile is None and span == "1h":
                mine[f"{one.labels.get('verdict', figure.name)}_1h"] = int(one.value)
    return found
