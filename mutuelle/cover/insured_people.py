"""Loads a household's members, past and present, with their dated statuses, for the rights rules."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mutuelle import pipeline
from mutuelle.cover.member_rights import DatedStatus, InsuredPerson


def statement(tenant_id: UUID, household_id: UUID) -> pipeline.Statement:
    """The statement whose rows `read` takes, to be sent together with others."""
    return _PEOPLE, {"tenant": tenant_id, "home": household_id}


def load(session: Session, tenant_id: UUID, household_id: UUID) -> list[InsuredPerson]:
    """All members of the household, past and present, as changed so far in this transaction."""
    session.flush()  # a pipeline does not see changed objects that are not flushed
    (rows,) = pipeline.query(session, statement(tenant_id, household_id))
    return read(rows)


def read(rows: Sequence[Any]) -> list[InsuredPerson]:
    """The members in the rows of `statement`."""
    day = date.fromisoformat
    return [
        InsuredPerson(
            id=row.id,
            head=row.head,
            born=row.birth_year,
            since=row.since,
            until=row.until,
            student=row.student,
            statuses=tuple(
                DatedStatus(code, day(since), day(until) if until else None)
                for code, since, until in row.statuses
            ),
            relationships=tuple((day(on), relationship) for on, relationship in row.relationships),
        )
        for row in rows
    ]


_PEOPLE = """
SELECT id, kind = 'head' AS head, birth_year, since, until, student, relationships,
    (SELECT coalesce(json_agg(json_build_array(c.code, c.since, c.until) ORDER BY c.since, c.id), '[]')
        FROM member_classes c
        WHERE c.tenant_id = members.tenant_id AND c.member_id = members.id) AS statuses
FROM members WHERE tenant_id = %(tenant)s AND household_id = %(home)s
"""
