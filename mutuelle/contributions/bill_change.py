"""Holds a change of a bill after it was issued: when, why, and by how much its shares changed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class AdjustmentReason(StrEnum):
    """Why a bill was adjusted, as stored."""

    HOUSEHOLD = "household"
    CATEGORY = "category"
    RULE = "rule"
    CORRECTION = "correction"
    SPONSOR = "sponsor"


@dataclass(frozen=True)
class Change:
    """By how much a bill's member share and whole price changed on a day, in whole units of either sign."""

    on: date
    member: int
    total: int
