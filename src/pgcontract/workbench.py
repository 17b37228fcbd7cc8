"""What tests of people's own work with: a system's database by transactions that are undone, or one of a test's own.

One process's; opened when the first test asks, and closed at the end of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import Final

from pgcontract.database import Database, Settings, Transaction
from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.errors import ServerError
from pgcontract.server import Server
from pgcontract.strategies import Configure, Overrides, Strategies
from pgcontract.system import System


class _Undone(Exception):
    """What a test's transaction ends with."""


class Workbench:
    """One system's databases on the run's server. Raises ServerError, MigrationError or UsageError at its first use."""

    def __init__(self, system: System, server: Server, choice: ServerChoice) -> None:
        self._stack: Final = ExitStack()
        self._system = system
        self._server = server
        self._choice = choice
        self._pools: dict[Configure | None, Database] = {}

    @contextmanager
    def transaction(self, configure: Configure | None) -> Iterator[Transaction]:
        """A transaction that is undone at the end, on a database that others have used so."""
        if configure not in self._pools:
            pool = Database(self._shared, Settings(min_size=1, max_size=1), configure=configure)
            self._pools[configure] = self._stack.enter_context(pool)
        with suppress(_Undone), self._pools[configure].tx() as tx:
            yield tx
            raise _Undone

    @contextmanager
    def database(self, configure: Configure | None) -> Iterator[Database]:
        """A pool on a database of its own, which is dropped at the end."""
        with self._stage.clone() as clone, Database(clone.dsn, Settings(min_size=1), configure=configure) as database:
            # the pool's threads use `random` while they connect, for which Hypothesis would blame the test
            database.query("SELECT 1")
            yield database

    @contextmanager
    def strategies(self, overrides: Overrides, configure: Configure | None) -> Iterator[Strategies]:
        """Strategies for the rows of all tables, tried on a database that nobody else writes to."""
        catalog = self._stage.catalog
        with Strategies(self._trials, overrides=overrides, configure=configure, catalog=catalog) as strategies:
            yield strategies

    def close(self) -> None:
        """Drop the databases; the server is left running."""
        with suppress(ServerError):
            self._stack.close()

    @cached_property
    def _stage(self) -> Stage:
        return self._stack.enter_context(staged(self._system, self._server, self._choice))

    @cached_property
    def _shared(self) -> str:
        return self._stack.enter_context(self._stage.clone()).dsn

    @cached_property
    def _trials(self) -> str:
        return self._stack.enter_context(self._stage.clone()).dsn
