"""Formats indicators for managers and the public: lines in French and English, percents, sums, CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from babel.dates import format_date

from gateway.console import words
from mutuelle.money import Money
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports.disclosure import PublicReading
from mutuelle.reports.indicator_list import INDICATORS, NAMED, Indicator, Kind, Unit
from mutuelle.reports.indicators import Reading
from mutuelle.schemes import schemes

Value = Reading | PublicReading
NOTES = (
    (
        "Le sexe et le district des membres ne sont pas enregistrés ; l'équité se lit par langue et par voie "
        "d'inscription.",
        "Members' sex and district are not recorded; equity is shown by language and by channel.",
    ),
    (
        "La sinistralité et le ratio de frais demandent les coûts des soins et du fonctionnement, que ce "
        "logiciel ne tient pas.",
        "Loss and running-cost ratios need the costs of care and of running, which this software does not "
        "hold.",
    ),
    (
        "Un paiement que l'opérateur signale en retard compte pour les droits au jour où il a été fait : les "
        "personnes couvertes d'un mois passé peuvent donc augmenter. Les sommes reçues et rapprochées d'un "
        "mois clos ne changent plus.",
        "A payment that the operator tells late counts for rights on the day it was made: people covered in "
        "a past month may therefore grow. Sums received and matched in a month that is over never change.",
    ),
)


class Breakdown(StrEnum):
    """What an indicator is broken down by."""

    LANGUAGE = "language"
    CHANNEL = "channel"
    STATE = "state"
    PART = "part"
    COHORT = "cohort"
    PAYER = "payer"
    OPERATOR = "operator"
    CATEGORY = "category"
    NETWORK = "network"
    STEP = "step"


# The names of the breakdowns: French, English.
KINDS: dict[str, words.Pair] = {
    Breakdown.LANGUAGE: ("par langue", "by language"),
    Breakdown.CHANNEL: ("par voie d'inscription", "by channel"),
    Breakdown.STATE: ("par état", "by state"),
    Breakdown.PART: ("d'où elle vient", "where it comes from"),
    Breakdown.COHORT: ("par mois d'échéance", "by month of due date"),
    Breakdown.PAYER: ("par payeur", "by payer"),
    Breakdown.OPERATOR: ("par opérateur", "by operator"),
    Breakdown.CATEGORY: ("par catégorie", "by category"),
    Breakdown.NETWORK: ("par réseau téléphonique", "by telephone network"),
    Breakdown.STEP: ("par nombre d'écrans", "by number of screens"),
}
PARTS: dict[str, dict[str, words.Pair]] = {
    Breakdown.LANGUAGE: {
        "fr": ("français", "French"),
        "en": ("anglais", "English"),
        "?": ("inconnue", "unknown"),
    },
    Breakdown.CHANNEL: {"ussd": ("par son téléphone", "own telephone"), "agent": ("par un agent", "agent")},
    Breakdown.STATE: words.RIGHTS,
    Breakdown.PART: {
        "external": ("externe", "external"),
        "internal": ("interne", "internal"),
        "lost": ("perdus", "lost"),
    },
    Breakdown.PAYER: {
        "state": ("État", "State"),
        "commune": ("communes", "communes"),
        "sponsor": ("parrains", "sponsors"),
    },
    Breakdown.NETWORK: {"?": ("inconnu", "unknown")},
    Breakdown.STEP: {
        "?": ("inconnu", "unknown"),
        "1": ("1 écran", "1 screen"),
        "9+": ("9 écrans ou plus", "9 screens or more"),
    },
}


@dataclass(frozen=True)
class IndicatorSlice:
    """One part of an indicator, with its name."""

    name: words.Pair
    value: Value


@dataclass
class IndicatorLine:
    """One indicator: the whole, if there is one, and its parts by kind."""

    indicator: Indicator
    whole: Value | None = None
    parts: dict[str, list[IndicatorSlice]] = field(default_factory=dict)


def lines(tenant: Tenant, readings: Iterable[Value]) -> list[IndicatorLine]:
    """Returns one line for every indicator, in the order of the list."""
    by_code = {indicator.code: IndicatorLine(indicator) for indicator in INDICATORS}
    for reading in readings:
        line = by_code[reading.code]
        if reading.by:
            part = IndicatorSlice(part_name(tenant, reading.by, reading.slice), reading)
            line.parts.setdefault(reading.by, []).append(part)
        else:
            line.whole = reading
    return list(by_code.values())


def part_name(tenant: Tenant, by: str, code: str) -> words.Pair:
    """Returns the name of a part of an indicator, or its code where it has no name."""
    if code in PARTS.get(by, {}):
        return PARTS[by][code]
    if by == Breakdown.OPERATOR:
        name = words.OPERATORS.get(code, code.capitalize())
        return name, name
    if by == Breakdown.COHORT:
        month = date.fromisoformat(f"{code}-01")
        return format_date(month, "MMMM y", locale="fr"), format_date(month, "MMMM y", locale="en")
    if by == Breakdown.CATEGORY:
        labels = {
            category.code: category.label
            for version in schemes.get(tenant.scheme).versions
            for category in version.categories
        }
        label = labels.get(code, {})
        return label.get("fr", code), label.get("en", code)
    return (f"{code} écrans", f"{code} screens") if by == Breakdown.STEP else (code, code)


def quotient(reading: Value | None) -> str:
    """`43,8 %`, `+40,0 %`, `3,50`; `-` for an unknown value."""
    if reading is None or reading.per_mille is None:
        return "-"
    kind, thousandths = NAMED[reading.code].kind, reading.per_mille
    if kind == Kind.MEAN:
        return f"{(thousandths + 5) // 10 / 100:.2f}".replace(".", ",")
    sign = "+" if kind == Kind.GROWTH and thousandths > 0 else ""
    return f"{sign}{thousandths / 10:.1f}".replace(".", ",") + "\u00a0%"


def count(number: int | str | None, code: str, currency: str) -> str:
    """A numerator or a denominator with its unit: `24 500 FCFA`, `1 min`, `14 j` (days), `12`, `<5`."""
    if not isinstance(number, int):
        return "-" if number is None else number
    unit = NAMED[code].unit
    if unit == Unit.MONEY:
        return str(Money(number, currency)).replace(" ", "\u00a0")
    if unit == Unit.SECONDS:
        return _duration(number)
    return f"{number:,}".replace(",", "\u00a0")


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds}\u00a0s"
    if seconds < 7200:
        return f"{seconds // 60}\u00a0min"
    hours = seconds // 3600
    return f"{hours}\u00a0h" if hours < 72 else f"{hours // 24}\u00a0j"


HEAD = ("mutuelle", "month", "indicator", "by", "slice", "numerator", "denominator", "per_mille", "unit")


def as_csv(rows: Iterable[tuple[str, str, Value]]) -> str:
    """Returns rows of (mutuelle, month, value) as CSV of RFC 4180, with a head."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(HEAD)
    table.writerows(_row(mutuelle, month, reading) for mutuelle, month, reading in rows)
    return text.getvalue()


def _row(mutuelle: str, month: str, reading: Value) -> Iterator[int | str | None]:
    yield from (mutuelle, month, reading.code, reading.by, reading.slice)
    yield from (reading.numerator, reading.denominator, reading.per_mille, NAMED[reading.code].unit)


FILTERS = {"quotient": quotient, "kind_fr": lambda by: KINDS[by][0], "kind_en": lambda by: KINDS[by][1]}
