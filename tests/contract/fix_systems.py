"""Every configured system, a database with its schema, and what a database holds: rows by table, objects by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pgcontract.ephemeral import template_of
from pgcontract.server import Server
from pgcontract.system import System, configured

ROOT = Path(__file__).parents[2]
PATHS = tuple(configured(ROOT))

Content = Mapping[str, tuple[str, ...]]
Census = Mapping[tuple[str, str], str]

# what PostgreSQL itself or an extension owns is no business of a schema's
_CENSUS = """
    WITH objects (catalog, oid, acl) AS (
      SELECT 'pg_class'::REGCLASS, oid, relacl::TEXT FROM pg_class WHERE relnamespace <> 'pg_toast'::REGNAMESPACE
      UNION ALL SELECT 'pg_proc'::REGCLASS, oid, proacl::TEXT FROM pg_proc
      UNION ALL SELECT 'pg_type'::REGCLASS, oid, typacl::TEXT FROM pg_type WHERE typtype <> 'c' AND typcategory <> 'A'
      UNION ALL SELECT 'pg_namespace'::REGCLASS, oid, nspacl::TEXT FROM pg_namespace WHERE nspname !~ '^pg_'
      UNION ALL SELECT 'pg_default_acl'::REGCLASS, oid, defaclacl::TEXT FROM pg_default_acl
      UNION ALL SELECT 'pg_trigger'::REGCLASS, oid, NULL FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT 'pg_constraint'::REGCLASS, oid, NULL FROM pg_constraint
      UNION ALL SELECT 'pg_rewrite'::REGCLASS, oid, NULL FROM pg_rewrite WHERE rulename <> '_RETURN'
      UNION ALL SELECT 'pg_policy'::REGCLASS, oid, NULL FROM pg_policy
      UNION ALL SELECT 'pg_extension'::REGCLASS, oid, NULL FROM pg_extension
      UNION ALL SELECT 'pg_collation'::REGCLASS, oid, NULL FROM pg_collation
      UNION ALL SELECT 'pg_operator'::REGCLASS, oid, NULL FROM pg_operator
      UNION ALL SELECT 'pg_cast'::REGCLASS, oid, NULL FROM pg_cast
      UNION ALL SELECT 'pg_ts_config'::REGCLASS, oid, NULL FROM pg_ts_config
      UNION ALL SELECT 'pg_ts_dict'::REGCLASS, oid, NULL FROM pg_ts_dict
      UNION ALL SELECT 'pg_statistic_ext'::REGCLASS, oid, NULL FROM pg_statistic_ext
      UNION ALL SELECT 'pg_event_trigger'::REGCLASS, oid, NULL FROM pg_event_trigger
    )
    SELECT object.type, object.identity, objects.acl
    FROM objects
    CROSS JOIN pg_identify_object(objects.catalog, objects.oid, 0) AS object
    LEFT JOIN pg_depend AS owned
      ON owned.classid = objects.catalog AND owned.objid = objects.oid AND owned.deptype = 'e'
    WHERE objects.oid >= 16384 AND owned.objid IS NULL
    UNION ALL
    SELECT 'database', 'this one', datacl::TEXT FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema', nspname, nspacl::TEXT FROM pg_namespace WHERE nspname = 'public'
    UNION ALL
    SELECT 'database setting', setrole::REGROLE::TEXT, setconfig::TEXT
    FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TABLES = """
    SELECT n.nspname, c.relname
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::REGCLASS AND d.objid = c.oid AND d.deptype = 'e'
      )
    ORDER BY n.nspname ASC, c.relname ASC
"""


@pytest.fixture(params=PATHS, ids=lambda path: path.name)
def system(request: pytest.FixtureRequest) -> System:
    """Each system that pyproject.toml names."""
    return System.load(request.param)


@pytest.fixture
def system_database(pgcontract_server: Server, system: System) -> Iterator[str]:
    """The DSN of a database of this test's own, with the system's schema in it and what its migrations seed."""
    with pgcontract_server.clone(pgcontract_server.template(template_of(system))) as clone:
        yield clone.dsn


def content(dsn: str, system: System) -> Content:
    """Every row of every table, as text and in order; the tracking table is left out, and so are empty ones."""
    found: dict[str, tuple[str, ...]] = {}
    tracking = (system.tracking_table.namespace, system.tracking_table.name)
    with psycopg.connect(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table in connection.execute(_TABLES).fetchall():
            query = sql.SQL("SELECT t::TEXT FROM {} AS t ORDER BY 1 ASC").format(sql.Identifier(*table))
            rows = tuple(str(row[0]) for row in connection.execute(query))
            if rows and table != tracking:
                found[table[1]] = rows
    return found


def census(dsn: str) -> Census:
    """Every object that is neither the system's nor an extension's, by kind and name, with its privileges."""
    with psycopg.connect(dsn) as connection:
        return {(kind, name): acl or "" for kind, name, acl in connection.execute(_CENSUS)}


def broken_invariants(dsn: str, system: System) -> dict[str, list[tuple[object, ...]]]:
    """What the system's invariants return, by their names; nothing for those that hold."""
    assert system.invariants is not None
    with psycopg.connect(dsn) as connection:
        asked = {
            path.stem: connection.execute(path.read_bytes()).fetchall() for path in system.invariants.glob("*.sql")
        }
    return {name: rows for name, rows in asked.items() if rows}
