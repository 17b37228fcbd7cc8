"""Rows of a partitioned table come into all of its partitions, and not into the one that the plainest row is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from pgcontract.model import Catalog, Name, Table
from pgcontract.populate.overrides import Overrides, by_turns
from pgcontract.rows.partitions import key_of_partitions, room
from pgcontract.rows.shape import Unbuildable, clause
from pgcontract.rows.statements import Value
from pgcontract.rows.worlds import Worlds

EACH = 5
"""Values for each partition."""
MOST_CANDIDATES = 60
MOST_PARTITIONS = 200


def spread(worlds: Worlds, tables: Iterable[Table], overrides: Overrides) -> Overrides:
    """Overrides with values for the columns that partitions go by, where nothing else decides these."""
    found: dict[tuple[Name, str], str] = {}
    for table in tables:
        columns = _columns(table, worlds.catalog)
        if not columns or any((table.name, column) in overrides.columns for column in columns):
            continue
        try:
            rows = _by_turns(list(_of_each(worlds, table, columns)))
        except Unbuildable:
            continue
        for number, column in enumerate(columns if len(rows) > 1 else ()):
            found[table.name, column] = by_turns(tuple(str(row[number]) for row in rows))
    return replace(overrides, columns={**found, **overrides.columns})


def _columns(table: Table, catalog: Catalog) -> tuple[str, ...]:
    """The columns that the partitions of all levels go by; none where they are parents', or a whole key."""
    levels = [table, *_below(table, catalog)]
    if table.partition_key is None or table.partition_key.startswith("HASH"):
        return ()
    named = frozenset().union(*(key_of_partitions(level) for level in levels))
    tied = frozenset().union(*(fk.columns for fk in table.foreign_keys))
    whole = [set(key.columns) for key in table.keys if set(key.columns) <= named]
    whole += [columns for i in table.indexes if i.unique and (columns := {k.expression for k in i.keys}) <= named]
    made = {column.name for column in table.columns if column.generated is not None}
    return () if named & (tied | made) or whole else tuple(c.name for c in table.columns if c.name in named)


def _below(table: Table, catalog: Catalog) -> Iterator[Table]:
    for part in catalog.tables:
        if part.partition_of == table.name:
            yield part
            yield from _below(part, catalog)


def _of_each(worlds: Worlds, table: Table, columns: tuple[str, ...]) -> Iterator[list[tuple[Value, ...]]]:
    """Values of the columns for each partition that holds rows itself."""
    base, shape = worlds.world(table.name).base, worlds.shape(table.name)
    leaves = (part for part in _below(table, worlds.catalog) if part.partition_key is None)
    for leaf in islice(leaves, MOST_PARTITIONS):
        bound = room(leaf, worlds.catalog)
        if bound is None:
            continue
        inside = clause(bound, table, want=True)
        rows = [base, *islice(shape.candidates(base, [inside], frozenset()), MOST_CANDIDATES)]
        good = shape.holds([*shape.clauses.values(), inside], rows)
        values = [tuple(row[c] for c in columns) for row, holds in zip(rows, good, strict=True) if holds]
        usable = [one for one in dict.fromkeys(values) if None not in one]
        if usable:
            yield usable[:EACH]


def _by_turns(partitions: list[list[tuple[Value, ...]]]) -> list[tuple[Value, ...]]:
    """One of each partition, then the next of each."""
    return [values[turn % len(values)] for turn in range(EACH) for values in partitions]
