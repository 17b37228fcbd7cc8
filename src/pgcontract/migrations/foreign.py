"""Tracking tables of other tools, known by their columns: read, adopted, given another name, never written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from psycopg import sql

from pgcontract.errors import MigrationError
from pgcontract.migrations.reading import Source
from pgcontract.migrations.session import Connection
from pgcontract.migrations.tracking import COLUMNS, columns_of
from pgcontract.names import DEFAULT_NAMESPACE, Name


class Tool(NamedTuple):
    """A tool, and its table: its usual name, all of its columns, the one that names a migration, that says when.

    ``word`` is what a table is called after it. ``migration`` is None where the table does not list files by name or
    number. ``namespace`` is where the table stands, if not among those that it is about.
    """

    name: str
    word: str
    usual: str
    columns: frozenset[str]
    migration: str | None = None
    at: str | None = None
    namespace: str | None = None


def _columns(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOOLS: Final = (
    Tool("node-pg-migrate", "node_pg_migrate", "pgmigrations", _columns("id name run_on"), "name", "run_on"),
    Tool("dbmate or Rails", "dbmate", "schema_migrations", _columns("version"), "version"),
    # these two have no name: a table `migrations` of a runner that somebody wrote for one project
    Tool(
        "a runner that records (executed_at, file, id, name)",
        "file_runner",
        "migrations",
        _columns("id name file executed_at"),
        "file",
        "executed_at",
    ),
    Tool(
        "a runner that records (executed_at, id, name)",
        "executed_runner",
        "migrations",
        _columns("id name executed_at"),
        "name",
        "executed_at",
    ),
    Tool("golang-migrate", "golang_migrate", "schema_migrations", _columns("version dirty")),
    Tool("Alembic", "alembic", "alembic_version", _columns("version_num")),
    Tool(
        "Flyway",
        "flyway",
        "flyway_schema_history",
        _columns(
            "installed_rank version description type script checksum installed_by installed_on execution_time success"
        ),
    ),
    Tool("yoyo", "yoyo", "_yoyo_migration", _columns("migration_hash migration_id applied_at_utc")),
    Tool("goose", "goose", "goose_db_version", _columns("id version_id is_applied tstamp")),
    Tool(
        "Sqitch",
        "sqitch",
        "changes",
        _columns(
            "change_id script_hash change project note committed_at committer_name committer_email planned_at"
            " planner_name planner_email"
        ),
        namespace="sqitch",
    ),
)
_ELSEWHERE: Final = """
    SELECT n.nspname, c.relname, array_agg(a.attname::TEXT)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND n.nspname = ANY(%s) AND c.relname = ANY(%s)
    GROUP BY n.nspname, c.relname
"""


class Adoption(NamedTuple):
    """What another tool's table says: its name, whose it is, and the files that it has applied, with the time.

    ``files`` is None where that was not asked for.
    """

    table: Name
    tool: Tool
    files: tuple[tuple[Source, datetime | None], ...] | None


def tool_of(columns: frozenset[str]) -> Tool | None:
    """The tool whose table has these columns."""
    return next((tool for tool in TOOLS if tool.columns == columns), None)


def in_our_place(name: Name, columns: frozenset[str]) -> MigrationError:
    """The error for a table that is not this runner's, where its own would stand."""
    tool = tool_of(columns)
    return MigrationError(
        f"The tracking table was made by {tool.name if tool else 'something else'}; it is left as it is",
        where=str(name),
        seen=f"columns {', '.join(sorted(columns))}",
        remedy=f"{_adopt(tool)}, which keeps it under another name"
        if tool
        else "set another tracking_table in system.toml",
    )


def refuse_elsewhere(connection: Connection, name: Name) -> None:
    """Raise MigrationError where this runner has no records, and another tool has, in a table of its usual name."""
    elsewhere = _elsewhere(connection, name)
    if elsewhere is not None:
        table, tool = elsewhere
        raise MigrationError(
            f"This database was migrated by {tool.name}, which keeps its records in {table}",
            where=str(table),
            seen=f"columns {', '.join(sorted(tool.columns))}; there is no table {name}",
            remedy=f"{_adopt(tool)}; where none of these migrations is there yet, with "
            "`pgcontract migrate baseline --to 0`",
        )


def found(connection: Connection, name: Name, files: Sequence[Source], *, listed: bool) -> Adoption | None:
    """Another tool's table, where ours would stand or where that tool usually has it; ``listed``: with its files.

    Raises MigrationError where what bears our name is nobody's that is known, or has applied what no file is.
    """
    columns = columns_of(connection, name)
    # an empty one of ours says nothing of another tool's
    if columns is not None and not set(COLUMNS) <= columns:
        tool = tool_of(columns)
        if tool is None:
            raise in_our_place(name, columns)
        table = name
    elif (elsewhere := _elsewhere(connection, name)) is not None:
        table, tool = elsewhere
    else:
        return None
    return Adoption(table, tool, _listed(connection, table, tool, files) if listed else None)


def set_aside(connection: Connection, adoption: Adoption) -> Name:
    """Give the other tool's table another name, so that ours can have its own. Raises MigrationError: that is taken."""
    other = Name(adoption.table.namespace, f"{adoption.table.name}_of_{adoption.tool.word}")
    if columns_of(connection, other) is not None:
        raise MigrationError(
            "The name under which the other tool's table would be kept is taken",
            where=str(other),
            remedy="rename or drop that table, or set another tracking_table in system.toml",
        )
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            sql.Identifier(adoption.table.namespace, adoption.table.name), sql.Identifier(other.name)
        )
    )
    return other


def _elsewhere(connection: Connection, name: Name) -> tuple[Name, Tool] | None:
    """The first tool's table that bears its usual name and has just its columns; ours may bear that name, too."""
    ours = (name.namespace, DEFAULT_NAMESPACE)
    places = {(namespace, tool.usual) for tool in TOOLS for namespace in ([tool.namespace] if tool.namespace else ours)}
    places.discard((name.namespace, name.name))
    namespaces, names = (sorted({place[n] for place in places}) for n in (0, 1))
    there = {
        (namespace, table): frozenset(columns)
        for namespace, table, columns in connection.execute(_ELSEWHERE, (namespaces, names))
    }
    for tool in TOOLS:
        for namespace in [tool.namespace] if tool.namespace else ours:
            place = (namespace, tool.usual)
            if place in places and there.get(place) == tool.columns:
                return Name(*place), tool
    return None


def _listed(
    connection: Connection, name: Name, tool: Tool, files: Sequence[Source]
) -> tuple[tuple[Source, datetime | None], ...]:
    if tool.migration is None:
        raise MigrationError(
            f"The table of {tool.name} does not say by name or number which files it has applied",
            where=str(name),
            remedy="say how far the database is: `pgcontract migrate baseline --to N`",
        )
    query = sql.SQL("SELECT {}::TEXT, {}::TIMESTAMPTZ FROM {}").format(
        sql.Identifier(tool.migration),
        sql.Identifier(tool.at) if tool.at else sql.NULL,
        sql.Identifier(name.namespace, name.name),
    )
    matched: dict[str, tuple[Source, datetime | None]] = {}
    unknown = []
    for told, at in connection.execute(query):
        source = next((source for source in files if _same(source, told)), None)
        if source is None:
            unknown.append(told)
        else:
            matched[source.name] = source, at
    if unknown:
        raise MigrationError(
            f"The table of {tool.name} has migrations of which there is no file",
            where=str(name),
            seen=", ".join(sorted(unknown)[:10]),
            remedy="bring the files back under these names or numbers, or say with --to N how far the database is",
        )
    return tuple(sorted(matched.values(), key=lambda pair: pair[0].number))


def _same(source: Source, told: str) -> bool:
    """Whether a file is what another tool recorded: by its name, with or without its ending, or by its number."""
    name = told.rpartition("/")[2].removesuffix(".sql")
    digits = name.partition("-")[0].partition("_")[0]
    return name == source.name or (digits.isdecimal() and int(digits) == source.number)


def _adopt(tool: Tool) -> str:
    if tool.migration is None:
        return "say how far the database is with `pgcontract migrate baseline --to N`"
    return "adopt what it has applied with `pgcontract migrate baseline`"
