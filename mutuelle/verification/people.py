"""Questions about households and their members: who joined, left or was corrected, as the trail says."""

from mutuelle.verification.question import Question, query

_ENROLLED = """
SELECT h.id FROM households h
LEFT JOIN whole_audit t ON t.tenant_id = h.tenant_id AND t.action = 'enrol'
    AND t.subject = 'household:' || h.id AND abs(extract(epoch FROM t.at - h.joined_at)) < 300
WHERE t.id IS NULL
"""
_GONE = """
SELECT DISTINCT substr(t.subject, 11) FROM whole_audit t
LEFT JOIN households h ON h.tenant_id = t.tenant_id AND 'household:' || h.id = t.subject
WHERE t.subject LIKE 'household:%' AND h.id IS NULL
"""
# Members that joined later have an entry of their own; its first ones did not say the day.
_JOINED_LATER = """
later AS (
    SELECT tenant_id, facts ->> 'member' AS id, facts ->> 'born' AS born, facts ->> 'since' AS since,
        min(at) AS at
    FROM whole_audit WHERE action = 'member-added' GROUP BY 1, 2, 3, 4
)
"""
_COUNT = f"""
WITH {_JOINED_LATER}, counted AS (
    SELECT m.tenant_id, m.household_id, count(*) FILTER (WHERE l.id IS NULL)::text AS people
    FROM members m LEFT JOIN later l ON l.tenant_id = m.tenant_id AND l.id = m.id::text GROUP BY 1, 2
)
SELECT h.id FROM households h
JOIN whole_audit t ON t.tenant_id = h.tenant_id AND t.action = 'enrol' AND t.subject = 'household:' || h.id
LEFT JOIN counted c ON c.tenant_id = h.tenant_id AND c.household_id = h.id
WHERE t.facts ->> 'people' <> coalesce(c.people, '0')
UNION SELECT CAST(substr(t.subject, 11) AS uuid) FROM whole_audit t
LEFT JOIN members m ON m.tenant_id = t.tenant_id AND m.id::text = t.facts ->> 'member'
WHERE t.action = 'member-added' AND 'household:' || m.household_id IS DISTINCT FROM t.subject
"""  # noqa: S608 - only our own text
_SINCE = f"""
WITH {_JOINED_LATER}
SELECT m.id FROM members m
JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id
JOIN tenants t ON t.id = m.tenant_id
LEFT JOIN later l ON l.tenant_id = m.tenant_id AND l.id = m.id::text
WHERE CASE WHEN l.since IS NOT NULL THEN l.since <> m.since::text
    ELSE (coalesce(l.at, h.joined_at) AT TIME ZONE t.zone)::date - m.since NOT BETWEEN 0 AND 1 END
"""  # noqa: S608 - only our own text
_LEFT = """
SELECT m.id FROM members m
JOIN tenants z ON z.id = m.tenant_id
LEFT JOIN whole_audit t ON t.tenant_id = m.tenant_id AND t.action = 'member-left'
    AND t.facts ->> 'member' = m.id::text AND CASE WHEN t.facts ? 'until'
        THEN t.facts ->> 'until' = m.until::text
        ELSE (t.at AT TIME ZONE z.zone)::date - m.until BETWEEN 0 AND 1 END
WHERE (m.until IS NOT NULL AND t.id IS NULL)
UNION SELECT m.id FROM members m
JOIN whole_audit t ON t.tenant_id = m.tenant_id AND t.action = 'member-left'
    AND t.facts ->> 'member' = m.id::text
WHERE m.until IS NULL
"""
# The year that the last correction says, else the one noted when the member was added. Nothing says the years
# of those who enrolled together but the first bill, which holds the years of everybody that it is for.
_YEARS = f"""
WITH {_JOINED_LATER}, corrected AS (
    SELECT DISTINCT ON (tenant_id, facts ->> 'member') tenant_id, facts ->> 'member' AS id,
        facts ->> 'born' AS born
    FROM whole_audit WHERE action = 'member-corrected' ORDER BY tenant_id, facts ->> 'member', at DESC
), before AS (
    SELECT DISTINCT ON (tenant_id, facts ->> 'member') tenant_id, facts ->> 'member' AS id,
        facts ->> 'was' AS born
    FROM whole_audit WHERE action = 'member-corrected' ORDER BY tenant_id, facts ->> 'member', at
), first_bills AS (
    SELECT DISTINCT ON (tenant_id, household_id) tenant_id, household_id, issued, born FROM bills
    WHERE kind = 'dues' ORDER BY tenant_id, household_id, issued
), billed AS (
    SELECT b.tenant_id, b.household_id, year, count(*) AS people
    FROM first_bills b, unnest(b.born) AS year GROUP BY 1, 2, 3
), at_first AS (
    SELECT m.tenant_id, m.household_id, least(coalesce(e.born::integer, m.birth_year),
        extract(year FROM b.issued)::integer) AS year, count(*) AS people
    FROM members m
    JOIN first_bills b ON b.tenant_id = m.tenant_id AND b.household_id = m.household_id
    LEFT JOIN later l ON l.tenant_id = m.tenant_id AND l.id = m.id::text
    LEFT JOIN before e ON e.tenant_id = m.tenant_id AND e.id = m.id::text
    WHERE l.id IS NULL GROUP BY 1, 2, 3
)
SELECT 'member ' || m.id FROM members m
LEFT JOIN later l ON l.tenant_id = m.tenant_id AND l.id = m.id::text
LEFT JOIN corrected c ON c.tenant_id = m.tenant_id AND c.id = m.id::text
WHERE coalesce(c.born, l.born) <> m.birth_year::text
UNION SELECT 'household ' || b.household_id FROM billed b
LEFT JOIN at_first f ON f.tenant_id = b.tenant_id AND f.household_id = b.household_id AND f.year = b.year
WHERE b.people > coalesce(f.people, 0)
"""  # noqa: S608 - only our own text
_HEADS = """
SELECT h.id FROM households h
LEFT JOIN members m ON m.tenant_id = h.tenant_id AND m.household_id = h.id AND m.kind = 'head'
    AND m.until IS NULL
GROUP BY h.tenant_id, h.id HAVING count(m.id) > 1
"""
# A member that was enrolled as a student has no entry about it.
_STUDENTS = """
SELECT m.id FROM members m
JOIN (SELECT DISTINCT ON (tenant_id, facts ->> 'member') tenant_id, facts ->> 'member' AS id,
        action = 'member-studies' AS student
    FROM whole_audit WHERE action IN ('member-studies', 'member-studies-no-more')
    ORDER BY tenant_id, facts ->> 'member', at DESC) t ON t.tenant_id = m.tenant_id AND t.id = m.id::text
WHERE m.student <> t.student
"""
_CLASS_MEMBER = """
SELECT c.id FROM member_classes c
JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id
WHERE m.household_id <> c.household_id OR c.since < m.since OR c.since > m.until OR EXISTS (
    SELECT FROM member_classes o
    WHERE o.tenant_id = c.tenant_id AND o.member_id = c.member_id AND o.code = c.code AND o.id > c.id
    AND o.since <= coalesce(c.until, 'infinity') AND c.since <= coalesce(o.until, 'infinity'))
"""
_CLASS_TRAIL = """
SELECT c.id FROM member_classes c
CROSS JOIN LATERAL (VALUES ('rule-noted', true), ('rule-ended', c.until IS NOT NULL)) s (action, due)
LEFT JOIN whole_audit t ON t.tenant_id = c.tenant_id AND t.action = s.action
    AND t.subject = 'household:' || c.household_id AND t.facts ->> 'noted' = c.id::text
WHERE s.due AND t.id IS NULL
"""
_DEADLINE = """
SELECT k.id FROM tickets k JOIN tenants t ON t.id = k.tenant_id
WHERE k.deadline <= (k.opened_at AT TIME ZONE t.zone)::date
"""
_TICKET_TRAIL = """
SELECT k.id FROM tickets k
CROSS JOIN LATERAL (VALUES ('appeal-opened', true), ('appeal-answered', k.state <> 'open')) s (action, due)
LEFT JOIN whole_audit t ON t.tenant_id = k.tenant_id AND t.action = s.action
    AND t.subject = 'household:' || k.household_id AND t.facts ->> 'ticket' = k.id::text
WHERE s.due AND t.id IS NULL
"""
# The reminder run of a day after the promised day ends the promise.
_PROMISE_END = """
SELECT p.id FROM promises p WHERE p.state = 'open' AND EXISTS (SELECT FROM reminder_runs r
    WHERE r.tenant_id = p.tenant_id AND r.day > p.day AND r.ended_at IS NOT NULL)
"""
_PROMISE_TRAIL = """
SELECT p.id FROM promises p
LEFT JOIN whole_audit t ON t.tenant_id = p.tenant_id AND t.action = 'promise'
    AND t.subject = 'household:' || p.household_id AND t.facts ->> 'amount' = p.amount::text
    AND t.facts ->> 'day' = p.day::text
WHERE t.id IS NULL
"""

QUESTIONS: tuple[Question, ...] = (
    query(
        "household-trail",
        "I8",
        "The trail says that each household enrolled at the moment it joined.",
        "household {}",
        _ENROLLED,
    ),
    query("household-gone", "I8", "A household that the trail names exists.", "household {}", _GONE),
    query(
        "household-people",
        "I5",
        "A household has the members that it enrolled with, and those that were added.",
        "household {}",
        _COUNT,
    ),
    query("household-head", "I5", "No household has two heads.", "household {}", _HEADS),
    query(
        "member-since",
        "I5",
        "A member belongs to the household from the day it joined or was added.",
        "member {}",
        _SINCE,
    ),
    query(
        "member-left",
        "I5",
        "A member has left on the day that the trail says, or is there.",
        "member {}",
        _LEFT,
    ),
    query(
        "member-birth-year",
        "I5",
        "A member's year of birth is the one that was billed first, added or last corrected.",
        "{}",
        _YEARS,
    ),
    query(
        "member-student",
        "I5",
        "Whether a member studies is what the trail said last.",
        "member {}",
        _STUDENTS,
    ),
    query(
        "class-member",
        "I5",
        "A member's status belongs to a member of its household, once a day.",
        "class {}",
        _CLASS_MEMBER,
    ),
    query(
        "class-trail",
        "I8",
        "The trail says when each status of a member was noted and ended.",
        "class {}",
        _CLASS_TRAIL,
    ),
    query(
        "ticket-deadline", "I12", "An appeal has a deadline after the day it came.", "ticket {}", _DEADLINE
    ),
    query(
        "ticket-trail",
        "I8",
        "The trail says when each appeal was opened and answered.",
        "ticket {}",
        _TICKET_TRAIL,
    ),
    query("promise-end", "I4", "A promise whose day is over has an end.", "promise {}", _PROMISE_END),
    query(
        "promise-trail",
        "I8",
        "The trail names each promise with its amount and day.",
        "promise {}",
        _PROMISE_TRAIL,
    ),
)
