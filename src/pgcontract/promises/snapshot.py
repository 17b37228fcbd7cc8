"""All rows around a trigger as one short answer, so that two runs of the same thing can be compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from pgcontract.model import Column, Name, Table
from pgcontract.promises.base import Rows
from pgcontract.promises.scene import Stage
from pgcontract.rows.shape import Shape
from pgcontract.rows.statements import Statement, Value, identifier, quote
from pgcontract.rows.worlds import Worlds

Left = frozenset[tuple[Name, str]]
"""Columns that are not compared, with their tables."""


@dataclass(frozen=True)
class Camera:
    """Makes snapshots. Of columns whose default is another each time only known values are told apart."""

    tables: Sequence[Table]
    known: Mapping[tuple[Name, str], tuple[Value, ...]]
    left: Left = field(default=frozenset())

    def snapshot(self) -> Statement:
        """A query that returns one text: a digest a table that holds rows."""
        parts = [
            f"SELECT {quote(str(t.name))} AS named, left(md5(string_agg(found::text, chr(10)"
            f' ORDER BY found::text COLLATE "C")), 8) AS digest FROM ({shown}) AS found'
            for t in self.tables
            if (shown := self._shown(t)) is not None
        ]
        every = " UNION ALL ".join(parts)
        return Statement(
            "SELECT string_agg(named || ' ' || digest, ', ' ORDER BY named COLLATE \"C\") AS rows_are"
            f" FROM ({every}) AS every"
        )

    def details(self) -> Statement:
        """A query that returns every row, as its table's name and its columns in JSON."""
        parts = [
            f"SELECT {n} AS number, to_jsonb(found)::text AS held FROM ({shown}) AS found"
            for n, t in enumerate(self.tables)
            if (shown := self._shown(t)) is not None
        ]
        return Statement(" UNION ALL ".join(parts))

    def unlike(self, one: Rows, other: Rows) -> Left:
        """The columns whose values differ between the details of two runs."""
        first, second = self._columns(one), self._columns(other)
        return frozenset(at for at in first.keys() | second.keys() if first.get(at) != second.get(at))

    def _columns(self, rows: Rows) -> dict[tuple[Name, str], Counter[str]]:
        found: dict[tuple[Name, str], Counter[str]] = {}
        for number, held in rows:
            assert number is not None
            assert held is not None
            table = self.tables[int(number)]
            for column, value in json.loads(held).items():
                found.setdefault((table.name, column), Counter())[json.dumps(value)] += 1
        return found

    def _shown(self, table: Table) -> str | None:
        columns = [self._column(table.name, c) for c in table.columns if (table.name, c.name) not in self.left]
        return f"SELECT {', '.join(columns)} FROM {identifier(table.name).as_string()}" if columns else None

    def _column(self, table: Name, column: Column) -> str:
        name = sql.Identifier(column.name).as_string()
        known = self.known.get((table, column.name))
        if known is None:
            return name
        values = ", ".join(quote(v) for v in known if v is not None)
        among = f"{name}::text IN ({values})" if values else "false"
        return f"CASE WHEN {name} IS NULL OR {among} THEN {name}::text ELSE 'a fresh value' END AS {name}"


def camera(worlds: Worlds, stage: Stage) -> Camera:
    """A camera for all that a stage watches."""
    known: dict[tuple[Name, str], tuple[Value, ...]] = {}
    for table in stage.watched:
        shape = worlds.shape(table.name)
        rows = [*stage.rows.get(table.name, ()), *stage.new.get(table.name, ())]
        for column in _fresh_ones(shape):
            known[table.name, column.name] = tuple(dict.fromkeys(row.get(column.name) for row in rows))
    return Camera(stage.watched, known)


def _fresh_ones(shape: Shape) -> Iterable[Column]:
    """Columns that are another each time where nothing is said: of fresh keys, sequences, clocks."""
    for column in shape.table.columns:
        evaluated = shape.defaults.get(column.name)
        if column.identity is not None or (evaluated is not None and evaluated.volatile):
            yield column
