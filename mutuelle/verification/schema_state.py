"""Reads what a database refuses and hides, as text that PostgreSQL 15 to 18 give alike.

Names of logins are left out: `<owner>` is the owner of the schema. Roles of a deployer count where they may
change our tables, not where they only read; tables and functions that are not ours do not count.
"""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

SchemaState = Mapping[str, Mapping[str, str]]

# `is_ours` tells our roles, PUBLIC (0) and the owner from those of a deployer.
_BASE = """
WITH owner AS (SELECT relowner AS oid FROM pg_class WHERE oid = 'public.alembic_version'::regclass),
named AS (
    SELECT r.oid, CASE WHEN r.oid = o.oid THEN '<owner>' ELSE r.rolname::text END AS name,
        r.oid = o.oid OR r.rolname LIKE 'mutuelle\\_%' AND NOT r.rolcanlogin AS is_ours
    FROM pg_roles r, owner o
    UNION ALL SELECT 0, 'PUBLIC', true
),
tables AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND (c.relname = ANY(:tables) OR cardinality(CAST(:tables AS text[])) = 0)
    AND c.relname <> 'alembic_version'
),
functions AS (
    SELECT p.* FROM pg_proc p JOIN named n ON n.oid = p.proowner
    WHERE p.pronamespace = 'public'::regnamespace AND (p.prosecdef OR n.is_ours)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
)
"""
_COLUMNS = """
SELECT t.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'not null' END, CASE a.attgenerated WHEN 's' THEN 'stored' END,
    pg_get_expr(d.adbin, d.adrelid))
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
"""
# From 18 on, NOT NULL is a constraint as well: the columns say it.
_CONSTRAINTS = """
SELECT t.relname || ' ' || c.conname, pg_get_constraintdef(c.oid)
    || CASE WHEN c.convalidated THEN '' ELSE ' not valid' END
FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
"""
_INDEXES = """
SELECT t.relname || ' ' || c.relname, pg_get_indexdef(i.indexrelid)
    || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' not valid' END
FROM tables t
JOIN pg_index i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion)
JOIN pg_class c ON c.oid = i.indexrelid
"""
# A foreign key has triggers of its own, which can be put to sleep. A rule rewrites what is asked.
_TRIGGERS = """
SELECT t.relname || ' ' || g.tgname, pg_get_triggerdef(g.oid)
    || CASE WHEN g.tgenabled IN ('O', 'A') THEN '' ELSE ' asleep' END
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL SELECT DISTINCT t.relname || ' ' || c.conname, 'foreign key asleep'
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')
JOIN pg_constraint c ON c.oid = g.tgconstraint
UNION ALL SELECT t.relname || ' rule ' || r.rulename, pg_get_ruledef(r.oid)
FROM tables t JOIN pg_rewrite r ON r.ev_class = t.oid
"""
_FUNCTIONS = """
SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', concat_ws(' ',
    'returns', pg_get_function_result(p.oid), l.lanname, p.provolatile,
    CASE WHEN p.prosecdef THEN 'security definer' END, array_to_string(p.proconfig, ' '),
    'body', encode(sha256(convert_to(p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), ''), 'UTF8')),
        'hex'))
FROM functions p JOIN pg_language l ON l.oid = p.prolang
"""
# Versions of PostgreSQL qualify columns and break lines differently.
_VIEWS = """
SELECT c.relname::text,
    regexp_replace(regexp_replace(pg_get_viewdef(c.oid), '\\m[a-z_]+[.]', '', 'g'), '\\s+', ' ', 'g')
    || coalesce(array_to_string(c.reloptions, ' '), '')
FROM pg_class c JOIN owner o ON o.oid = c.relowner
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
"""
_ROW_SECURITY = """
SELECT t.relname::text, CASE WHEN t.relrowsecurity THEN 'on' ELSE 'off' END
    || CASE WHEN t.relforcerowsecurity THEN ', forced' ELSE ', not forced' END
FROM tables t
"""
_POLICIES = """
SELECT t.relname || ' ' || p.polname, concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' END,
    CASE p.polcmd WHEN '*' THEN 'all' WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
        ELSE 'delete' END, 'to', (SELECT string_agg(n.name, ', ' ORDER BY n.name) FROM named n
        WHERE n.oid = ANY(p.polroles)), 'using', pg_get_expr(p.polqual, p.polrelid),
    'check', pg_get_expr(p.polwithcheck, p.polrelid))
FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
WHERE p.polcmd <> 'r' OR EXISTS (SELECT FROM named n WHERE n.oid = ANY(p.polroles) AND n.is_ours)
"""
# What an owner may do with its own is no grant.
_GRANTS = """
SELECT g.object || ' to ' || n.name,
    string_agg(g.privilege || CASE WHEN g.grantable THEN ' with grant' ELSE '' END, ', ' ORDER BY g.privilege)
FROM (
    SELECT t.relname::text AS object, t.relowner AS owner, a.grantee, a.privilege_type AS privilege,
        a.is_grantable AS grantable
    FROM tables t, aclexplode(t.relacl) a
    UNION ALL SELECT t.relname || '.' || c.attname, t.relowner, a.grantee, a.privilege_type, a.is_grantable
    FROM tables t JOIN pg_attribute c ON c.attrelid = t.oid AND NOT c.attisdropped, aclexplode(c.attacl) a
    UNION ALL SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proowner,
        a.grantee, a.privilege_type, a.is_grantable
    FROM functions p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    UNION ALL SELECT 'schema public', s.nspowner, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_namespace s, aclexplode(s.nspacl) a WHERE s.oid = 'public'::regnamespace
) g
JOIN named n ON n.oid = g.grantee
WHERE g.grantee <> g.owner AND (n.is_ours AND n.name <> '<owner>' OR g.object <> 'schema public'
    AND g.privilege IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'EXECUTE'))
GROUP BY g.object, n.name
"""
_OWNERS = """
SELECT o.object, n.name FROM (
    SELECT relname::text AS object, relowner AS owner FROM tables
    UNION ALL SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')', proowner FROM functions
) o JOIN named n ON n.oid = o.owner
"""
_ROLES = """
SELECT r.rolname::text, concat_ws(', ', CASE WHEN r.rolcanlogin THEN 'logs in' END,
    CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolbypassrls THEN 'bypasses row security' END,
    CASE WHEN r.rolcreaterole THEN 'creates roles' END, (SELECT string_agg('member of ' || g.rolname, ', ')
        FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid))
FROM pg_roles r WHERE r.rolname = ANY(ARRAY['mutuelle_app', 'mutuelle_worker', 'mutuelle_federation',
    'mutuelle_auditor', 'mutuelle_resolver', 'mutuelle_console'])
"""
# Settings that would put triggers to sleep or policies aside in every session.
_SETTINGS = """
SELECT coalesce(n.name, 'every role') || ' ' || split_part(c, '=', 1), split_part(c, '=', 2)
FROM pg_db_role_setting s
LEFT JOIN named n ON n.oid = s.setrole AND s.setrole <> 0, unnest(s.setconfig) c
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND (s.setrole = 0 OR n.is_ours)
    AND split_part(c, '=', 1) IN ('session_replication_role', 'row_security', 'role', 'search_path',
        'default_transaction_read_only')
"""
SECTIONS = {
    "columns": _COLUMNS,
    "constraints": _CONSTRAINTS,
    "indexes": _INDEXES,
    "triggers": _TRIGGERS,
    "functions": _FUNCTIONS,
    "views": _VIEWS,
    "row security": _ROW_SECURITY,
    "policies": _POLICIES,
    "grants": _GRANTS,
    "owners": _OWNERS,
    "roles": _ROLES,
    "settings": _SETTINGS,
}
_VERSION = text("SELECT version_num FROM alembic_version")
_READABLE = text(
    "SELECT to_regclass('public.alembic_version') IS NOT NULL"
    " AND has_table_privilege('public.alembic_version', 'SELECT')"
)


def read_section(session: Session, section: str, tables: list[str]) -> dict[str, str]:
    """Returns one section of `SECTIONS`: text by object. Only of `tables`, or of all if there are none."""
    rows = session.execute(text(_BASE + SECTIONS[section]), {"tables": tables})
    return dict(sorted((str(key), str(value)) for key, value in rows))


def version(session: Session) -> str | None:
    """Returns the version of the schema. None if the transaction may not read it: before 0021 it may not."""
    return str(session.scalar(_VERSION)) if session.scalar(_READABLE) else None
