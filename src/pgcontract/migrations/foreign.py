"""Tracking tables of other tools, known by their columns: read, adopted, given another name, never written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import sql

from pgcontract.errors import MigrationError
from pgcontract.migrations.reading import Source
from pgcontract.migrations.session import Connection
from pgcontract.migrations.tracking import COLUMNS, columns_of
from pgcontract.names import Name


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, and its table's columns: all that it has, the one that names a migration, the one that says when."""

    name: str
    columns: frozenset[str]
    migration: str
    at: str | None
    usual: str

    @property
    def word(self) -> str:
        """Its name as a part of a table's."""
        return "".join(c if c.isalnum() else "_" for c in self.name)


TOOLS: Final = (
    Tool("node-pg-migrate", frozenset({"id", "name", "run_on"}), "name", "run_on", "pgmigrations"),
    Tool("dbmate", frozenset({"version"}), "version", None, "schema_migrations"),
    Tool("file_runner", frozenset({"id", "name", "file", "executed_at"}), "file", "executed_at", "migrations"),
    Tool("executed_runner", frozenset({"id", "name", "executed_at"}), "name", "executed_at", "migrations"),
)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What another tool's table says: its name, whose it is, and the files that it has applied, with the time."""

    table: Name
    tool: Tool
    files: tuple[tuple[Source, datetime | None], ...]


def tool_of(columns: frozenset[str]) -> Tool | None:
    """The tool whose table has these columns."""
    return next((tool for tool in TOOLS if tool.columns == columns), None)


def foreign(name: Name, columns: frozenset[str]) -> MigrationError:
    """The error for a table that is not this runner's, where its own would stand."""
    tool = tool_of(columns)
    return MigrationError(
        f"The tracking table was made by {_told(tool)}; it is left as it is",
        where=str(name),
        seen=f"columns {', '.join(sorted(columns))}",
        remedy="adopt what it has applied with `pgcontract migrate baseline`, which keeps it under another name"
        if tool
        else "set another tracking_table in system.toml",
    )


def found(connection: Connection, name: Name, files: Sequence[Source]) -> Adoption | None:
    """Another tool's table, where ours would stand or where that tool usually has it.

    Raises MigrationError where what bears our name is nobody's that is known, or has applied what no file is.
    """
    columns = columns_of(connection, name)
    # an empty one of ours, which a failed `up` has left, says nothing of another tool's
    if columns is not None and not set(COLUMNS) <= columns:
        tool = tool_of(columns)
        if tool is None:
            raise foreign(name, columns)
        return _read(connection, name, tool, files)
    for tool in TOOLS:
        usual = Name(name.namespace, tool.usual)
        if usual != name and columns_of(connection, usual) == tool.columns:
            return _read(connection, usual, tool, files)
    return None


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


def _read(connection: Connection, name: Name, tool: Tool, files: Sequence[Source]) -> Adoption:
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
            f"The table of {_told(tool)} has migrations of which there is no file",
            where=str(name),
            seen=", ".join(sorted(unknown)[:10]),
            remedy="bring the files back under these names or numbers, or say with --to N how far the database is",
        )
    return Adoption(name, tool, tuple(sorted(matched.values(), key=lambda pair: pair[0].number)))


def _same(source: Source, told: str) -> bool:
    """Whether a file is what another tool recorded: by its name, with or without its ending, or by its number."""
    name = told.rpartition("/")[2].removesuffix(".sql")
    digits = name.partition("-")[0].partition("_")[0]
    return name == source.name or (digits.isdecimal() and int(digits) == source.number)


def _told(tool: Tool | None) -> str:
    if tool is None:
        return "something else"
    if tool.name.endswith("_runner"):
        return f"a runner that records ({', '.join(sorted(tool.columns))})"
    return tool.name
