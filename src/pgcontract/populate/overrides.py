"""What a system says of its rows itself: ``[populate]`` in system.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Name
from pgcontract.rows.statements import quote
from pgcontract.sql import SqlError, parse_expression


@dataclass(frozen=True, slots=True)
class Overrides:
    """``columns``: an SQL expression in n for (table, column). ``rows``: for tables that rows were not asked for."""

    columns: Mapping[tuple[Name, str], str] = field(default_factory=dict)
    rows: Mapping[Name, int] = field(default_factory=dict)

    @staticmethod
    def of(settings: Mapping[str, str | int], catalog: Catalog, where: str) -> Overrides:
        """Settings by ``table`` or ``table.column``, resolved. Raises UsageError, naming ``where`` they stand.

        What ``[values]`` gives for columns holds where nothing else is said, but for keys, whose values must differ.
        """
        by_name = {str(t.name): t for t in catalog.tables}
        columns = {at: by_turns(values) for at, values in catalog.examples.items() if not _in_key(catalog, *at)}
        rows: dict[Name, int] = {}
        for key, value in settings.items():
            if isinstance(value, int):
                if key not in by_name:
                    raise UsageError(
                        "[populate] names a table that is not there",
                        where=where,
                        seen=key,
                        remedy=f"take it out, or write one of {', '.join(by_name) or 'none'}",
                    )
                rows[by_name[key].name] = value
                continue
            found = next((t for name, t in by_name.items() if key.startswith(f"{name}.")), None)
            column = None if found is None else found.column(key.removeprefix(f"{found.name}.").strip('"'))
            if found is None or column is None:
                raise UsageError(
                    "[populate] names a column that is not there",
                    where=where,
                    seen=key,
                    remedy="write table.column as the database has it, or take it out",
                )
            if column.generated is not None:
                raise UsageError("[populate] names a generated column", where=where, seen=key, remedy="leave it out")
            try:
                parse_expression(value)
            except SqlError as error:
                raise UsageError(
                    "[populate] holds an expression that does not parse",
                    where=f"{where}: {key}",
                    seen=error.message,
                    remedy="write an SQL expression in n, the row's number",
                ) from error
            columns[found.name, column.name] = value
        return Overrides(columns, rows)


def by_turns(values: tuple[str, ...]) -> str:
    """An expression in n that gives one after the other."""
    return f"(ARRAY[{', '.join(map(quote, values))}])[1 + n % {len(values)}]"


def _in_key(catalog: Catalog, name: Name, column: str) -> bool:
    table = catalog.table(name)
    assert table is not None
    unique = [k.columns for k in table.keys] + [tuple(k.expression for k in i.keys) for i in table.indexes if i.unique]
    tied = [fk.columns for fk in table.foreign_keys]
    return any(column in columns for columns in (*unique, *tied))
