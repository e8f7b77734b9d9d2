"""The regulator's list of indicators: code, unit, name and formula of each, in French and English."""

from dataclasses import dataclass
from enum import StrEnum

Words = tuple[str, str]  # French, English


class Unit(StrEnum):
    """What the numerator of an indicator counts."""

    PEOPLE = "people"
    HOUSEHOLDS = "households"
    MONEY = "money"
    RECEIPTS = "receipts"
    SESSIONS = "sessions"
    SECONDS = "seconds"


class Kind(StrEnum):
    """How an indicator is computed.

    The numerator of a share is part of its denominator, that of a mean or a growth is not. A sum and a median
    have no denominator.
    """

    SHARE = "share"
    MEAN = "mean"
    GROWTH = "growth"
    SUM = "sum"
    MEDIAN = "median"


@dataclass(frozen=True)
class Indicator:
    """One line of the list. `name` and `formula` are French and English."""

    code: str
    unit: Unit
    kind: Kind
    name: Words
    formula: Words


INDICATORS = (
    Indicator(
        "penetration",
        Unit.PEOPLE,
        Kind.SHARE,
        ("Taux de pénétration", "Penetration"),
        (
            "personnes aux droits ouverts le dernier jour du mois / population cible",
            "people with open rights on the last day of the month / target population",
        ),
    ),
    Indicator(
        "open-share",
        Unit.PEOPLE,
        Kind.SHARE,
        ("Inscrits qui ont des droits ouverts", "Enrolled people with open rights"),
        (
            "personnes aux droits ouverts le dernier jour du mois / personnes inscrites depuis le début,"
            " parties comprises",
            "people with open rights on the last day of the month / people ever enrolled",
        ),
    ),
    Indicator(
        "rights-state",
        Unit.HOUSEHOLDS,
        Kind.SHARE,
        ("Ménages par état des droits", "Households by state of rights"),
        (
            "ménages dans cet état le dernier jour du mois (en tout : droits ouverts) / ménages inscrits",
            "households in this state on the last day of the month (whole: open) / households enrolled",
        ),
    ),
    Indicator(
        "renewal",
        Unit.HOUSEHOLDS,
        Kind.SHARE,
        ("Renouvellement", "Renewal"),
        (
            "ménages couverts un an plus tôt et encore couverts le dernier jour du mois / ménages couverts"
            " un an plus tôt",
            "households covered a year earlier and covered on the last day of the month / households covered"
            " a year earlier",
        ),
    ),
    Indicator(
        Kind.GROWTH,
        Unit.PEOPLE,
        Kind.GROWTH,
        ("Croissance sur un an", "Growth over a year"),
        (
            "(personnes aux droits ouverts - les mêmes un an plus tôt) / les mêmes un an plus tôt ; externe"
            " : nouveaux ménages,"
            " interne : ménages restés, perdus : ménages qui ne sont plus couverts",
            "(people with open rights - those a year earlier) / those a year earlier; external: new"
            " households, internal:"
            " households that stayed, lost: households no longer covered",
        ),
    ),
    Indicator(
        "family-size",
        Unit.PEOPLE,
        Kind.MEAN,
        ("Taille moyenne des ménages couverts", "Mean size of covered households"),
        (
            "personnes aux droits ouverts / ménages aux droits ouverts",
            "people with open rights / households with open rights",
        ),
    ),
    Indicator(
        "collection",
        Unit.MONEY,
        Kind.SHARE,
        ("Taux de recouvrement", "Collection rate"),
        (
            "part des membres reçue jusqu'à la fin du mois / part des membres des cotisations échues dans"
            " les 12 derniers mois,"
            " par mois d'échéance, sans le droit d'adhésion",
            "members' share received until the end of the month / members' share of the dues that fell due"
            " in the last 12 months,"
            " by month of due date, without joining fees",
        ),
    ),
    Indicator(
        "subsidy-due",
        Unit.MONEY,
        Kind.SUM,
        ("Subventions dues", "Subsidies due"),
        (
            "part des autres payeurs dans la dernière cotisation échue de chaque ménage aux droits ouverts",
            "the other payers' share of the latest dues of every household with open rights",
        ),
    ),
    Indicator(
        "subsidy-received",
        Unit.MONEY,
        Kind.SHARE,
        ("Subventions reçues", "Subsidies received"),
        (
            "argent reçu jusqu'à la fin du mois pour les demandes envoyées dans les 12 derniers mois / ce"
            " qu'elles demandaient",
            "money received until the end of the month for the claims sent in the last 12 months / what they"
            " asked for",
        ),
    ),
    Indicator(
        "subsidy-wait",
        Unit.SECONDS,
        Kind.MEDIAN,
        ("Attente des subventions", "Age of unpaid claims"),
        (
            "médiane, sur les demandes envoyées et pas entièrement payées ou refusées, du temps écoulé à la"
            " fin du mois",
            "median, over the claims sent and not wholly paid or rejected, of the time passed by the end of"
            " the month",
        ),
    ),
    Indicator(
        "match-rate",
        Unit.RECEIPTS,
        Kind.SHARE,
        ("Paiements rapprochés sans intervention", "Payments matched by themselves"),
        (
            "paiements du mois mis sur un ménage sans qu'une personne s'en occupe / paiements reçus dans le"
            " mois",
            "payments of the month put on a household without anybody's help / payments received in the"
            " month",
        ),
    ),
    Indicator(
        "match-time",
        Unit.SECONDS,
        Kind.MEDIAN,
        ("Délai médian de rapprochement", "Median time to match"),
        (
            "médiane, sur les paiements du mois rapprochés, du temps entre le paiement et sa mise sur un"
            " ménage",
            "median, over the matched payments of the month, of the time from the payment to its household",
        ),
    ),
    Indicator(
        "exempt",
        Unit.HOUSEHOLDS,
        Kind.SHARE,
        ("Couverture des ménages exemptés", "Cover of exempt households"),
        (
            "ménages des listes des registres sociaux qui ont des droits ouverts / ménages de ces listes",
            "households on the lists of social registries with open rights / households on these lists",
        ),
    ),
    Indicator(
        "sessions-acted",
        Unit.SESSIONS,
        Kind.SHARE,
        ("Appels USSD qui aboutissent", "USSD sessions that end in an act"),
        (
            "appels du mois où quelque chose a été confirmé / appels du mois",
            "sessions of the month in which something was confirmed / sessions of the month",
        ),
    ),
    Indicator(
        "join-completion",
        Unit.SESSIONS,
        Kind.SHARE,
        ("Adhésions menées à bout", "Completed enrolments"),
        (
            "appels du mois d'un téléphone pas encore inscrit qui finissent par une adhésion / tous les"
            " appels de ces téléphones",
            "sessions of the month from a phone not yet registered that end in an enrolment / all sessions"
            " from such phones",
        ),
    ),
    Indicator(
        "join-step",
        Unit.SESSIONS,
        Kind.SHARE,
        ("Où s'arrêtent les autres", "Where the others stop"),
        (
            "appels d'un téléphone pas encore inscrit, sans adhésion, finis après tant d'écrans / tous ces"
            " appels sans adhésion",
            "sessions from a phone not yet registered, without enrolment, over after so many screens / all"
            " of these",
        ),
    ),
)
NAMED = {indicator.code: indicator for indicator in INDICATORS}
PLACES = {code: place for place, code in enumerate(NAMED)}
