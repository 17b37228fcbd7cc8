"""A transaction, and savepoints within it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus

from pgcontract.database.failures import failure, lost_at_commit
from pgcontract.database.queries import Connection, Queries
from pgcontract.errors import ConnectionLost, QueryError, UsageError

Isolation: TypeAlias = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

_LEVELS: Final = {
    "READ COMMITTED": psycopg.IsolationLevel.READ_COMMITTED,
    "REPEATABLE READ": psycopg.IsolationLevel.REPEATABLE_READ,
    "SERIALIZABLE": psycopg.IsolationLevel.SERIALIZABLE,
}


class Transaction(Queries):
    """Queries that are committed or undone together. It belongs to one thread, and ends with its block."""

    def __init__(self, connection: Connection, *, log_queries: bool) -> None:
        self.log_queries = log_queries
        self._held = connection
        self._open = True
        self._first_failure: QueryError | None = None

    @property
    def connection(self) -> Connection:
        """The driver's own, for what is not offered here, as COPY. It refuses ``commit`` and ``rollback``."""
        return self._take("connection")

    @contextmanager
    def tx(self) -> Iterator[Transaction]:
        """A savepoint: what fails in the block is undone alone, and the transaction goes on."""
        connection = self._take("SAVEPOINT")
        inner = Transaction(connection, log_queries=self.log_queries)
        with block(connection, inner, "SAVEPOINT"):
            yield inner

    def _take(self, query: str) -> Connection:
        if not self._open:
            raise UsageError(
                "The transaction has ended", where=f"query {query}", remedy="use it within its own block only"
            )
        return self._held

    def _give_back(self, connection: Connection) -> None:
        # it is the transaction's until that ends
        del connection

    @contextmanager
    def _unit(self, connection: Connection) -> Iterator[None]:
        # the caller's own block undoes it
        del connection
        yield

    def _failed(self, error: QueryError) -> None:
        self._first_failure = self._first_failure or error

    def end(self) -> QueryError | None:
        """Let nobody use it any more. What had failed in it, where nothing can be committed because of that."""
        self._open = False
        status = self._held.info.transaction_status
        if status == TransactionStatus.INERROR:
            return self._first_failure or QueryError(
                "The transaction cannot be committed: a statement in it had failed", query="COMMIT", sqlstate="25P02"
            )
        if status == TransactionStatus.UNKNOWN:
            return self._first_failure or ConnectionLost(
                "The connection was lost before COMMIT", query="COMMIT", remedy="run the whole transaction again"
            )
        return None


@contextmanager
def isolated(connection: Connection, isolation: Isolation | None, *, read_only: bool) -> Iterator[None]:
    """Have the connection's next transaction begin so; afterwards it is as it was."""
    if isolation is not None and isolation not in _LEVELS:
        raise UsageError("No such isolation level", seen=isolation, remedy=f"give {', '.join(_LEVELS)}")
    if isolation is None and not read_only:
        yield
        return
    connection.isolation_level = _LEVELS[isolation] if isolation else None
    connection.read_only = True if read_only else None
    try:
        yield
    finally:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            connection.isolation_level = None
            connection.read_only = None
        else:
            # it is in no state to be used by others
            connection.close()


@contextmanager
def block(connection: Connection, transaction: Transaction, query: str) -> Iterator[None]:
    """Begin, then commit; roll back where the block raises, or where a statement had failed and was passed over."""
    begun = ended = False
    found: QueryError | None = None
    try:
        with connection.transaction():
            begun = True
            try:
                yield
            except BaseException:
                transaction.end()
                raise
            passed_over = transaction.end()
            if passed_over is not None:
                # the server would answer COMMIT by rolling back, and the driver sends none to a lost connection: both
                # without a word
                raise passed_over
            ended = True
    except psycopg.Error as error:
        if begun and not ended:
            # the caller's own: what this package sends does not raise the driver's errors
            raise
        unanswered = ended and query == "COMMIT" and connection.closed
        found = lost_at_commit(error) if unanswered else failure(error, query, lost=connection.closed)
    if found is not None:
        raise found
