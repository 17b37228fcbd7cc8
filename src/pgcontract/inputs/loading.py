"""Sends what was read to an empty database, statement by statement, as psql or the migrations' own tool would.

What reaches beyond the one database is turned to it or left out: it stands for every database that the text makes or
names, and roles that the text only speaks of are made, or left out on a server that is not ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from pgcontract.errors import MigrationError
from pgcontract.inputs.conventions import Step
from pgcontract.inputs.judging import Meaning, meaning_of
from pgcontract.inputs.psql import Connection as Connected
from pgcontract.inputs.psql import CopiedFile, Part
from pgcontract.inputs.script import Statement, statements
from pgcontract.migrations.sending import MigrationFailed
from pgcontract.migrations.session import Connection, broken, lost, reset_session
from pgcontract.sql import line_of

logger = logging.getLogger("pgcontract.inputs")

_UNKNOWN_OBJECT: Final = "42704"
_DATA_EXCEPTION: Final = "22"
_CONSTRAINT: Final = "23"
_SHOWN: Final = 120
# what cannot run in a transaction, or ends one: a file that has any of it runs as psql would run it
_NO_TRANSACTION: Final = re.compile(
    r"(?:BEGIN|START\s+TRANSACTION|VACUUM|ALTER\s+SYSTEM|(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE))\b"
    r"|(?:COMMIT|END|ROLLBACK|ABORT)\b(?!\s+(?:(?:WORK|TRANSACTION)\s+)?(?:AND\s+CHAIN|TO)\b)"
    r"|(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\b.*)\s+CONCURRENTLY\b"
    r"|ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\bCONCURRENTLY\b",
    re.IGNORECASE | re.DOTALL,
)
# what is refused outside of one, so that whoever runs the file has begun one
_IN_TRANSACTION: Final = re.compile(r"(?:LOCK|SAVEPOINT|DECLARE)\b", re.IGNORECASE)
_FILLS: Final = re.compile(r"(?:CREATE|INSERT|COPY|DO)\b", re.IGNORECASE)
_TO_CLIENT: Final = re.compile(r"COPY\b.*\bTO\s+STDOUT\b", re.IGNORECASE | re.DOTALL)


class Loader:
    """Loads texts over one session. ``own``: the server is ours, and roles may be made on it.

    ``without`` are extensions that are left out.
    """

    def __init__(self, connection: Connection, *, own: bool, without: AbstractSet[str] = frozenset()) -> None:
        self._connection = connection
        self._own = own
        self._without = without
        self._database = connection.info.dbname
        self._there: set[str] = set()
        self._told: set[str] = set()
        # the database that the text believes to be in, and whether it has made anything in one
        self._named = ""
        self._filled: str | None = None
        self._ordinal = 0
        self._not_copied: list[str] = []

    def load(self, parts: Iterable[Part]) -> None:
        """Run a script. Raises MigrationError, which names the file and the line, ServerError."""
        self._ordinal = 0
        last = None
        for part in parts:
            self._ordinal += 1
            last = part.path
            if isinstance(part, Connected):
                self._connected(part)
            elif isinstance(part, CopiedFile):
                self._copied(part)
            else:
                self._run(part)
        self._finished(last)

    def step(self, step: Step) -> None:
        """Run one migration as its tool would: in a transaction, where what it does can be done in one.

        Raises as ``load`` does.
        """
        found = list(statements(step.text, step.path, step.line))
        self._ordinal = 0
        wanted = step.transactional or any(_IN_TRANSACTION.match(statement.text) for statement in found)
        together = wanted and not any(_NO_TRANSACTION.match(statement.text) for statement in found)
        if together:
            self._connection.execute("BEGIN")
        for statement in found:
            self._ordinal += 1
            self._run(statement)
        # a file may commit the tool's transaction and begin one that the tool commits
        if together or (step.transactional and self._connection.info.transaction_status == TransactionStatus.INTRANS):
            self._run(Statement("COMMIT", step.path, step.line))
        self._finished(step.path)
        reset_session(self._connection)

    def _finished(self, path: Path | None) -> None:
        if self._connection.info.transaction_status != TransactionStatus.IDLE:
            raise MigrationError(
                "The file begins a transaction and does not commit it", where=str(path), remedy="end it with COMMIT"
            )

    def _connected(self, part: Connected) -> None:
        if self._filled is not None and part.database != self._filled:
            raise MigrationError(
                "The file fills several databases",
                where=f"{part.path}:{part.line}",
                seen=f"{self._filled or 'the first one'}, then {part.database}",
                remedy="give each database a file of its own",
            )
        self._named = part.database
        reset_session(self._connection)

    def _copied(self, part: CopiedFile) -> None:
        try:
            data = part.file.read_bytes()
        except OSError as error:
            # rows are no promise, and the files that they come from are often not kept with the schema
            self._notice(f"{part.path}:{part.line}: {part.file} is not copied: {error.strerror}")
            self._not_copied.append(part.file.name)
            return
        self._send(Statement(part.statement, part.path, part.line), data)

    def _run(self, statement: Statement) -> None:
        meaning = meaning_of(statement.text)
        text = statement.text
        if self._left_out(statement, meaning):
            return
        if meaning.roles and not self._roles(statement, meaning):
            return
        if meaning.about_database:
            text = meaning.for_database(self._database)
        if meaning.kind != "create_role_stmt" and _FILLS.match(text):
            self._filled = self._named
        data = statement.data.encode() if statement.data is not None else None
        self._send(Statement(text, statement.path, statement.line), data, meaning)

    def _left_out(self, statement: Statement, meaning: Meaning) -> bool:
        """Whether it is not for this database, or not for this server; what is not understood is not left out."""
        kind, made = meaning.kind, meaning.made
        if kind in {"createdb_stmt", "dropdb_stmt"} or _TO_CLIENT.match(statement.text):
            # the template stands in for it
            return True
        if kind == "variable_set_stmt" and made == "client_encoding":
            # the text was decoded when it was read
            return True
        if kind == "create_extension_stmt":
            return made in self._without or not self._has_extension(statement, made)
        if kind == "comment_stmt" and made:
            return made in self._without
        reason = self._not_ours(meaning)
        return bool(reason) and self._skipped(statement, reason)

    def _not_ours(self, meaning: Meaning) -> str:
        """Why a statement about the whole server is left out, or nothing."""
        if meaning.of_cluster:
            return "it is about the whole server"
        if meaning.of_roles and not self._own:
            return "no role is made or changed on a server that is not ours"
        if meaning.kind == "drop_role_stmt":
            return "other databases may need the role"
        if meaning.kind == "create_role_stmt" and not self._missing({meaning.made}):
            return "the role is there"
        return ""

    def _has_extension(self, statement: Statement, name: str) -> bool:
        query = "SELECT FROM pg_catalog.pg_available_extensions WHERE name = %s"
        if self._connection.execute(query, [name]).fetchone() is None:
            raise MigrationError(
                f"The server has no extension {name}",
                where=f"{statement.path}:{statement.line}",
                seen=statement.text.splitlines()[0][:_SHOWN],
                remedy="name a PostgreSQL that has it with --pg-bin FOLDER, or a running server with --dsn; to go on "
                f'without it, take the line out, or write `without = ["{name}"]` in system.toml: what uses the '
                "extension then fails with its own line",
            )
        return True

    def _roles(self, statement: Statement, meaning: Meaning) -> bool:
        """See that the roles which a statement names are there; whether it can be run."""
        missing = self._missing(meaning.roles)
        if not missing:
            return True
        reserved = {role for role in missing if role.startswith("pg_")}
        if (reserved or not self._own) and meaning.privileges_only:
            names = ", ".join(sorted(reserved or missing))
            self._skipped(statement, f"the server has no role {names}")
            return False
        if self._own:
            for role in sorted(missing - reserved):
                self._connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
                self._there.add(role)
                logger.info("role %s is made, which %s:%s names", role, statement.path, statement.line)
        return True

    def _missing(self, roles: AbstractSet[str]) -> set[str]:
        unknown = set(roles) - self._there
        if unknown:
            query = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY(%s)"
            self._there |= {name for (name,) in self._connection.execute(query, [sorted(unknown)])}
        return unknown - self._there

    def _skipped(self, statement: Statement, reason: str) -> bool:
        self._notice(f"{statement.path}:{statement.line}: left out, since {reason}: {_shown(statement.text)}", reason)
        return True

    def _notice(self, text: str, kind: str = "") -> None:
        """Tell it, what is alike only once."""
        if not kind or kind not in self._told:
            logger.warning("%s", text)
        self._told.add(kind)

    def _send(self, statement: Statement, data: bytes | None, meaning: Meaning | None = None) -> None:
        try:
            if data is None:
                self._connection.execute(statement.text.encode())
            else:
                with self._connection.cursor().copy(statement.text.encode()) as copy:
                    copy.write(data)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if broken(self._connection):
                raise lost(statement.path, error) from error
            raise self._failed(statement, error) from error
        except psycopg.Error as error:
            if (
                meaning is not None
                and meaning.kind == "variable_set_stmt"
                and error.sqlstate == _UNKNOWN_OBJECT
                and self._connection.info.transaction_status == TransactionStatus.IDLE
            ):
                # dumps set what their own major knows
                self._skipped(statement, f"this PostgreSQL knows no setting {meaning.made}")
                return
            raise self._failed(statement, error) from error

    def _failed(self, statement: Statement, error: psycopg.Error) -> MigrationFailed:
        diag: Any = error.diag
        message = diag.message_primary or str(error).strip().partition("\n")[0] or "unknown error"
        if diag.message_hint:
            message += f" ({diag.message_hint})"
        sqlstate = error.sqlstate or "XX000"
        if sqlstate.startswith(_DATA_EXCEPTION):
            # what the server says of data that it cannot take holds the data
            message = re.sub(r'"[^"]*"', '"…"', message)
        line = statement.line
        if diag.statement_position:
            line += line_of(statement.text, int(diag.statement_position) - 1) - 1
        remedy = f"correct the file, or load it into a PostgreSQL that takes it; this is {self._version()}"
        if sqlstate.startswith(_CONSTRAINT) and self._not_copied:
            remedy = (
                f"bring the files that hold rows ({self._not_copied[0]} and {len(self._not_copied) - 1} more were not "
                "there), or take those rows out that need theirs"
            )
        return MigrationFailed(
            statement.path,
            self._ordinal,
            line,
            _shown(statement.text),
            sqlstate,
            message,
            remedy=remedy,
        )

    def _version(self) -> str:
        number = self._connection.info.server_version
        return f"PostgreSQL {number // 10000}.{number % 10000}"


def _shown(text: str) -> str:
    """A statement's first line with nothing in its quotes: they may hold a password, or somebody's data."""
    return re.sub(r"'[^']*'?", "'…'", text.splitlines()[0])[:_SHOWN]
