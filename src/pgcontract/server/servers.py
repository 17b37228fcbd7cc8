"""A running server, this project's own or a user's, as everything else sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import psycopg

from pgcontract.errors import ServerError
from pgcontract.server.databases import Databases, Template
from pgcontract.server.maintenance import Maintenance

if TYPE_CHECKING:
    from pgcontract.server.address import Address
    from pgcontract.server.databases import Clone
    from pgcontract.server.runs import Run


GOING_PATIENCE = 3.0
CONNECT_PATIENCE = 3


class Server:
    """A running PostgreSQL server: its address and version, template databases and clones; ends with its ``with``.

    Attributes: ``address`` (of the maintenance database), ``major``, ``version``. With a ``run`` it is our own and
    ``stop`` ends it; without, it is a user's, where ``stop`` only closes the connection.
    """

    def __init__(self, address: Address, major: int, version: str, *, run: Run | None = None) -> None:
        self.address = address
        self.major = major
        self.version = version
        self._run = run
        self._maintenance = Maintenance(address, explain=self._explain, on_connect=self._prepare)
        self._databases = Databases(self._maintenance, own=run is not None)
        self._template: str | None = None

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        self._databases.claim(connection)
        if self.own and self.major >= 18:
            try:
                # 13.0 ms for a clone instead of 15.6; builds without copy_file_range do not know the value
                connection.execute("SET file_copy_method = clone")
            except psycopg.errors.InvalidParameterValue:
                return

    def _explain(self, seen: str) -> ServerError:
        if self._run is not None and not self._run.is_running():
            return self._run.failure("The PostgreSQL server has gone")
        return ServerError(
            "The PostgreSQL server does not answer",
            where=str(self.address),
            seen=seen,
            remedy="see that it runs and lets you in",
        )

    @property
    def own(self) -> bool:
        """Whether it was started here."""
        return self._run is not None

    def is_running(self) -> bool:
        """Tell whether it still runs (own) or answers (a user's)."""
        if self._run is not None:
            return self._run.is_running()
        try:
            with self._maintenance.connection() as connection:
                connection.execute("SELECT 1")
        except (ServerError, psycopg.Error):
            return False
        return True

    def check(self) -> None:
        """Raise a ServerError, with the end of its log where there is one, if the server has gone or is going."""
        deadline = time.monotonic() + GOING_PATIENCE
        while self.is_running():
            try:
                psycopg.connect(self.address.dsn(), connect_timeout=CONNECT_PATIENCE).close()
            except psycopg.OperationalError as error:
                # it is shutting down, or too busy to say; its log is complete when it has gone
                if time.monotonic() > deadline:
                    raise self._explain(str(error).strip().splitlines()[0]) from error
                time.sleep(0.02)
            else:
                return
        raise self._explain("no answer")

    def template(self, template: Template) -> str:
        """Give the name of the template database, made by the first process that needs it; passes apply's exception."""
        name = self._databases.template(template)
        self._template = self._template or name
        return name

    def clone(self, template: str) -> Clone:
        """Copy a template database, with the settings, privileges and comment that CREATE DATABASE leaves out."""
        return self._databases.clone(template)

    def drop_templates(self) -> None:
        """Drop the template databases that this process made, except those that another process uses."""
        self._databases.drop_templates()

    def sweep(self) -> None:
        """Drop the clones that killed runs left on this server."""
        self._databases.sweep()

    # what pytest_postgresql.factories.postgresql_noproc(depends_on=…) reads from the fixture that it names
    host = property(lambda self: self.address.host)
    port = property(lambda self: self.address.port)
    user = property(lambda self: self.address.user)
    password = property(lambda self: self.address.password)
    options = property(lambda self: dict(self.address.parameters).get("options", ""))
    dbname = property(lambda self: self.address.dbname)
    maintenance_dbname = property(lambda self: self.address.dbname)
    template_dbname = property(lambda self: self._template)

    def close(self) -> None:
        """Close the connection to it; the next use opens another."""
        self._maintenance.close()

    def stop(self) -> None:
        """End it: an own server goes with its folder, on a user's one only our connection closes."""
        if self._run is not None:
            self._run.stop()
        self._maintenance.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Server({self.address}, PostgreSQL {self.version})"
