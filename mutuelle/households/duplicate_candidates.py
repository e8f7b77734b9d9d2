"""Scores whether two members of different households are likely one person, with the reasons. Pure.

The rule is in docs/duplicates.md. The name and the year of birth alone never make a pair: a second sign must
agree. The signs are found by `likely_duplicates` in the database, which shows no name of another mutuelle.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

LIKELY = 70  # the score from which a person has to look
SAME_NAME = 40
SAME_YEAR = 20
NEAR_YEAR = 10  # one year apart: years of birth are estimates
OTHER_MEMBER = 15  # for each of at most OTHERS_MOST; by chance, one more agrees in many large federations
OTHERS_MOST = 2
SAME_MUTUELLE = 10
# One mutuelle is a sign for a rare name only: at most so many of its members have it besides the two.
NAMESAKES = 1
SAME_NUMBER = 60
SAME_PHONE = 30


class DuplicateReason(StrEnum):
    """What speaks for one person, in the order in which a page shows it; the values are stored."""

    NAME = "name"
    YEAR = "year"
    YEAR_NEAR = "year-near"
    OTHERS = "others"
    NUMBER = "number"
    PHONE = "phone"
    MUTUELLE = "mutuelle"


POINTS = {
    DuplicateReason.NAME: SAME_NAME,
    DuplicateReason.YEAR: SAME_YEAR,
    DuplicateReason.YEAR_NEAR: NEAR_YEAR,
    DuplicateReason.OTHERS: OTHER_MEMBER,
    DuplicateReason.NUMBER: SAME_NUMBER,
    DuplicateReason.PHONE: SAME_PHONE,
    DuplicateReason.MUTUELLE: SAME_MUTUELLE,
}


@dataclass(frozen=True)
class DuplicateCandidate:
    """A member of our mutuelle, a member of another household, and what agrees.

    `number` is a member number. `is_earlier` tells whether ours is the earlier membership. `same_mutuelle`
    is about a name that is rare there, `same_number` about a checked proof. `others` counts the other members
    of both households that agree in name and year.
    """

    household_id: UUID
    member_id: UUID
    number: str
    other_tenant_id: UUID
    other_household_id: UUID
    other_member_id: UUID
    other_number: str
    is_earlier: bool
    same_name: bool
    years_apart: int
    same_mutuelle: bool
    same_number: bool
    same_phone: bool
    others: int

    @property
    def reasons(self) -> tuple[DuplicateReason, ...]:
        """What agrees, in the order of `DuplicateReason`."""
        agrees = {
            DuplicateReason.NAME: self.same_name,
            DuplicateReason.YEAR: self.years_apart == 0,
            DuplicateReason.YEAR_NEAR: self.years_apart == 1,
            DuplicateReason.OTHERS: self.others > 0,
            DuplicateReason.NUMBER: self.same_number,
            DuplicateReason.PHONE: self.same_phone,
            DuplicateReason.MUTUELLE: self.same_mutuelle,
        }
        return tuple(reason for reason in DuplicateReason if agrees[reason])

    @property
    def score(self) -> int:
        """The points of the reasons; those of other members count for each of two."""
        further = max(0, min(self.others, OTHERS_MOST) - 1)
        return sum(POINTS[reason] for reason in self.reasons) + further * OTHER_MEMBER

    @property
    def is_likely(self) -> bool:
        """Whether a person has to look: the score is high enough, and more than name and year agree."""
        return self.score >= LIKELY
