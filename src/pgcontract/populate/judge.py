"""The database as a judge of expressions, on numbers from all over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from pgcontract.model import Column, Name
from pgcontract.populate.dice import NUMBER, POSITION
from pgcontract.rows.shape import Clause

SAMPLE: Final = 64


@dataclass(frozen=True)
class Judge:
    """Asks whether expressions in a row's number pass a table's CHECKs; ``start`` is the number before the first."""

    connection: psycopg.Connection[Any]
    table: Name
    rows: int
    start: int

    def sample(self) -> str:
        """Numbers from all over the rows, and beyond them: conflicts make more of them necessary."""
        last = max(2 * self.rows, 2)
        places = sorted({1, 2, 3, last, *(1 + last * i // SAMPLE for i in range(SAMPLE))})
        listed = ", ".join(map(str, places))
        return (
            f"(SELECT {POSITION}, {POSITION} + {self.start} AS {NUMBER}"
            f" FROM unnest('{{{listed}}}'::bigint[]) AS numbers ({POSITION})) AS given"
        )

    def passes(self, column: Column, expression: str, clauses: Sequence[Clause], *, apart: bool = False) -> bool:
        """Whether an expression's values are the column's: of its type, through the CHECKs, not NULL where that is so.

        ``apart``: and all different.
        """
        return self.problem(column, expression, clauses, apart=apart) is None

    def problem(self, column: Column, expression: str, clauses: Sequence[Clause], *, apart: bool = False) -> str | None:
        """What is wrong with an expression's values for a column; None for nothing."""
        name = _q(column.name)
        made = f"SELECT ({expression})::{column.type} AS {name} FROM {self.sample()}"
        tests = [f"bool_and(({c.expression}) IS NOT FALSE)" for c in clauses] or ["true"]
        tests.append(f"count(DISTINCT {name}::text) = count(*)" if apart else "true")
        tests.append(f"count({name}) = count(*)" if column.not_null or apart else "true")
        query = f"SELECT {', '.join(tests)} FROM ({made}) AS {_q(self.table.name)}"
        try:
            with self.connection.transaction():
                row = self.connection.execute(query.encode()).fetchone()
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            return f"{error.sqlstate} {error.diag.message_primary}"
        assert row is not None
        wrong = [c.expression for c, good in zip(clauses, row, strict=False) if not good]
        return f"CHECK ({wrong[0]})" if wrong else None if all(row) else "NULL, or the same value twice"

    def holds(self, made: str, clauses: Sequence[Clause]) -> bool:
        """Whether all CHECKs pass for the rows that a query makes."""
        tests = [f"COALESCE(bool_and(({c.expression}) IS NOT FALSE), true)" for c in clauses] or ["true"]
        query = f"SELECT {' AND '.join(tests)} FROM ({made}) AS {_q(self.table.name)}"
        try:
            with self.connection.transaction():
                row = self.connection.execute(query.encode()).fetchone()
        except psycopg.OperationalError:
            raise
        except psycopg.Error:
            return False
        return row is not None and row[0] is True


def _q(name: str) -> str:
    return sql.Identifier(name).as_string()
