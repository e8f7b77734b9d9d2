"""Computes the Prometheus metrics by SQL at scrape time, so that every process reports the same values.

Labels are codes, operators, kinds and states, never a phone number, a name, a member number or a token. Ages
are in seconds by the product's clock, which a demonstration may move. `metrics.sql` holds the queries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import TextClause
from sqlalchemy.orm import Session

from mutuelle import clock
from mutuelle.organisation import mutuelle_day
from mutuelle.reports import statements


@dataclass(frozen=True)
class Metric:
    """A family of samples: its name, its `kind` (`gauge` or `counter`), its help text and its query."""

    name: str
    kind: str
    help: str
    query: TextClause


@dataclass(frozen=True)
class Sample:
    """One sample: labels and value."""

    labels: dict[str, str]
    value: float


def _load() -> tuple[Metric, ...]:
    metrics = []
    for row in statements.load(Path(__file__).with_name("metrics.sql")):
        kind, _, help_text = row.comment.partition(": ")
        metrics.append(Metric(row.name, kind, help_text, row.statement))
    return tuple(metrics)


METRICS = _load()
NAMED = {metric.name: metric for metric in METRICS}


def read(session: Session, *names: str) -> Iterator[tuple[Metric, list[Sample]]]:
    """Yields these metrics with their samples, or all metrics. The session has the role AUDITOR."""
    values = {"now": clock.now(), "zones": mutuelle_day.known_zones(session)}
    for metric in [NAMED[name] for name in names] or METRICS:
        yield metric, [_sample(dict(row)) for row in session.execute(metric.query, values).mappings()]


def _sample(row: dict[str, object]) -> Sample:
    """The sample of a row: the column `value`, and all other columns as labels."""
    return Sample({name: str(row[name]) for name in row if name != "value"}, float(str(row["value"])))


def of_operators(session: Session) -> dict[str, dict[str, float]]:
    """Returns the state of each operator for the health page.

    `last_callback_s` are seconds, `median_credit_s` is over the last day; `rejected_1h`, `accepted_1h` and
    `confirmations_1h` count callbacks and receipts of the last hour.
    """
    operators: dict[str, dict[str, float]] = {}
    names = ("callbacks", "confirmations", "last_callback_seconds", "request_to_credit_seconds")
    for metric, samples in read(session, *names):
        for sample in samples:
            values = operators.setdefault(sample.labels["operator"], {})
            span, quantile = sample.labels.get("span"), sample.labels.get("quantile")
            if metric.name == "last_callback_seconds":
                values["last_callback_s"] = int(sample.value)
            elif quantile == "0.5" and span == "1d":
                values["median_credit_s"] = round(sample.value, 1)
            elif quantile is None and span == "1h":
                values[f"{sample.labels.get('verdict', metric.name)}_1h"] = int(sample.value)
    return operators
