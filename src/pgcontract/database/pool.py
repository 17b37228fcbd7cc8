"""The pool: connections on loan, checked without a round trip, and whole transactions run again."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import conninfo
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from pgcontract.database.failures import TRANSIENT
from pgcontract.database.queries import Connection, Queries
from pgcontract.database.settings import Settings
from pgcontract.database.status import ConnectionStatus
from pgcontract.database.transactions import Isolation, Transaction, block, isolated
from pgcontract.errors import PoolExhausted, QueryError, ServerError, UsageError
from pgcontract.signs import count

T = TypeVar("T")

logger = logging.getLogger("pgcontract.database")

DEFAULT_RETRIES: Final = 5
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5
_UNANSWERED_MILLISECONDS: Final = 30_000
_chance = random.SystemRandom()


class Database(Queries):
    """A pool of connections to one database; for any number of threads. Open it by ``with``, or ``open``/``close``.

    Every query outside ``tx`` is a transaction of its own. ``configure`` is called with each new connection: that is
    where a schema's types are registered (``rows.register``).
    """

    def __init__(
        self,
        dsn: str,
        settings: Settings | None = None,
        *,
        configure: Callable[[psycopg.Connection[Any]], None] | None = None,
    ) -> None:
        """Raises UsageError for a DSN that cannot be read."""
        self.settings = settings or Settings()
        self.dsn: Final = dsn
        """As it was given. It may hold a password: nothing to be shown."""
        self.log_queries = self.settings.log_queries
        given = _parameters(dsn)
        self._where = _place(given)
        self._configure = configure
        self._lent = 0
        self._count = threading.Lock()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            kwargs={
                "autocommit": True,
                "connect_timeout": math.ceil(self.settings.connect_seconds),
                "fallback_application_name": "pgcontract",
                # a network that swallows everything would hold a query for a quarter of an hour
                **({} if "tcp_user_timeout" in given else {"tcp_user_timeout": _UNANSWERED_MILLISECONDS}),
            },
            min_size=self.settings.min_size,
            max_size=self.settings.max_size,
            max_idle=self.settings.idle_seconds,
            timeout=self.settings.connect_seconds,
            # then the pool gives up, and the next query that needs a connection has it try at once; its own attempts
            # would come ever more seldom, and a server that is back again would wait for them
            reconnect_timeout=self.settings.connect_seconds,
            configure=self._prepare,
            open=False,
        )

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        configure: Callable[[psycopg.Connection[Any]], None] | None = None,
    ) -> Self:
        """The database that DATABASE_URL names, or PGHOST, PGDATABASE …; see ``Settings.from_environment``."""
        given = os.environ if environment is None else environment
        return cls(given.get("DATABASE_URL", ""), Settings.from_environment(given), configure=configure)

    def open(self) -> Self:
        """Begin to connect, in the background. A server that is away is no error before it is needed."""
        self._pool.open()
        return self

    def close(self) -> None:
        """Close all connections. It cannot be opened again."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({self._where})"

    @contextmanager
    def tx(self, *, isolation: Isolation | None = None, read_only: bool = False) -> Iterator[Transaction]:
        """A transaction: committed at the end of the block, rolled back where it raises. ``tx.tx()`` is a savepoint.

        Raises what failed in it where the block passed a failure over: the server commits nothing then. Raises
        OutcomeUnknown where the connection died at COMMIT.
        """
        connection = self._take("BEGIN")
        try:
            with isolated(connection, isolation, read_only=read_only):
                transaction = Transaction(connection, log_queries=self.log_queries)
                with block(connection, transaction, "COMMIT"):
                    yield transaction
        finally:
            self._give_back(connection)

    def run(
        self,
        work: Callable[[Transaction], T],
        *,
        retries: int = DEFAULT_RETRIES,
        isolation: Isolation | None = None,
        read_only: bool = False,
    ) -> T:
        """Do the work in a transaction; after a serialization failure or a deadlock, all of it again.

        The work must be fit to be done twice: what it does outside the database stays done. Raises the last failure
        after so many retries, UsageError for a number of them that cannot be.
        """
        # True is 1 to Python, and a slip to everybody else
        if type(retries) is not int or retries < 0:
            raise UsageError(
                "retries is no number of times", seen=repr(retries), remedy="give a whole number from 0 on"
            )
        attempt = 0
        while True:
            try:
                with self.tx(isolation=isolation, read_only=read_only) as tx:
                    return work(tx)
            except QueryError as error:
                if error.sqlstate not in TRANSIENT or attempt >= retries:
                    raise
                logger.info("%s: %s, tried again", error.query, error.sqlstate)
            # those who met are not to meet again
            time.sleep(_chance.uniform(0, min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)))
            attempt += 1

    def is_healthy(self) -> bool:
        """Whether the database answers. Never raises; takes ``connect_seconds`` at most for a connection."""
        try:
            return self.one("SELECT 1", name="health") == (1,)
        except (QueryError, ServerError, UsageError):
            return False

    def connection_status(self) -> ConnectionStatus:
        """The pool's figures; asks nobody."""
        figures = self._pool.get_stats()
        return ConnectionStatus(
            open=not self._pool.closed,
            min_size=self.settings.min_size,
            max_size=self.settings.max_size,
            size=figures.get("pool_size", 0),
            idle=figures.get("pool_available", 0),
            in_use=self._lent,
            waiting=figures.get("requests_waiting", 0),
            requests=figures.get("requests_num", 0),
            failed_requests=figures.get("requests_errors", 0),
            failed_connections=figures.get("connections_errors", 0),
            lost=figures.get("connections_lost", 0) + figures.get("returns_bad", 0),
        )

    def _take(self, query: str) -> Connection:
        connection = self._borrow(query)
        with self._count:
            self._lent += 1
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._count:
            self._lent -= 1
        self._pool.putconn(connection)

    def _borrow(self, query: str) -> Connection:
        deadline = time.monotonic() + self.settings.connect_seconds
        found: Exception | None = None
        while found is None:
            try:
                connection = self._pool.getconn(max(deadline - time.monotonic(), 0.001))
            except PoolClosed:
                found = UsageError(
                    "The database is not open",
                    where=f"{self._where}, query {query}",
                    remedy="use it in `with database:`, or call open() before and close() at the very end",
                )
            except PoolTimeout:
                found = self._nothing_came(query)
            else:
                if _alive(connection):
                    return connection
                # a restarted server leaves a pool full of these: each is given back for a new one, without a pause
                connection.close()
                self._pool.putconn(connection)
        raise found

    def _nothing_came(self, query: str) -> ServerError:
        waited = count(self.settings.connect_seconds, "second")
        where = f"{self._where}, query {query}"
        if self._lent >= self.settings.max_size:
            return PoolExhausted(
                f"No connection came free within {waited}",
                where=where,
                seen=f"{self._lent} of {self.settings.max_size} in use",
                remedy="hold connections for shorter, or raise PGCONTRACT_POOL_MAX",
            )
        return ServerError(
            f"The database did not let us in within {waited}",
            where=where,
            remedy="see that it runs and lets this user in; the log of psycopg.pool says what it answered",
        )

    def _unit(self, connection: Connection) -> AbstractContextManager[object]:
        return block(connection, Transaction(connection, log_queries=False), "COMMIT")

    def _failed(self, error: QueryError) -> None:
        # there is nothing left that the failure could spoil
        del error

    def _prepare(self, connection: Connection) -> None:
        if self._configure is not None:
            self._configure(connection)


def _alive(connection: Connection) -> bool:
    """Whether the other end is still there, as far as this machine's kernel knows: it costs no round trip."""
    pgconn = connection.pgconn
    try:
        # the first may find the server's last words, the second that nothing comes after them
        pgconn.consume_input()
        pgconn.consume_input()
    except psycopg.Error:
        return False
    return not connection.closed


def _parameters(dsn: str) -> Mapping[str, Any]:
    try:
        return conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        pass
    # outside of the handler: the driver's error repeats the DSN, and a password with it
    raise UsageError("The DSN cannot be read", remedy="write postgresql://user@host:port/database or key=value pairs")


def _place(given: Mapping[str, Any]) -> str:
    shown = [f"{key}={given[key]}" for key in ("host", "port", "dbname", "user") if given.get(key)]
    return " ".join(shown) or "the default database"
