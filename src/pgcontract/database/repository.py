"""What repositories of one table share: rows of one class, inserts and updates of named columns only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, LiteralString, Protocol, TypeVar

from psycopg import sql
from psycopg.types.json import Jsonb

from pgcontract.database.queries import Queries
from pgcontract.errors import UsageError


class RowClass(Protocol):
    """A class that `pgcontract models` has written."""

    TABLE: ClassVar[LiteralString]
    COLUMNS: ClassVar[LiteralString]


Row = TypeVar("Row", bound=RowClass)


class Repository(Generic[Row]):
    """Reads and writes one table. ``insertable`` and ``updatable`` are the columns that callers may name.

    ``documents`` are those of type jsonb, whose values are sent as JSON; None is NULL in them, too.
    """

    def __init__(
        self,
        queries: Queries,
        row: type[Row],
        *,
        insertable: Collection[str],
        updatable: Collection[str],
        documents: Collection[str] = (),
    ) -> None:
        self._queries: Final = queries
        self._row: Final = row
        self._insertable = frozenset(insertable)
        self._updatable = frozenset(updatable)
        self._documents = frozenset(documents)

    def _inserting(self, values: Mapping[str, Any]) -> tuple[sql.Composed, list[Any]]:
        """INSERT INTO the table (…) VALUES (…), and its parameters; columns that are left out take their defaults.

        Raises UsageError for columns that callers may not name.
        """
        columns = self._named(values, self._insertable)
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.SQL(self._row.TABLE),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() for _ in columns),
        )
        return statement, self._sent(values, columns)

    def _updating(self, changes: Mapping[str, Any]) -> tuple[sql.Composed, list[Any]]:
        """UPDATE the table SET …, and its parameters. Raises UsageError for columns that callers may not change."""
        columns = self._named(changes, self._updatable)
        pairs = (sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder()) for column in columns)
        statement = sql.SQL("UPDATE {} SET {}").format(sql.SQL(self._row.TABLE), sql.SQL(", ").join(pairs))
        return statement, self._sent(changes, columns)

    def _sent(self, given: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
        return [
            Jsonb(given[column]) if column in self._documents and given[column] is not None else given[column]
            for column in columns
        ]

    def _named(self, given: Mapping[str, Any], allowed: frozenset[str]) -> list[str]:
        refused = sorted(set(given) - allowed)
        if refused or not given:
            raise UsageError(
                "Columns that may not be written" if refused else "No column is named",
                where=self._row.TABLE,
                seen=", ".join(map(repr, refused)) or None,
                remedy=f"name {', '.join(sorted(allowed))}",
            )
        # one order, so that the same columns are the same statement, which the server prepares once
        return sorted(given)
