"""A hot query that is prepared on a connection, as something that can be timed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import pq

from pgcontract.compare.clock import Clock
from pgcontract.queries import Query, QueryError

_DONE: Final = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
_NUMBERS: Final = itertools.count(1)


class Prepared:
    """One query and the values that it is executed with, one after the other. Raises QueryError where it fails.

    Results are fetched, and left as libpq gives them: what Python makes of them would be most of the time, and is the
    same for both sides. What a query writes is rolled back, and what it defers is checked before the clock stops.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], query: Query, values: Sequence[Sequence[str]], clock: Clock
    ) -> None:
        self._clock = clock
        self._pg = connection.pgconn
        self._query = query
        self._values = [[value.encode() for value in one] for one in values]
        self._name = f"compared_{next(_NUMBERS)}".encode()
        self.rows = 0
        """Those that the last execution returned or wrote, with all values together."""
        types = ", ".join(parameter.type for parameter in query.parameters)
        self._run(f"PREPARE {self._name.decode()}{f' ({types})' if types else ''} AS {query.text}".encode())

    def execute(self) -> int:
        """Execute it once with each of its values; the nanoseconds of all of them."""
        return self._writing() if self._query.writes else self._reading()

    def _reading(self) -> int:
        self._clock.start()
        results = [self._pg.exec_prepared(self._name, values) for values in self._values]
        taken = self._clock.stop()
        self.rows = sum(self._seen(result) for result in results)
        return taken

    def _writing(self) -> int:
        taken = rows = 0
        for values in self._values:
            self._run(b"BEGIN READ WRITE")
            self._clock.start()
            result = self._pg.exec_prepared(self._name, values)
            checked = self._pg.exec_(b"SET CONSTRAINTS ALL IMMEDIATE")
            taken += self._clock.stop()
            self._pg.exec_(b"ROLLBACK")
            rows += self._seen(result)
            self._seen(checked)
        self.rows = rows
        return taken

    def _run(self, text: bytes) -> None:
        self._seen(self._pg.exec_(text))

    def _seen(self, result: pq.abc.PGresult) -> int:
        """How many rows there were."""
        if result.status in _DONE:
            return result.ntuples or result.command_tuples or 0
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        raise QueryError(
            "A hot query cannot be executed.",
            where=f"{self._query.path}, line {self._query.line}",
            seen=f"{state} {result.get_error_message().strip().splitlines()[0]}",
            remedy="Correct it, or its parameters' sources.",
        )
