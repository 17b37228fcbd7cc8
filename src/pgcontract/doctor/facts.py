"""What a live database says of itself, as far as a check asks. One read-only transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from psycopg import sql

from pgcontract.migrations.session import Connection
from pgcontract.model import Name
from pgcontract.names import DEFAULT_NAMESPACE
from pgcontract.system import System

COUNTED: Final = 10_000
"""Rows are counted up to here; beyond, the planner's estimate is told."""
SETTINGS: Final = (
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "default_text_search_config",
    "default_transaction_read_only",
    "session_replication_role",
    "standard_conforming_strings",
)
# once the session's own settings have been read: nothing else is to hang on them
_ASKING: Final = """
    SET LOCAL statement_timeout = '30s';
    SET LOCAL lock_timeout = '2s';
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL search_path = pg_catalog
"""

_OURS: Final = """
      n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema'
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
      )
"""
_SERVER: Final = """
    SELECT
      current_setting('server_version'),
      current_setting('server_version_num')::INT / 10000,
      pg_catalog.pg_is_in_recovery(),
      current_database(),
      current_user::TEXT,
      r.rolsuper,
      pg_catalog.pg_encoding_to_char(d.encoding),
      pg_catalog.has_database_privilege(d.oid, 'CREATE'),
      d.datcollversion,
      pg_catalog.pg_database_collation_actual_version(d.oid)
    FROM pg_catalog.pg_database AS d
    JOIN pg_catalog.pg_roles AS r ON r.rolname = current_user
    WHERE d.datname = current_database()
"""
_READ_ONLY: Final = "SELECT source FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'"
_TABLES: Final = f"""
    SELECT
      n.nspname,
      c.relname,
      pg_catalog.pg_get_userbyid(c.relowner)::TEXT,
      pg_catalog.pg_has_role(c.relowner, 'USAGE'),
      pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
      c.reltuples::BIGINT
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND {_OURS}
    ORDER BY n.nspname COLLATE "C" ASC, c.relname COLLATE "C" ASC
"""
_INVALID_INDEXES: Final = f"""
    SELECT n.nspname, c.relname
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND {_OURS}
    ORDER BY n.nspname ASC, c.relname ASC
"""
# a foreign key is kept by triggers of the system's own: where they are off, nobody keeps it
_DISABLED_TRIGGERS: Final = f"""
    SELECT DISTINCT n.nspname, c.relname, coalesce(k.conname, t.tgname)
    FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_constraint AS k ON k.oid = t.tgconstraint
    WHERE t.tgenabled IN ('D', 'R') AND {_OURS}
    ORDER BY n.nspname ASC, c.relname ASC, coalesce(k.conname, t.tgname) ASC
"""
_SEARCHED: Final = f"""
    SELECT DISTINCT found[1]
    FROM (
      SELECT pg_catalog.pg_get_indexdef(c.oid) AS definition
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind = 'i' AND {_OURS}
      UNION ALL
      SELECT pg_catalog.pg_get_expr(a.adbin, a.adrelid)
      FROM pg_catalog.pg_attrdef AS a
      JOIN pg_catalog.pg_class AS c ON c.oid = a.adrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE {_OURS}
    ) AS defined
    CROSS JOIN LATERAL pg_catalog.regexp_matches(definition, 'to_tsvector\\(''([^'']+)''::regconfig', 'g') AS found
    ORDER BY found[1] ASC
"""
_FUNCTIONS: Final = """
    SELECT p.proname, p.prosrc
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
    WHERE n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema'
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
      )
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table as whoever asks sees it. ``rows`` is None where they may not be read; ``estimated`` beyond COUNTED."""

    name: Name
    owner: str
    owned: bool
    readable: bool
    rows: int | None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What checks look at. ``searched`` are the text search configurations that indexes and columns name.

    ``may_create`` tells of ``schema``, that of the tracking table (None: there is no such schema), ``database_create``
    of the database; ``preloaded`` whether pg_stat_statements counts; ``read_only_by`` where that setting comes from.
    """

    version: str
    major: int
    standby: bool
    database: str
    user: str
    superuser: bool
    encoding: str
    database_create: bool
    collation: tuple[str | None, str | None] = (None, None)
    may_create: bool | None = True
    schema: str = DEFAULT_NAMESPACE
    read_only_by: str = ""
    installed: Mapping[str, str] = field(default_factory=dict)
    available: frozenset[str] = frozenset()
    preloaded: bool = True
    roles: frozenset[str] = frozenset()
    tables: tuple[Table, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    search_path: tuple[str, ...] = ()
    invalid_indexes: tuple[Name, ...] = ()
    disabled_triggers: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict)


def read_facts(connection: Connection, system: System) -> Facts:
    """Ask for all of it. Raises psycopg.Error where the server refuses."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        settings = {name: _setting(connection, name) for name in SETTINGS}
        path = connection.execute("SELECT pg_catalog.current_schemas(false)::TEXT[]").fetchone()
        source = connection.execute(_READ_ONLY).fetchone()
        read_only_by = str(source[0]) if source is not None else ""
        connection.execute(_ASKING)
        row = connection.execute(_SERVER).fetchone()
        assert row is not None
        version, major, standby, database, user, superuser, encoding, create, recorded, actual = row
        schema = connection.execute(
            "SELECT pg_catalog.has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = %s",
            (system.tracking_table.namespace,),
        ).fetchone()
        installed = connection.execute("SELECT extname, extversion FROM pg_catalog.pg_extension").fetchall()
        available = connection.execute("SELECT name FROM pg_catalog.pg_available_extensions").fetchall()
        roles = connection.execute(
            "SELECT rolname::TEXT FROM pg_catalog.pg_roles WHERE rolname = ANY(%s)", (list(system.roles.values()),)
        ).fetchall()
        return Facts(
            version=str(version).split()[0],
            major=major,
            standby=standby,
            database=database,
            user=user,
            superuser=superuser,
            encoding=encoding,
            database_create=create,
            collation=(recorded, actual),
            may_create=None if schema is None else schema[0],
            schema=system.tracking_table.namespace,
            read_only_by=read_only_by,
            installed=dict(installed),
            available=frozenset(name for (name,) in available),
            # only the library knows this setting
            preloaded=_setting(connection, "pg_stat_statements.max") != "",
            roles=frozenset(name for (name,) in roles),
            tables=_tables(connection, system.tracking_table),
            settings=settings,
            search_path=tuple(path[0]) if path is not None else (),
            invalid_indexes=tuple(Name(*row) for row in connection.execute(_INVALID_INDEXES)),
            disabled_triggers=tuple(f"{row[2]} on {Name(*row[:2])}" for row in connection.execute(_DISABLED_TRIGGERS)),
            searched=tuple(name for (name,) in connection.execute(_SEARCHED)),
            functions=dict(connection.execute(_FUNCTIONS).fetchall()),
        )


def _setting(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT pg_catalog.current_setting(%s, true)", (name,)).fetchone()
    return row[0] or "" if row is not None else ""


def _tables(connection: Connection, tracking: Name) -> tuple[Table, ...]:
    found = connection.execute(_TABLES).fetchall()
    return tuple(_table(connection, row) for row in found if Name(row[0], row[1]) != tracking)


def _table(connection: Connection, row: Sequence[object]) -> Table:
    namespace, name, owner, owned, readable, guess = row
    named = Name(str(namespace), str(name))
    if not readable:
        return Table(named, str(owner), bool(owned), readable=False, rows=None)
    query = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS counted").format(
        sql.Identifier(named.namespace, named.name), COUNTED + 1
    )
    counted = connection.execute(query).fetchone()
    rows = int(counted[0]) if counted is not None else 0
    if rows <= COUNTED:
        return Table(named, str(owner), bool(owned), readable=True, rows=rows)
    assert isinstance(guess, int)
    return Table(named, str(owner), bool(owned), readable=True, rows=max(guess, rows), estimated=True)
