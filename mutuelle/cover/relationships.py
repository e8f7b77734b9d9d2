"""Says how a member is related to the head as a bill sees it, and whether the scheme admits that. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from mutuelle.schemes.version_rules import Version

# The day on which it was noted, and the relationship; None when it was noted that it is not known.
NotedRelationship = tuple[date, str | None]


def relationship_on(history: Sequence[NotedRelationship], since: date, day: date) -> str | None:
    """Returns the relationship of a member since `since`, as it was noted on the day `day`, or on joining.

    What is noted later counts from the next bill on, so that the days of this one stay as they were told.
    """
    latest = max(day, since)
    return next((relationship for on, relationship in reversed(history) if on <= latest), None)


class RelatedMember(Protocol):
    """A member as far as the rules of relationships ask."""

    @property
    def head(self) -> bool: ...
    @property
    def since(self) -> date: ...
    @property
    def relationships(self) -> Sequence[NotedRelationship]: ...


def not_admitted(version: Version, person: RelatedMember, day: date) -> bool:
    """Whether the scheme covers no dependant who is related to the head as this one was noted by `day`."""
    relationship = relationship_on(person.relationships, person.since, day)
    admitted = version.dependants.relationships
    return bool(admitted) and not person.head and relationship is not None and relationship not in admitted
