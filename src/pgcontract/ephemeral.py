"""A schema system on a server: its template database, clones of it, and what the live catalog says."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from pgcontract.catalog import read_catalog, with_examples
from pgcontract.errors import ServerError
from pgcontract.migrations import prepare
from pgcontract.model import Catalog
from pgcontract.server import DEFAULT_MAJOR, Clone, Server, Template, attach, find_binaries, start
from pgcontract.system import FILE, System


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """Which server to use. ``dsn``: one of the user's, on which databases are created and dropped."""

    major: int | None = None
    dsn: str | None = None
    pg_bin: Path | None = None
    install: bool = True
    progress: Callable[[int, int | None], None] | None = None
    durable: bool = False
    """Whether a server that is started here keeps what it commits, as one in production does."""
    running: str | None = None
    """The DSN of a server that this very run started already, in another process."""


@dataclass(frozen=True)
class Stage:
    """A system's template on a running server. ``roles`` maps the system's role settings to this run's role names."""

    system: System
    server: Server
    template: str
    roles: Mapping[str, str]

    @property
    def live_roles(self) -> Mapping[str, str]:
        """This run's role names by the names that the system gives them."""
        return {name: self.roles[setting] for setting, name in self.system.roles.items()}

    def clone(self) -> Clone:
        """A database of its own, with the schema in it."""
        return self.server.clone(self.template)

    def catalog(self, connection: psycopg.Connection) -> Catalog:
        """What a clone's catalog says, under the names that the system gives its roles."""
        names = {live: name for name, live in self.live_roles.items()}
        catalog = read_catalog(connection, ignore=[self.system.tracking_table], roles=names)
        return with_examples(catalog, self.system.values, connection, str(self.system.root / FILE))

    def read_catalog(self) -> Catalog:
        """The catalog of a fresh clone."""
        with self.clone() as clone, psycopg.connect(clone.dsn) as connection:
            return self.catalog(connection)


def template_of(system: System, roles: Mapping[str, str] | None = None) -> Template:
    """What makes the system's database, with a key that changes whenever it does.

    ``roles`` are those that the system's have on a server of the user's.
    """
    named = system.roles if roles is None else roles
    own = roles is None
    return Template("\n".join([system.key(), *named.values()]), lambda dsn: prepare(dsn, system, roles=named, own=own))


def open_server(choice: ServerChoice, system: System | None = None) -> Server:
    """A server as chosen: started with the system's template in it, or the user's, or the run's that is there already.

    Raises ServerError.
    """
    if choice.running is not None:
        return attach(choice.running)
    if choice.dsn is not None:
        return attach(choice.dsn)
    binaries = find_binaries(choice.major, pg_bin=choice.pg_bin, install=choice.install, progress=choice.progress)
    template = template_of(system) if system is not None and system.kept else None
    return start(binaries, template=template, durable=choice.durable)


@contextmanager
def staged(system: System, server: Server, choice: ServerChoice) -> Iterator[Stage]:
    """Make the system's template on a running server.

    Roles belong to the whole cluster: on a server of the user's they carry a suffix and are dropped at the end.
    """
    if choice.dsn is None:
        yield Stage(system, server, server.template(template_of(system)), system.roles)
        return
    suffix = f"_{secrets.token_hex(4)}"
    roles = {setting: name + suffix for setting, name in system.roles.items()}
    try:
        yield Stage(system, server, server.template(template_of(system, roles)), roles)
    finally:
        server.drop_templates()
        _drop_roles(server, roles.values())


@contextmanager
def ephemeral(system: System, choice: ServerChoice) -> Iterator[Stage]:
    """Start a server (or use the user's), and make the system's template on it.

    Raises ServerError, MigrationError, UsageError.
    """
    with open_server(choice, system) as server, staged(system, server, choice) as stage:
        yield stage


def version(choice: ServerChoice) -> str:
    """The version of the server that a choice leads to, without starting one."""
    if choice.dsn is not None:
        with attach(choice.dsn) as server:
            return f"PostgreSQL {server.version}"
    try:
        # without a choice it is the newest, also where that has to be installed first
        named = choice.pg_bin or os.environ.get("PGCONTRACT_PG_BIN")
        major = choice.major if choice.major or named else DEFAULT_MAJOR
        return f"PostgreSQL {find_binaries(major, pg_bin=choice.pg_bin, install=False).version}"
    except ServerError:
        return f"PostgreSQL {choice.major or DEFAULT_MAJOR}, to be installed"


def _drop_roles(server: Server, roles: Iterable[str]) -> None:
    with psycopg.connect(server.address.dsn(), autocommit=True) as connection:
        for role in roles:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
