"""Indicators: what a regulator reads of one mutuelle and one month, each with its formula, numerator and
denominator.

All stand as of the last day of the month. They are counted from facts that carry a date, so a past month told
again says the same. One thing may still move it, and must: money that moved in the month and is found later
counts for rights on the day it moved (`rights.py`), so the people covered on a past day can grow by who had
paid in time. What the books had received and matched counts by the moment it was written, and never changes.
The queries stand in `indicators.sql`; whoever asks them is the auditor, and each names the one mutuelle it is
about.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from mutuelle.errors import Malformed
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import daybook, statements
from mutuelle.schemes import schemes
from mutuelle.schemes.versions import months_after

Unit = Literal["people", "households", "money", "receipts", "sessions", "seconds"]
Kind = Literal["share", "mean", "growth", "sum", "median"]
Words = tuple[str, str]  # French, English
COHORTS = 12  # months of bills whose collection is told


@dataclass(frozen=True)
class Indicator:
    """One line of the regulator's list. `name` and `formula` are French and English; `unit` is what the
    numerator counts.

    A `share` has its numerator in its denominator; a `mean` and a `growth` have not; a `sum` and a `median`
    have none.
    """

    code: str
    unit: Unit
    kind: Kind
    name: Words
    formula: Words


@dataclass(frozen=True)
class Month:
    """A month of a mutuelle's calendar. `last` is its last day, or today while it runs; then it is not
    `over`."""

    first: date
    last: date
    over: bool

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"


@dataclass(frozen=True)
class Reading:
    """One value: the whole, or where `by` is told the part `slice` of it. `behind` is how many people,
    households, receipts or sessions the numerator stands for; a denominator of None is not known, or not
    needed."""

    code: str
    by: str
    slice: str
    numerator: int
    denominator: int | None
    behind: int

    @property
    def per_mille(self) -> int | None:
        """The quotient in thousandths, halves away from 0; None without a denominator."""
        if not self.denominator:
            return None
        whole = (2000 * abs(self.numerator) + self.denominator) // (2 * self.denominator)
        return -whole if self.numerator < 0 else whole


INDICATORS = (
    Indicator(
        "penetration",
        "people",
        "share",
        ("Taux de pénétration", "Penetration"),
        (
            "personnes aux droits ouverts le dernier jour du mois / population cible",
            "people with open rights on the last day of the month / target population",
        ),
    ),
    Indicator(
        "open-share",
        "people",
        "share",
        ("Inscrits qui ont des droits ouverts", "Enrolled people with open rights"),
        (
            "personnes aux droits ouverts le dernier jour du mois / personnes inscrites depuis le début, parties comprises",
            "people with open rights on the last day of the month / people ever enrolled",
        ),
    ),
    Indicator(
        "rights-state",
        "households",
        "share",
        ("Ménages par état des droits", "Households by state of rights"),
        (
            "ménages dans cet état le dernier jour du mois (en tout : droits ouverts) / ménages inscrits",
            "households in this state on the last day of the month (whole: open) / households enrolled",
        ),
    ),
    Indicator(
        "renewal",
        "households",
        "share",
        ("Renouvellement", "Renewal"),
        (
            "ménages couverts un an plus tôt et encore couverts le dernier jour du mois / ménages couverts un an plus tôt",
            "households covered a year earlier and covered on the last day of the month / households covered a year earlier",
        ),
    ),
    Indicator(
        "growth",
        "people",
        "growth",
        ("Croissance sur un an", "Growth over a year"),
        (
            "(personnes aux droits ouverts - les mêmes un an plus tôt) / les mêmes un an plus tôt ; externe : nouveaux ménages,"
            " interne : ménages restés, perdus : ménages qui ne sont plus couverts",
            "(people with open rights - those a year earlier) / those a year earlier; external: new households, internal:"
            " households that stayed, lost: households no longer covered",
        ),
    ),
    Indicator(
        "family-size",
        "people",
        "mean",
        ("Taille moyenne des ménages couverts", "Mean size of covered households"),
        (
            "personnes aux droits ouverts / ménages aux droits ouverts",
            "people with open rights / households with open rights",
        ),
    ),
    Indicator(
        "collection",
        "money",
        "share",
        ("Taux de recouvrement", "Collection rate"),
        (
            "part des membres reçue jusqu'à la fin du mois / part des membres des cotisations échues dans les 12 derniers mois,"
            " par mois d'échéance, sans le droit d'adhésion",
            "members' share received until the end of the month / members' share of the dues that fell due in the last 12 months,"
            " by month of due date, without joining fees",
        ),
    ),
    Indicator(
        "subsidy-due",
        "money",
        "sum",
        ("Subventions dues", "Subsidies due"),
        (
            "part des autres payeurs dans la dernière cotisation échue de chaque ménage aux droits ouverts",
            "the other payers' share of the latest dues of every household with open rights",
        ),
    ),
    Indicator(
        "subsidy-received",
        "money",
        "share",
        ("Subventions reçues", "Subsidies received"),
        (
            "argent reçu des payeurs jusqu'à la fin du mois / ce qui leur a été demandé jusque-là",
            "money received from payers until the end of the month / what was asked of them until then",
        ),
    ),
    Indicator(
        "subsidy-wait",
        "seconds",
        "median",
        ("Attente des subventions", "Age of unpaid claims"),
        (
            "médiane, sur les demandes envoyées et pas entièrement payées ou refusées, du temps écoulé à la fin du mois",
            "median, over the claims sent and not wholly paid or rejected, of the time passed by the end of the month",
        ),
    ),
    Indicator(
        "match-rate",
        "receipts",
        "share",
        ("Paiements rapprochés sans intervention", "Payments matched by themselves"),
        (
            "paiements du mois mis sur un ménage sans qu'une personne s'en occupe / paiements reçus dans le mois",
            "payments of the month put on a household without anybody's help / payments received in the month",
        ),
    ),
    Indicator(
        "match-time",
        "seconds",
        "median",
        ("Délai médian de rapprochement", "Median time to match"),
        (
            "médiane, sur les paiements du mois rapprochés, du temps entre le paiement et sa mise sur un ménage",
            "median, over the matched payments of the month, of the time from the payment to its household",
        ),
    ),
    Indicator(
        "exempt",
        "households",
        "share",
        ("Couverture des ménages exemptés", "Cover of exempt households"),
        (
            "ménages aux droits ouverts parmi ceux dont la catégorie est prouvée / ménages dont la catégorie est prouvée",
            "households with open rights among those of a proven category / households of a proven category",
        ),
    ),
    Indicator(
        "sessions-acted",
        "sessions",
        "share",
        ("Appels USSD qui aboutissent", "USSD sessions that end in an act"),
        (
            "appels du mois où quelque chose a été confirmé / appels du mois",
            "sessions of the month in which something was confirmed / sessions of the month",
        ),
    ),
    Indicator(
        "join-completion",
        "sessions",
        "share",
        ("Adhésions menées à bout", "Completed enrolments"),
        (
            "appels du mois d'un téléphone pas encore inscrit qui finissent par une adhésion / tous les appels de ces téléphones",
            "sessions of the month from a phone not yet registered that end in an enrolment / all sessions from such phones",
        ),
    ),
    Indicator(
        "join-step",
        "sessions",
        "share",
        ("Où s'arrêtent les autres", "Where the others stop"),
        (
            "appels d'un téléphone pas encore inscrit, sans adhésion, finis après tant d'écrans / tous ces appels sans adhésion",
            "sessions from a phone not yet registered, without enrolment, over after so many screens / all of these",
        ),
    ),
)
NAMED = {indicator.code: indicator for indicator in INDICATORS}
PLACES = {code: place for place, code in enumerate(NAMED)}


_STATEMENTS = statements.load(Path(__file__).with_name("indicators.sql"))
# The members of a large mutuelle are then sorted in memory and not on disk.
_WORK_MEM = text("SELECT set_config('work_mem', '64MB', true)")


def month(told: str, today: date) -> Month:
    """The month `2026-11` as of the local date `today`. Malformed: not a month, or one that has not begun."""
    if not re.fullmatch(r"\d{4}-\d{2}", told):
        raise Malformed("a month is told as 2026-11")
    try:
        first = date.fromisoformat(f"{told}-01")
        last = months_after(first, 1) - timedelta(1)
    except ValueError as error:
        raise Malformed(f"there is no month {told}") from error
    if first > today:
        raise Malformed(f"the month {told} has not begun")
    return Month(first, min(last, today), last < today)


def last_over(today: date) -> Month:
    """The newest month that is over."""
    return month(f"{today.replace(day=1) - timedelta(1):%Y-%m}", today)


def read(session: Session, tenant: Tenant, of: Month, target: int | None) -> list[Reading]:
    """Every value of one mutuelle, the whole before its parts; `target` is its target population, None when
    nobody told it."""
    rules = schemes.get(tenant.scheme).on(of.last)
    since, _ = daybook.day_bounds(of.first, tenant.zone)
    _, until = daybook.day_bounds(of.last, tenant.zone)
    asked = {
        "tenant": tenant.id,
        "last": of.last,
        "year_ago": months_after(of.first, -11) - timedelta(1) if of.over else months_after(of.last, -12),
        "cohorts_from": months_after(of.first, 1 - COHORTS),
        "since": since,
        "until": until,
        "target": target,
        "people_max": rules.household.people_max,
        "spared_below": rules.waiting.waived_below,
    }
    session.execute(_WORK_MEM)
    rows = [
        row
        for query in _STATEMENTS
        for row in session.execute(query.statement, asked)
        if row.numerator is not None
    ]
    found = [
        Reading(row.code, row.by, row.slice, int(row.numerator), _whole(row.denominator), int(row.behind))
        for row in rows
    ]
    return sorted(found, key=lambda one: (PLACES[one.code], one.by, one.slice))


def _whole(denominator: object) -> int | None:
    return None if denominator is None else int(str(denominator))
