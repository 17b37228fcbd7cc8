"""Between PostgreSQL's texts, of which rows are made, and the values that psycopg gives for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from pgcontract.errors import PgContractError, UsageError
from pgcontract.model import Table
from pgcontract.rows.statements import Row, Value

_DOCUMENTS: Final = frozenset({"json", "jsonb"})


class Unloadable(PgContractError):
    """A row with a value that Python has none for: infinity among dates, the year 10000."""


class Conversion:
    """Has the database itself convert, so that nothing differs from what a query would give. Not for two threads."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def python(self, table: Table, row: Row) -> dict[str, Any]:
        """The values as a query gives them. Raises Unloadable."""
        try:
            found = self._connection.execute(self._selected(table, row, ""), list(row.values())).fetchone()
        except psycopg.DataError as error:
            raise Unloadable("Python has no value for one of the row's", where=str(table.name)) from error
        assert found is not None
        return dict(zip(row, found, strict=True))

    def text(self, table: Table, values: Mapping[str, Any]) -> dict[str, Value]:
        """The values as PostgreSQL's texts. Raises UsageError for what the columns' types do not take."""
        if not values:
            return {}
        types = {column.name: column.type for column in table.columns}
        sent = [
            Json(value)
            if types.get(name) in _DOCUMENTS and value is not None and not isinstance(value, Json)
            else value
            for name, value in values.items()
        ]
        refused: str | None = None
        try:
            found = self._connection.execute(self._selected(table, values, "::TEXT"), sent).fetchone()
        except psycopg.Error as error:
            # the server's own words would repeat the value
            refused = error.sqlstate or type(error).__name__
        if refused is not None:
            raise UsageError(
                "A value does not fit its column",
                where=", ".join(f"{table.name}.{name} {types[name]}" for name in values),
                seen=refused,
                remedy="give what psycopg sends for the type, or PostgreSQL's text",
            )
        assert found is not None
        return dict(zip(values, found, strict=True))

    @staticmethod
    def _selected(table: Table, names: Mapping[str, Any], cast: str) -> sql.Composed:
        types = {column.name: column.type for column in table.columns}
        # types are the catalog's own, printed by format_type with all names quoted
        parts = [sql.SQL("%s::") + sql.SQL(types[name].replace("%", "%%")) + sql.SQL(cast) for name in names]
        return sql.SQL("SELECT ") + sql.SQL(", ").join(parts)
