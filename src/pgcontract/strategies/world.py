"""A row with the rows that must be there for it, to be inserted where a test wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final, TypeVar, overload

from psycopg import sql

from pgcontract.database import Queries
from pgcontract.database.repository import RowClass
from pgcontract.rows.statements import Statement, paste

R = TypeVar("R", bound=RowClass)


class _Undone(Exception):
    """What a savepoint ends with that is to be undone."""


class World:
    """A row as a person would write it, and its parents, by their tables, in the order of their insertion.

    ``columns`` are all of its table's. ``str(world)`` is the SQL that inserts it all, to be pasted into psql.
    """

    # no dataclass, of which Hypothesis shows every field: the statements only say it again
    def __init__(
        self,
        table: str,
        row: Mapping[str, Any],
        parents: tuple[tuple[str, Mapping[str, Any]], ...],
        statements: tuple[Statement, ...],
        columns: tuple[str, ...],
    ) -> None:
        self.table: Final = table
        self.row: Final = row
        self.parents: Final = parents
        self.statements: Final = statements
        self.columns: Final = columns

    @overload
    def insert(self, queries: Queries) -> dict[str, Any]: ...
    @overload
    def insert(self, queries: Queries, *, row: type[R]) -> R: ...
    def insert(self, queries: Queries, *, row: type[RowClass] | None = None) -> Any:
        """Insert all of it; gives the row as it is stored, in all its columns: a dictionary, or the class's instance.

        Raises QueryError where the database refuses it, for rows with the same keys that are there.
        """
        name = f"world of {self.table}"
        *before, last = map(paste, self.statements)
        with queries.tx() as tx:
            for text in before:
                tx.query(_sql(text), name=name)
            if row is not None:
                return tx.one(_sql(f"{last} RETURNING {row.COLUMNS}"), row=row, name=name)
            # at least one: a table may have none
            columns = ", ".join(sql.Identifier(column).as_string() for column in self.columns) or "1"
            stored = tx.one(_sql(f"{last} RETURNING {columns}"), name=name)
            return dict(zip(self.columns, stored, strict=False))

    @overload
    def inserted(self, queries: Queries) -> AbstractContextManager[dict[str, Any]]: ...
    @overload
    def inserted(self, queries: Queries, *, row: type[R]) -> AbstractContextManager[R]: ...
    @contextmanager
    def inserted(self, queries: Queries, *, row: type[RowClass] | None = None) -> Iterator[Any]:
        """The same for the length of a block, at whose end all that was done in it is undone."""
        with suppress(_Undone), queries.tx() as tx:
            yield self.insert(tx) if row is None else self.insert(tx, row=row)
            raise _Undone

    def __repr__(self) -> str:
        return f"World({self.table!r}, {self.row!r}, parents={self.parents!r})"

    def __str__(self) -> str:
        return "\n".join(f"{paste(statement)};" for statement in self.statements)


def _sql(text: str) -> sql.SQL:
    # identifiers in it were quoted by psycopg.sql, values are literals; without parameters, % means nothing
    return sql.SQL(text)
