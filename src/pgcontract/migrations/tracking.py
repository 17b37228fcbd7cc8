"""The tracking table: which migrations a database has, from which text, by whom, when, and how long they took."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg import sql

from pgcontract.errors import MigrationError
from pgcontract.migrations.reading import number_in
from pgcontract.migrations.session import Connection
from pgcontract.names import Name

if TYPE_CHECKING:
    from pgcontract.migrations.files import Migration
    from pgcontract.migrations.reading import Source

COLUMNS: Final = ("id", "name", "checksum", "state", "statement", "applied_at", "applied_by", "duration")


# in a transaction: who migrates, whoever a file has become, and names that no file's path hides
OURSELVES: Final = sql.SQL("RESET SESSION AUTHORIZATION; RESET ROLE; SET LOCAL search_path = pg_catalog")


class Record(NamedTuple):
    """One applied migration. ``id`` counts in the order of application.

    ``state`` is applied, baseline, started or undoing. Only a migration that runs outside a transaction is ever one of
    the last two: it has not finished, and may have failed. Then all statements before number ``statement`` have.
    """

    id: int
    name: str
    checksum: str
    state: str
    statement: int
    applied_at: datetime
    applied_by: str
    duration: timedelta | None

    @property
    def number(self) -> int:
        """The number in its name, or -1 for a name without one."""
        return number_in(self.name)


def renamed(record: Record, files: Sequence[Source], known: Collection[str]) -> Source | None:
    """The file of a record that none bears the name of: it has the same text, and no record ``known`` by its name."""
    same = [source for source in files if source.checksum == record.checksum and source.name not in known]
    return min(same, key=lambda source: (source.number != record.number, source.number), default=None)


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

        Raises MigrationError where something else bears its name, or another tool keeps its own records nearby.
        """
        columns = columns_of(self.connection, self.name)
        if columns is None or not set(COLUMNS) <= columns:
            from pgcontract.migrations import foreign  # noqa: PLC0415 - seldom needed, and it needs this module

            if columns is not None:
                raise foreign.in_our_place(self.name, columns)
            foreign.refuse_elsewhere(self.connection, self.name)
            return None
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
                      state TEXT NOT NULL DEFAULT 'applied'
                        CHECK (state IN ('applied', 'baseline', 'started', 'undoing')),
                      statement INTEGER NOT NULL DEFAULT 1,
                      applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
                      applied_by TEXT NOT NULL DEFAULT session_user,
                      duration INTERVAL
                    )
                    """
                ).format(self.identifier)
            )
            self.revoke_from_others()

    def add(self, migration: Migration, seconds: float, *, spared: frozenset[str | None]) -> None:
        """Record a migration, in the transaction that applies it, as who migrates, and keep the table out of reach.

        Whoever the file has become, wherever it has set its path, and whom it has granted everything. In one round
        trip, where there are as many as migrations.
        """
        cursor = self.connection.execute(
            sql.SQL(
                "{ourselves}; INSERT INTO {table} (id, name, checksum, duration)"
                " SELECT COALESCE(MAX(id), 0) + 1, {name}, {checksum}, make_interval(secs => {seconds}) FROM {table};"
                " {grantees}"
            ).format(
                ourselves=OURSELVES,
                table=self.identifier,
                name=migration.name,
                checksum=migration.checksum,
                seconds=seconds,
                grantees=self._grantees(),
            )
        )
        while cursor.nextset():
            pass
        # default privileges, or a GRANT on all tables, may have let others in
        self._revoke_from(frozenset(role for (role,) in cursor) - spared)

    def start(self, migration: Migration) -> None:
        """Record that a migration outside a transaction begins."""
        self.connection.execute(
            sql.SQL(
                "INSERT INTO {table} (id, name, checksum, state)"
                " SELECT COALESCE(MAX(id), 0) + 1, %s, %s, 'started' FROM {table}"
            ).format(table=self.identifier),
            (migration.name, migration.checksum),
        )

    def adopt(self, source: Source, applied_at: datetime | None) -> None:
        """Record a migration that was applied without this runner."""
        self.connection.execute(
            sql.SQL(
                "INSERT INTO {table} (id, name, checksum, state, applied_at)"
                " SELECT COALESCE(MAX(id), 0) + 1, %s, %s, 'baseline', COALESCE(%s, clock_timestamp()) FROM {table}"
            ).format(table=self.identifier),
            (source.name, source.checksum, applied_at),
        )

    def proceed(self, name: str, state: str, statement: int, seconds: float | None = None) -> None:
        """Note how far a migration outside a transaction has come: all statements before that one have finished."""
        self._one(
            sql.SQL(
                "UPDATE {} SET state = %s, statement = %s, duration = COALESCE(make_interval(secs => %s), duration),"
                " applied_at = clock_timestamp(), applied_by = session_user WHERE name = %s"
            ).format(self.identifier),
            (state, statement, seconds, name),
        )

    def accept(self, name: str, source: Source) -> None:
        """Take the file as it is and is called now for what was applied under that name."""
        self._one(
            sql.SQL("UPDATE {} SET name = %s, checksum = %s WHERE name = %s").format(self.identifier),
            (source.name, source.checksum, name),
        )

    def remove(self, name: str) -> None:
        """Forget a migration, in the transaction that undoes it. Raises MigrationError where it is not recorded."""
        self.connection.execute(OURSELVES)
        self._one(sql.SQL("DELETE FROM {} WHERE name = %s").format(self.identifier), (name,))

    def _one(self, statement: sql.Composed, parameters: tuple[object, ...]) -> None:
        if self.connection.execute(statement, parameters).rowcount != 1:
            raise MigrationError(
                "A migration's record was gone before it was undone or finished",
                where=str(self.name),
                seen=str(parameters[-1]),
                remedy="let nothing but this command write the table",
            )

    def grantees(self) -> frozenset[str | None]:
        """Who else has been granted anything on the table; None stands for PUBLIC."""
        return frozenset(role for (role,) in self.connection.execute(self._grantees()))

    def _grantees(self) -> sql.Composed:
        return sql.SQL(
            """
            SELECT DISTINCT r.rolname
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS granted
            LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = granted.grantee
            WHERE n.nspname = {} AND c.relname = {} AND granted.grantee <> c.relowner
            """
        ).format(self.name.namespace, self.name.name)

    def revoke_from_others(self, *, spared: frozenset[str | None] = frozenset()) -> None:
        """Revoke what default privileges or a GRANT on all tables gave; ``spared`` keep what they have."""
        self._revoke_from(self.grantees() - spared)

    def _revoke_from(self, roles: frozenset[str | None]) -> None:
        for role in roles:
            self.connection.execute(
                sql.SQL("REVOKE ALL ON TABLE {} FROM {} CASCADE").format(
                    self.identifier, sql.SQL("PUBLIC") if role is None else sql.Identifier(role)
                )
            )


def columns_of(connection: Connection, name: Name) -> frozenset[str] | None:
    """The columns of a table, or None where nothing bears the name. Raises MigrationError where that is no table."""
    rows = connection.execute(
        """
        SELECT c.relkind::TEXT, a.attname
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname = %s AND c.relname = %s
        """,
        (name.namespace, name.name),
    ).fetchall()
    if not rows:
        return None
    if rows[0][0] != "r":
        raise MigrationError(
            "What bears the tracking table's name is no table",
            where=str(name),
            remedy="set another tracking_table in system.toml",
        )
    return frozenset(column for _, column in rows)


def refused(error: psycopg.Error, table: Name) -> MigrationError:
    """The error for a statement of the runner's own that the server refused."""
    remedy = "check that no migration touches the table"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        remedy = f"migrate as the owner of the schema; to look only, have that one GRANT SELECT ON {table}"
    elif isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        remedy = "connect to the primary, as a role whose transactions may write (default_transaction_read_only)"
    elif isinstance(error, psycopg.errors.LockNotAvailable):
        remedy = "somebody has locked what it needs: end their session, or run again later"
    return MigrationError(
        f"The server refused what keeps the tracking table (SQLSTATE {error.sqlstate})",
        where=str(table),
        seen=error.diag.message_primary,
        remedy=remedy,
    )
