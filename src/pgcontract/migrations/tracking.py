"""The tracking table: which migrations a database has, from which text, by whom, when, and how long they took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg
from psycopg import sql

from pgcontract.errors import MigrationError
from pgcontract.migrations.files import Migration
from pgcontract.migrations.session import Connection
from pgcontract.model import Name

COLUMNS: Final = ("id", "name", "checksum", "state", "applied_at", "applied_by", "duration")

# what other tools' tables look like, by the columns that give them away
_OTHERS: Final = (
    ("node-pg-migrate", frozenset({"id", "name", "run_on"})),
    ("dbmate", frozenset({"version"})),
    ("a runner that records (id, name, file, executed_at)", frozenset({"id", "name", "file", "executed_at"})),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One applied migration. ``id`` counts in the order of application; ``state`` is applied, baseline or started.

    Only a migration that runs outside a transaction is ever ``started``: it has not finished, and may have failed.
    """

    id: int
    name: str
    checksum: str
    state: str
    applied_at: datetime
    applied_by: str
    duration: timedelta | None

    @property
    def number(self) -> int:
        """The number in its name, or -1 for a name without one."""
        digits = self.name.partition("-")[0]
        return int(digits) if digits.isdecimal() else -1


@dataclass(frozen=True, slots=True)
class TrackingTable:
    """The table by that name, over a session. It has no sequence, whose privileges would have to be revoked, too."""

    connection: Connection
    name: Name

    @property
    def identifier(self) -> sql.Identifier:
        """The name as SQL."""
        return sql.Identifier(self.name.namespace, self.name.name)

    def records(self) -> tuple[Record, ...] | None:
        """Every record in the order of application, or None where the table is not there.

        Raises MigrationError where something else bears its name.
        """
        columns = self._columns()
        if columns is None:
            return None
        if not set(COLUMNS) <= columns:
            raise self._foreign(columns)
        query = sql.SQL("SELECT {} FROM {} ORDER BY id ASC").format(
            sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), self.identifier
        )
        return tuple(Record(*row) for row in self.connection.execute(query))

    def create(self) -> None:
        """Make the table, out of reach of everybody but its owner."""
        with self.connection.transaction():
            self.connection.execute(
                sql.SQL(
                    """
                    CREATE TABLE {} (
                      id INTEGER PRIMARY KEY,
                      name TEXT NOT NULL UNIQUE,
                      checksum TEXT NOT NULL,
                      state TEXT NOT NULL DEFAULT 'applied' CHECK (state IN ('applied', 'baseline', 'started')),
                      applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
                      applied_by TEXT NOT NULL DEFAULT session_user,
                      duration INTERVAL
                    )
                    """
                ).format(self.identifier)
            )
            self.revoke_from_others()

    def add(self, migration: Migration, seconds: float) -> None:
        """Record a migration, in the transaction that applies it."""
        self.connection.execute(
            sql.SQL(
                "INSERT INTO {table} (id, name, checksum, duration)"
                " SELECT COALESCE(MAX(id), 0) + 1, %s, %s, make_interval(secs => %s) FROM {table}"
            ).format(table=self.identifier),
            (migration.name, migration.checksum, seconds),
        )

    def remove(self, name: str) -> None:
        """Forget a migration, in the transaction that undoes it. Raises MigrationError where it is not recorded."""
        found = self.connection.execute(sql.SQL("DELETE FROM {} WHERE name = %s").format(self.identifier), (name,))
        if found.rowcount != 1:
            raise MigrationError(
                "A migration's record was gone before it was undone",
                where=str(self.name),
                seen=name,
                remedy="let nothing but this command write the table",
            )

    def grantees(self) -> frozenset[str | None]:
        """Who else has been granted anything on the table; None stands for PUBLIC."""
        return frozenset(
            role
            for (role,) in self.connection.execute(
                """
                SELECT DISTINCT r.rolname
                FROM pg_catalog.pg_class AS c
                JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS granted
                LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = granted.grantee
                WHERE n.nspname = %s AND c.relname = %s AND granted.grantee <> c.relowner
                """,
                (self.name.namespace, self.name.name),
            )
        )

    def revoke_from_others(self, *, spared: frozenset[str | None] = frozenset()) -> None:
        """Revoke what default privileges or a GRANT on all tables gave; ``spared`` keep what they have."""
        for role in self.grantees() - spared:
            self.connection.execute(
                sql.SQL("REVOKE ALL ON TABLE {} FROM {} CASCADE").format(
                    self.identifier, sql.SQL("PUBLIC") if role is None else sql.Identifier(role)
                )
            )

    def _columns(self) -> frozenset[str] | None:
        rows = self.connection.execute(
            """
            SELECT c.relkind::TEXT, a.attname
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE n.nspname = %s AND c.relname = %s
            """,
            (self.name.namespace, self.name.name),
        ).fetchall()
        if not rows:
            return None
        if rows[0][0] != "r":
            raise MigrationError(
                "What bears the tracking table's name is no table",
                where=str(self.name),
                remedy="set another tracking_table in system.toml",
            )
        return frozenset(column for _, column in rows)

    def _foreign(self, columns: frozenset[str]) -> MigrationError:
        tool = next((name for name, marks in _OTHERS if marks <= columns), "something else")
        return MigrationError(
            f"The tracking table was made by {tool}; it is left as it is",
            where=str(self.name),
            seen=f"columns {', '.join(sorted(columns))}",
            remedy="set another tracking_table in system.toml, or rename that table once its migrations are settled",
        )


def refused(error: psycopg.Error, table: Name) -> MigrationError:
    """The error for a statement of the runner's own that the server refused."""
    allowed = not isinstance(error, psycopg.errors.InsufficientPrivilege)
    return MigrationError(
        f"The server refused what keeps the tracking table (SQLSTATE {error.sqlstate})",
        where=str(table),
        seen=error.diag.message_primary,
        remedy="check that no migration touches the table" if allowed else "migrate as the owner of the schema",
    )
