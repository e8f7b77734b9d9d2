"""Holds a change of a bill after it was issued: when, why, and by how much its shares changed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple


class AdjustmentReason(StrEnum):
    """Why a bill was adjusted, as stored."""

    HOUSEHOLD = "household"
    CATEGORY = "category"
    RULE = "rule"
    CORRECTION = "correction"
    SPONSOR = "sponsor"
    UNOPENED = "unopened"  # it has opened nothing, and follows the rules of today
    EXPIRED = "expired"  # its year is over and it has opened nothing


CORRECTIONS = (AdjustmentReason.CATEGORY, AdjustmentReason.CORRECTION)


class PriceBasis(NamedTuple):
    """What a price follows: the rules from the day `version` on, the category, the years of birth billed."""

    version: date
    category: str | None
    born: tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """By how much a bill's member share and whole price changed on a day, in whole units of either sign.

    `basis` is what the price followed from then on; None where nobody asks who the change is for. A change
    that `asks_anew` corrects what the household was billed as: an increase must be paid for to stay covered.
    """

    on: date
    member: int
    total: int
    basis: PriceBasis | None = None
    asks_anew: bool = False
