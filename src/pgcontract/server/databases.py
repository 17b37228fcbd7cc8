"""Template databases, made once and finished last, and clones of them.

Names: `pgcontract_t_KEY` is a finished template, `pgcontract_b_KEY_x` one that is being built, `pgcontract_c_RUN_n` a
clone that belongs to a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import errors, sql

from pgcontract.errors import ServerError
from pgcontract.server import maintenance
from pgcontract.server.losses import Losses, read_losses

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgcontract.server.address import Address
    from pgcontract.server.maintenance import Maintenance

TEMPLATE, BUILDING, CLONE = "pgcontract_t_", "pgcontract_b_", "pgcontract_c_"
KEPT_TEMPLATES = 8
_CLAIMS = 0x70676372  # advisory locks of two numbers: this one, and that of a template or a run


@dataclass(frozen=True, slots=True)
class Template:
    """What makes a template database: ``apply`` gets the DSN of an empty database and closes what it opens.

    ``key`` is a hash of everything that decides the outcome: two templates with one key are taken for the same. What
    else ``apply`` makes (roles) belongs to the whole server, and to a cached cluster together with the database.
    """

    key: str
    apply: Callable[[str], None]

    @property
    def digest(self) -> str:
        """The key in 20 hexadecimal digits, for names."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:20]

    @property
    def database(self) -> str:
        """The finished template database's name on every server."""
        return TEMPLATE + self.digest


class Clone:
    """A database of one's own; ``drop`` it, or use it in a ``with``. Close its connections first: that is faster."""

    def __init__(self, databases: Databases, name: str) -> None:
        self._databases = databases
        self.name = name

    @property
    def address(self) -> Address:
        """Where it is."""
        return self._databases.maintenance.address.at(self.name)

    @property
    def dsn(self) -> str:
        """A connection URI."""
        return self.address.dsn()

    def drop(self) -> None:
        """Drop it; nothing if it is gone already."""
        self._databases.drop(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.drop()

    def __repr__(self) -> str:
        return f"Clone({self.address})"


class Databases:
    """Templates and clones on one server."""

    def __init__(self, maintenance: Maintenance, *, own: bool) -> None:
        self.maintenance = maintenance
        self._own = own
        self._claims: set[str] = set()
        self._finished: set[str] = set()
        self._made: set[str] = set()
        self._losses: dict[str, Losses] = {}
        self._numbers = itertools.count(1)
        self._run = (0, "")
        self._lock = threading.Lock()

    def template(self, template: Template) -> str:
        """Give the name of the finished template database; make it if nobody has; what ``apply`` raises passes."""
        name = template.database
        if name in self._finished:
            return name
        with self.maintenance.connection() as connection:
            self._claim(connection, name)
            there = maintenance.exists(connection, name)
        if not there:
            with self.maintenance.advisory_lock(int(template.digest[:15], 16)):
                self._make_unless_made(template)
        self._finished.add(name)
        return name

    def _make_unless_made(self, template: Template) -> None:
        name, prefix = template.database, f"{BUILDING}{template.digest}_"
        with self.maintenance.connection() as connection:
            if maintenance.exists(connection, name):
                return
            for left in _databases(connection, prefix):
                maintenance.drop(connection, left)  # by somebody killed: who builds holds the lock that we hold
            building = prefix + secrets.token_hex(3)
            # template0 is empty on every server; template1 has what its administrator likes
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(building))
            )
        try:
            template.apply(self.maintenance.address.dsn(building))
            self._finish(building, name)
        except BaseException:
            with contextlib.suppress(ServerError, psycopg.Error):  # the reason is the first error, not this one
                self.drop(building)
            raise

    def _finish(self, building: str, name: str) -> None:
        """Give a built database its name; an unfinished one never has it."""
        with self.maintenance.connection() as connection:
            if not maintenance.wait_until_alone(connection, building):
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [building]
                )
            old, new = sql.Identifier(building), sql.Identifier(name)
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(old))
            try:
                connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))
            except errors.DuplicateDatabase:  # from another maintenance database, where our lock is not seen
                maintenance.drop(connection, building)
            self._made.add(name)
            if not self._own:
                self._drop_old_templates(connection)

    def _drop_old_templates(self, connection: psycopg.Connection[Any]) -> None:
        """Keep a user's server from filling up: the newest of our templates stay, and those that a run uses."""
        for name in _databases(connection, TEMPLATE)[KEPT_TEMPLATES:]:
            # a session's own lock would not keep it from taking the lock once more
            if name not in self._claims:
                self._drop_unless_claimed(connection, name)

    def _drop_unless_claimed(self, connection: psycopg.Connection[Any], name: str) -> None:
        """Drop a template, or a dead run's clone, unless some other process claims it."""
        number = _claim_number(name)
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [_CLAIMS, number]).fetchone()
        if row is None or not row[0]:
            return
        try:
            with contextlib.suppress(psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", [_CLAIMS, number])

    def drop_templates(self) -> None:
        """Drop the templates that this process made, except those that another one uses."""
        with self.maintenance.connection() as connection:
            for name in self._made & self._claims:
                connection.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [_CLAIMS, _claim_number(name)])
                self._claims.discard(name)
                self._finished.discard(name)
                self._losses.pop(name, None)
                self._drop_unless_claimed(connection, name)
            self._made.clear()

    def clone(self, template: str) -> Clone:
        """Copy a template database, with what CREATE DATABASE leaves out; raises ServerError without the template."""
        name = self._new_name()
        with self.maintenance.connection() as connection:
            losses = self._losses.get(template)
            if losses is None:
                losses = self._losses[template] = read_losses(connection, template)
            try:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                        sql.Identifier(name), sql.Identifier(template)
                    )
                )
            except errors.InvalidCatalogName as error:
                raise ServerError("There is no such template database", where=template) from error
            try:
                losses.restore(connection, name)
            except BaseException:
                maintenance.drop(connection, name)
                raise
        return Clone(self, name)

    def drop(self, name: str) -> None:
        """Drop a database if it is there."""
        with self.maintenance.connection() as connection:
            maintenance.drop(connection, name)

    def _new_name(self) -> str:
        with self._lock:
            return f"{CLONE}{self.run}_{next(self._numbers)}"

    @property
    def run(self) -> str:
        """The run that this process's clones belong to, in 8 hexadecimal digits."""
        if self._run[0] != os.getpid():  # a forked child must not go on with its parent's names
            self._run = (os.getpid(), secrets.token_hex(4))
        return self._run[1]

    def claim(self, connection: psycopg.Connection[Any]) -> None:
        """Mark what this process uses, its clones and templates, for as long as this connection lives."""
        for name in (CLONE + self.run, *self._claims):
            connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [_CLAIMS, _claim_number(name)])

    def _claim(self, connection: psycopg.Connection[Any], name: str) -> None:
        if name not in self._claims:
            connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [_CLAIMS, _claim_number(name)])
            self._claims.add(name)

    def sweep(self) -> None:
        """Drop clones of runs that have ended without dropping them: nobody claims those of their run."""
        with self.maintenance.connection() as connection:
            for name in _databases(connection, CLONE):
                if not name.startswith(CLONE + self.run):
                    self._drop_unless_claimed(connection, name)


def _databases(connection: psycopg.Connection[Any], prefix: str) -> list[str]:
    """Give the databases whose names begin so, newest first: OIDs rise."""
    query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY oid DESC"
    return [name for (name,) in connection.execute(query, [prefix]).fetchall()]


def _claim_number(name: str) -> int:
    """Give the number of the lock for a template, or for all clones of a run; an advisory lock takes 32 bits."""
    owner = "_".join(name.split("_")[:3])
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:4], "big", signed=True)
