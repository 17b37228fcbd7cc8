"""What is known of one table's values before any is made: vetted values, and columns that a CHECK binds together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from pgcontract.model import Catalog, Column, Name, Table
from pgcontract.populate.amounts import PopulateError, given, unique_keys
from pgcontract.populate.candidates import INTEGERS, MOST_VALUES, TEXTS, TIMES, base_type, kind
from pgcontract.rows.shape import Clause
from pgcontract.rows.statements import Row, Value
from pgcontract.rows.terrain import Field, Terrain
from pgcontract.values.types import UnknownType

TEMPLATES: Final = 48
TRIES: Final = 300
MENDED: Final = 24
SEVERAL: Final = 40
"""A column of fewer values takes them all; of others only those that could be met in life."""
PLAIN_LENGTH: Final = 80
MANY: Final = 200
"""A type that has so many values has as many as there are rows, or nearly: the database will tell."""
_CENTURIES: Final = ("19", "20")
_MOMENTS: Final = ("2000-01-01 00:00:00", "2000-01-01 00:01:00", "2000-01-01 02:00:00", "2000-01-02 00:00:00")
"""Moments near each other: what happens to one row mostly happens within days."""


@dataclass(frozen=True)
class Group:
    """Columns that CHECKs bind together, and rows of them that pass."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Known:
    """One table: a row that the database takes, vetted values by column, and the groups.

    ``filters`` are the CHECKs that speak of parents, keys or columns of several groups: rows are made, and judged.
    """

    table: Table
    base: Row
    values: Mapping[str, tuple[Value, ...]]
    groups: tuple[Group, ...]
    filters: tuple[Clause, ...]
    single: Mapping[str, tuple[Clause, ...]]
    fresh: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """For a column of a key: different vetted values, as many as are worth sending one by one."""

    def column(self, name: str) -> Column:
        """A column that is known to be there."""
        found = self.table.column(name)
        assert found is not None
        return found


def known(terrain: Terrain, name: Name, overridden: frozenset[str]) -> Known:
    """Ask the database for it. Raises PopulateError where no row can be made."""
    found = terrain.field(name)
    if found is None:
        raise PopulateError(
            "No row can be made for a table",
            where=str(name),
            seen=terrain.refused[name].what,
            remedy="say in [populate] of system.toml what its columns hold, or ask for 0 rows of it",
        )
    table, shape = found.table, found.shape
    bound = {c for fk in given(table) for c in fk.columns}
    keys = frozenset[str]().union(*unique_keys(table))
    plain = frozenset(found.pools) - bound - overridden
    single: dict[str, list[Clause]] = {}
    several: list[Clause] = []
    filters: list[Clause] = []
    for clause in shape.clauses.values():
        if len(clause.columns) == 1 and not clause.columns & bound:
            single.setdefault(next(iter(clause.columns)), []).append(clause)
        elif clause.columns <= plain - (keys - _few(found, keys)):
            several.append(clause)
        elif clause.columns:
            filters.append(clause)
    values = {c: _sensible(found, c, terrain.catalog) for c in found.pools}
    groups = tuple(_groups(found, several, values))
    fresh = {c: tuple(_fresh(found, c, 2 * MANY)) for c in sorted(keys & plain)}
    return Known(table, found.base, values, groups, tuple(filters), {c: tuple(s) for c, s in single.items()}, fresh)


def _few(found: Field, keys: frozenset[str]) -> frozenset[str]:
    """Columns of keys that have few values: what is different about rows is another column."""
    return frozenset(c for c in keys if c in found.pools and _reach(found, c, MANY) is None)


def _reach(found: Field, column: str, number: int) -> Value:
    try:
        return found.fresh(column, number)
    except UnknownType:
        return None


def _fresh(found: Field, column: str, count: int) -> Iterator[Value]:
    clauses = [c for c in found.shape.clauses.values() if c.columns == {column}]
    made = [v for n in range(count) if (v := _reach(found, column, n)) is not None]
    kept = found.shape.holds(clauses, [{**found.base, column: v} for v in made])
    return iter(dict.fromkeys(v for v, good in zip(made, kept, strict=True) if good))


def _sensible(found: Field, column: str, catalog: Catalog) -> tuple[Value, ...]:
    """The vetted values that could be met in life: no extremes where there are others, no very long texts."""
    pool = [v for v in found.pools[column] if isinstance(v, str)]
    plain = kind(base_type(found.column(column).type, catalog))
    several = _reach(found, column, SEVERAL) is not None
    if not several:
        return tuple(pool[:MOST_VALUES])
    if plain in TIMES:
        pool = [*_MOMENTS, *(v for v in pool if v[:2] in _CENTURIES)]
    elif plain in TEXTS:
        pool = [v for v in pool if v.isascii() and v.isprintable() and len(v) <= PLAIN_LENGTH] or pool
        pool = [v for v in _fresh(found, column, MOST_VALUES) if isinstance(v, str)] or pool
    elif plain in INTEGERS or plain == "numeric":
        pool = [v for v in pool if len(v) <= 6 and v != "NaN"] or pool
    return tuple(pool[:MOST_VALUES])


def _groups(found: Field, clauses: Sequence[Clause], values: Mapping[str, tuple[Value, ...]]) -> Iterator[Group]:
    """Clauses that share columns belong together."""
    rest = list(clauses)
    while rest:
        mine = [rest.pop(0)]
        columns = set(mine[0].columns)
        while nearer := [c for c in rest if c.columns & columns]:
            mine += nearer
            columns |= set().union(*(c.columns for c in nearer))
            rest = [c for c in rest if c not in nearer]
        names = tuple(c for c in found.pools if c in columns)
        yield Group(names, tuple(_templates(found, names, values)), tuple(mine))


def _templates(found: Field, names: tuple[str, ...], values: Mapping[str, tuple[Value, ...]]) -> Iterator[Row]:
    """Different rows of these columns that pass every CHECK, the base row's own first."""
    random = Random(0)  # noqa: S311 - the same in every run
    tries: list[Row] = [found.base]
    for number in range(TRIES):
        row = dict(found.base)
        # what stands in the base row is mostly NULL: change few columns, and let the others be mended
        changed = random.sample(names, 1 + number % len(names))
        for column in changed:
            options: list[Value] = [*values[column]]
            options += [None] if not found.column(column).not_null else []
            row[column] = random.choice(options) if options else row[column]
        tries.append(row)
        if number < MENDED:
            tries.append(found.mended(row, frozenset(changed[:1])))
    kept = found.shape.holds(list(found.shape.clauses.values()), tries)
    rows = list({tuple(row[c] for c in names): None for row, good in zip(tries, kept, strict=True) if good})
    moments = {n for n, c in enumerate(names) if c in found.lines and set(values[c]) >= set(_MOMENTS)}
    near = [row for row in rows if all(row[n] is None or row[n] in _MOMENTS for n in moments)]
    for values_of in (near or rows)[:TEMPLATES]:
        yield dict(zip(names, values_of, strict=True))
