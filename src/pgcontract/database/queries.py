"""Queries that say how many rows they take, on a pool or in a transaction alike."""

from __future__ import annotations

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Final, LiteralString, NamedTuple, TypeAlias, TypeVar, overload

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus
from psycopg.rows import class_row, tuple_row

from pgcontract.database.failures import failure, unfit
from pgcontract.errors import QueryError, WrongRowCount
from pgcontract.signs import count

T = TypeVar("T")
Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Statement: TypeAlias = LiteralString | sql.SQL | sql.Composed
Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]

logger = logging.getLogger("pgcontract.database")

UNNAMED: Final = "(unnamed)"
_AS_EVER: Final = nullcontext()
_WRITES: Final = re.compile(
    r"(?: \s | --[^\n]*\n | /\*.*?\*/ )* (?: INSERT | UPDATE | DELETE | MERGE | WITH )\b",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


class _Takes(NamedTuple):
    """How many rows a caller takes; ``most`` None: any number."""

    words: str
    least: int
    most: int | None

    def check(self, rows: Sequence[Any], name: str) -> None:
        """Raises WrongRowCount."""
        found = len(rows)
        if found < self.least or (self.most is not None and found > self.most):
            raise WrongRowCount(name, expected=self.words, found=found)


_ONE: Final = _Takes("exactly one row", 1, 1)
_AT_MOST_ONE: Final = _Takes("at most one row", 0, 1)
_MANY: Final = _Takes("at least one row", 1, None)
_NONE: Final = _Takes("no rows", 0, 0)


class Queries(ABC):
    """Runs queries, each one statement. ``row`` is a class whose fields have the columns' names; else rows are tuples.

    ``name`` says in errors and in the log which query it was. All of them raise QueryError, ConnectionLost where the
    connection died, PoolExhausted where none came free, ServerError where the server cannot be reached.
    """

    log_queries: bool = False

    @abstractmethod
    def _take(self, query: str) -> Connection:
        """A connection for one query, to be given back."""

    @abstractmethod
    def _give_back(self, connection: Connection) -> None:
        """Let others have it. Neither is a context manager: that would cost a tenth of what a short query takes."""

    @abstractmethod
    def _unit(self, connection: Connection) -> AbstractContextManager[object]:
        """What is undone when a write gives more or fewer rows than its caller takes."""

    @abstractmethod
    def _failed(self, error: QueryError) -> None:
        """Take note of a failure."""

    @abstractmethod
    def tx(self) -> AbstractContextManager[Queries]:
        """What belongs together: a transaction, or a savepoint within one."""

    @overload
    def query(self, text: Statement, parameters: Parameters = ..., *, name: str = ...) -> list[tuple[Any, ...]]: ...
    @overload
    def query(self, text: Statement, parameters: Parameters = ..., *, row: type[T], name: str = ...) -> list[T]: ...
    def query(
        self, text: Statement, parameters: Parameters = (), *, row: type[Any] | None = None, name: str = UNNAMED
    ) -> list[Any]:
        """Any number of rows; none where the statement returns none."""
        connection = self._take(name)
        try:
            return self._run(connection, text, parameters, row, name)[0]
        finally:
            self._give_back(connection)

    @overload
    def one(self, text: Statement, parameters: Parameters = ..., *, name: str = ...) -> tuple[Any, ...]: ...
    @overload
    def one(self, text: Statement, parameters: Parameters = ..., *, row: type[T], name: str = ...) -> T: ...
    def one(
        self, text: Statement, parameters: Parameters = (), *, row: type[Any] | None = None, name: str = UNNAMED
    ) -> Any:
        """Exactly one row. Raises WrongRowCount."""
        return self._counted(text, parameters, row, name, _ONE)[0][0]

    @overload
    def one_or_none(
        self, text: Statement, parameters: Parameters = ..., *, name: str = ...
    ) -> tuple[Any, ...] | None: ...
    @overload
    def one_or_none(
        self, text: Statement, parameters: Parameters = ..., *, row: type[T], name: str = ...
    ) -> T | None: ...
    def one_or_none(
        self, text: Statement, parameters: Parameters = (), *, row: type[Any] | None = None, name: str = UNNAMED
    ) -> Any:
        """One row, or None where there is none. Raises WrongRowCount."""
        rows, _ = self._counted(text, parameters, row, name, _AT_MOST_ONE)
        return rows[0] if rows else None

    @overload
    def many(self, text: Statement, parameters: Parameters = ..., *, name: str = ...) -> list[tuple[Any, ...]]: ...
    @overload
    def many(self, text: Statement, parameters: Parameters = ..., *, row: type[T], name: str = ...) -> list[T]: ...
    def many(
        self, text: Statement, parameters: Parameters = (), *, row: type[Any] | None = None, name: str = UNNAMED
    ) -> list[Any]:
        """At least one row. Raises WrongRowCount where there is none."""
        return self._counted(text, parameters, row, name, _MANY)[0]

    def none(self, text: Statement, parameters: Parameters = (), *, name: str = UNNAMED) -> int:
        """No rows: a write, or a look that must find nothing. Gives how many rows the statement has changed.

        Raises WrongRowCount where it returns rows.
        """
        return max(self._counted(text, parameters, None, name, _NONE)[1], 0)

    def _counted(
        self,
        text: Statement,
        parameters: Parameters,
        row: type[Any] | None,
        name: str,
        takes: _Takes,
    ) -> tuple[list[Any], int]:
        connection = self._take(name)
        try:
            if not _writes(text):
                rows, count = self._run(connection, text, parameters, row, name)
                takes.check(rows, name)
                return rows, count
            # one that returns too many rows is not to have changed them
            with self._unit(connection):
                rows, count = self._run(connection, text, parameters, row, name)
                takes.check(rows, name)
            return rows, count
        finally:
            self._give_back(connection)

    def _run(
        self, connection: Connection, text: Statement, parameters: Parameters, row: type[Any] | None, name: str
    ) -> tuple[list[Any], int]:
        """All rows of a query, and how many it returned or changed."""
        started = time.perf_counter() if self.log_queries else 0.0
        found: QueryError | None = None
        rows: list[Any] = []
        count = 0
        factory: Any = tuple_row if row is None else class_row(row)
        # with parameters, the driver asks in the way that takes one statement only
        alone = not parameters and _may_be_several(text)
        with connection.cursor(row_factory=factory) as cursor:
            try:
                with connection.pipeline() if alone else _AS_EVER:
                    cursor.execute(text, parameters or None)
                count = cursor.rowcount
                # not `description`, which makes a description of every column
                if cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK:
                    rows = cursor.fetchall()
            except psycopg.Error as error:
                found = failure(error, name, lost=connection.closed, several=_may_be_several(text))
            except TypeError:
                if row is None or cursor.description is None:
                    raise
                found = unfit(name, tuple(column.name for column in cursor.description), row)
        if self.log_queries:
            _log(name, text, time.perf_counter() - started, found, count)
        if found is not None:
            self._failed(found)
            # here, where the driver's error is not its context
            raise found
        return rows, count


def _log(name: str, text: Statement, seconds: float, error: QueryError | None, number: int) -> None:
    outcome = count(max(number, 0), "row") if error is None else f"failed ({error.sqlstate or type(error).__name__})"
    logger.info("%s: %.1f ms, %s: %s", name, seconds * 1000, outcome, " ".join(shown(text).split()))


def shown(text: Statement) -> str:
    """A statement's text; values that were composed into it are left out."""
    if isinstance(text, str):
        return text
    if isinstance(text, sql.Composed):
        return "".join(_part(part) for part in text)
    return text.as_string(None)


def _part(part: sql.Composable) -> str:
    if isinstance(part, sql.Composed):
        return shown(part)
    return "…" if isinstance(part, sql.Literal) else part.as_string(None)


def _writes(text: Statement) -> bool:
    return _says_that_it_writes(text if isinstance(text, str) else shown(text))


def _may_be_several(text: Statement) -> bool:
    return _has_semicolons(text if isinstance(text, str) else shown(text))


@lru_cache(maxsize=1024)
def _has_semicolons(text: str) -> bool:
    """Whether one stands elsewhere than at the end: then the server is asked in a pipeline, which takes one statement.

    As the driver sends a text without parameters otherwise, several would all be run, and all results but one be lost.
    """
    return ";" in text.rstrip().removesuffix(";")


@lru_cache(maxsize=1024)
def _says_that_it_writes(text: str) -> bool:
    return _WRITES.match(text) is not None
