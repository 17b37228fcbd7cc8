"""Whether rows survive: a copy of every row, as text, in temporary tables of a session that looks on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql

from pgcontract.migrations.session import Connection
from pgcontract.model import Catalog, Name
from pgcontract.signs import count

_COLUMNS: Final = """
    SELECT n.nspname, c.relname, a.attname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True, slots=True)
class Copied:
    """One table's copy: the copy's name, its columns (``c0``, ``c1`` … in the copy), its key's columns, its rows."""

    copy: sql.Identifier
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one table's rows: how many are gone, and of the columns still there, how many values differ.

    ``gone`` is None where the table itself is; ``unlike`` counts rows that differ where no key tells which is which.
    """

    rows: int
    gone: int | None
    columns: frozenset[str] = frozenset()
    differ: Mapping[str, int] = field(default_factory=dict)
    unlike: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows of a database at one moment."""

    connection: Connection
    tables: Mapping[Name, Copied]

    def fates(self) -> dict[Name, Fate]:
        """What has become of them by now."""
        there: dict[Name, set[str]] = {}
        for namespace, name, column in self.connection.execute(_COLUMNS):
            there.setdefault(Name(namespace, name), set()).add(column)
        return {
            name: self._fate(name, copied, there[name]) if name in there else Fate(copied.rows, None)
            for name, copied in self.tables.items()
        }

    def _fate(self, name: Name, copied: Copied, live: Collection[str]) -> Fate:
        shared = [column for column in copied.columns if column in live]
        count = self._number(sql.SQL("SELECT count(*) FROM {}").format(_identifier(name)))
        fewer = max(0, copied.rows - count)
        if not shared:
            return Fate(copied.rows, fewer)
        if not copied.key or not set(copied.key) <= set(shared):
            unlike = self._number(self._except(name, copied, shared)) - fewer
            return Fate(copied.rows, fewer, frozenset(shared), unlike=unlike)
        gone = self._number(self._except(name, copied, copied.key))
        if gone == copied.rows and count >= copied.rows:
            # no key is left of any row, and yet there are as many: it is the keys that have changed
            return Fate(copied.rows, 0, frozenset(shared), dict.fromkeys(copied.key, gone))
        return Fate(copied.rows, gone, frozenset(shared), self._differing(name, copied, shared))

    def _differing(self, name: Name, copied: Copied, shared: Sequence[str]) -> dict[str, int]:
        rest = [column for column in shared if column not in copied.key]
        if not rest:
            return {}
        pairs = [(_copy(copied, column), _live(column)) for column in rest]
        query = sql.SQL("SELECT {counts} FROM {copy} AS kept JOIN {live} AS live ON {same}").format(
            counts=sql.SQL(", ").join(
                sql.SQL("count(*) FILTER (WHERE {} IS DISTINCT FROM {})").format(was, now) for was, now in pairs
            ),
            copy=copied.copy,
            live=_identifier(name),
            same=sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(_copy(copied, column), _live(column)) for column in copied.key
            ),
        )
        row = self.connection.execute(query).fetchone()
        assert row is not None
        return {column: int(number) for column, number in zip(rest, row, strict=True) if number}

    def _except(self, name: Name, copied: Copied, columns: Sequence[str]) -> sql.Composed:
        return sql.SQL(
            "SELECT count(*)"
            " FROM (SELECT {was} FROM {copy} AS kept EXCEPT ALL SELECT {now} FROM {live} AS live) AS gone"
        ).format(
            was=sql.SQL(", ").join(_copy(copied, column) for column in columns),
            copy=copied.copy,
            now=sql.SQL(", ").join(map(_live, columns)),
            live=_identifier(name),
        )

    def _number(self, query: sql.Composed) -> int:
        row = self.connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def keeping(dsn: str, catalog: Catalog) -> Iterator[Kept]:
    """Copy every row of every table that has any. The session is idle meanwhile, and so in nobody's way."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables: dict[Name, Copied] = {}
        for number, table in enumerate(catalog.tables):
            if table.partition_of is not None or table.foreign_server is not None or not table.columns:
                continue
            copy = sql.Identifier("pg_temp", f"kept_{number}")
            names = tuple(column.name for column in table.columns)
            key = table.primary_key.columns if table.primary_key else ()
            made = connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} AS live").format(
                    copy,
                    sql.SQL(", ").join(
                        sql.SQL("{} AS {}").format(_live(name), sql.Identifier(f"c{position}"))
                        for position, name in enumerate(names)
                    ),
                    _identifier(table.name),
                )
            )
            if made.rowcount:
                connection.execute(sql.SQL("ANALYZE {}").format(copy))
                tables[table.name] = Copied(copy, names, key, made.rowcount)
        yield Kept(connection, tables)


def judged(up: Mapping[Name, Fate], down: Mapping[Name, Fate] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is lost, and what is changed: rows that are gone, values that a rollback does not bring back.

    Values of columns that were there all the time are changed, not lost: migrations do that on purpose. A column or
    table that the migration took away is judged by what the rollback brings back; ``down`` is None where none was run.
    """
    lost, changed = [], []
    for name, fate in up.items():
        if fate.gone:
            lost.append(f"{name}: {_gone(fate.gone, fate.rows)} after it")
        changed += [f"{name}: {text} after it" for text in _values(fate, fate.columns)]
    for name, fate in (down or {}).items():
        before = up[name]
        if fate.gone is None or (fate.gone and fate.gone > (before.gone or 0)):
            gone = fate.rows if fate.gone is None else fate.gone
            lost.append(f"{name}: {_gone(gone, fate.rows)} after its rollback")
        taken = fate.columns - before.columns
        lost += [f"{name}: {text} after its rollback, which brings the column back" for text in _values(fate, taken)]
        again = {c: n for c, n in fate.differ.items() if c not in taken}
        if again != {c: before.differ[c] for c in again if c in before.differ} or fate.unlike > before.unlike:
            rest = Fate(fate.rows, fate.gone, fate.columns - taken, again, fate.unlike)
            changed += [f"{name}: {text} after its rollback" for text in _values(rest, rest.columns)]
    return tuple(lost), tuple(changed)


def _gone(gone: int, rows: int) -> str:
    return f"{gone:,} of {count(rows, 'row')} {'is' if gone == 1 else 'are'} gone"


def _values(fate: Fate, columns: Collection[str]) -> Iterator[str]:
    for column, number in fate.differ.items():
        if column in columns:
            yield f"{column} has another value in {number:,} of {count(fate.rows, 'row')}"
    if fate.unlike > 0 and columns == fate.columns:
        yield f"{fate.unlike:,} of {count(fate.rows, 'row')} with other values (no key tells which)"


def _copy(copied: Copied, column: str) -> sql.Composed:
    return sql.SQL("kept.{}").format(sql.Identifier(f"c{copied.columns.index(column)}"))


def _live(column: str) -> sql.Composed:
    return sql.SQL("live.{}::text").format(sql.Identifier(column))


def _identifier(name: Name) -> sql.Identifier:
    return sql.Identifier(name.namespace, name.name)
