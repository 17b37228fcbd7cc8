"""How a row comes to have a parent: the parent is there, or the two need each other and come together.

Nothing is sent from here; that keys are equal is decided on the rows' texts, as they were planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from psycopg import sql

from pgcontract.model import Catalog, Check, Exclusion, ForeignKey, Key, Name, Table
from pgcontract.rows.generated import is_null
from pgcontract.rows.shape import Shape, clause
from pgcontract.rows.statements import Row, Statement, Value, together, update
from pgcontract.rows.world import Placed, Way, World

MATE = 10
"""The number of a parent that is made for one row."""


def key_of(parent: Row, fk: ForeignKey) -> tuple[Value, ...]:
    """The values that a child of this row has in the foreign key's columns."""
    return tuple(parent.get(k) for k in fk.keys)


def required(table: Table, fk: ForeignKey) -> bool:
    """Whether every row has a parent by this key: all of its columns are NOT NULL, and it is enforced."""
    columns = [table.column(c) for c in fk.columns]
    return fk.enforced and all(c is not None and c.not_null for c in columns)


def keys_of(table: Table, row: Row) -> set[tuple[str, tuple[Value, ...]]]:
    """The row's values in each of its table's keys, where none of them is NULL."""
    keys = {k.name: k.columns for k in table.keys}
    for index in table.indexes:
        if index.unique and index.predicate is None:
            columns = [k.column for k in index.keys if k.column is not None]
            if len(columns) == len(index.keys):
                keys[index.name] = tuple(columns)
    found = ((name, tuple(row.get(c) for c in columns)) for name, columns in keys.items())
    return {(name, values) for name, values in found if None not in values}


def immediate(table: Name, constraint: str) -> Statement:
    """Have one constraint asked now, and from now on at each statement's end."""
    return Statement(f"SET CONSTRAINTS {_named(table, constraint)} IMMEDIATE")


def deferred(catalog: Catalog, table: Name, constraint: str) -> Iterator[Statement]:
    """Have one deferrable constraint asked at the end only.

    PostgreSQL looks for its name in the table's schema, and refuses it where another table has one of this name
    that cannot be deferred. Then all are deferred, but for those that are not so by themselves.
    """
    beside = (one for one in catalog.tables if one.name.namespace == table.namespace and one.name != table)
    if not any(constraint == c.name for one in beside for c in _constraints(one)):
        yield Statement(f"SET CONSTRAINTS {_named(table, constraint)} DEFERRED")
        return
    yield Statement("SET CONSTRAINTS ALL DEFERRED")
    at_once = [
        _named(one.name, c.name)
        for one in catalog.tables
        for c in _constraints(one)
        if not isinstance(c, Check) and c.deferrable and not c.deferred and c.name != constraint
    ]
    if at_once:
        yield Statement(f"SET CONSTRAINTS {', '.join(dict.fromkeys(at_once))} IMMEDIATE")


def _named(table: Name, constraint: str) -> str:
    return sql.Identifier(table.namespace, constraint).as_string()


def _constraints(table: Table) -> tuple[Key | ForeignKey | Exclusion | Check, ...]:
    return *table.keys, *table.foreign_keys, *table.exclusions, *table.checks


def way(
    world: World, shape: Callable[[Name], Shape], fk: ForeignKey, row: Row, parent: Placed | None, twin: int
) -> Way | None:
    """A way for a row near ``row`` to have a parent by this foreign key; None where none was found.

    ``parent`` is among the world's rows, where there is one.
    """
    found = None if parent is None else _to(world, fk, row, parent)
    return found or _fitted(world, shape, fk, row, twin)


def _to(world: World, fk: ForeignKey, row: Row, parent: Placed) -> Way | None:
    """The row with this parent; where a row of the world has its key already, that one."""
    shape = world.shape
    tied = dict(zip(fk.columns, key_of(parent.values, fk), strict=True))
    if None in tied.values():
        return None
    given = {c: v for c, v in tied.items() if c in shape.names}
    fixed = {c for f in world.table.foreign_keys for c in f.columns if required(world.table, f)}
    child = shape.find({**row, **given}, shape.wanting(tied), fixed=frozenset(given) | fixed)
    if child is None:
        return None
    same = [p for p in world.placed if p.table == world.table.name and _alike(world.table, p.values, child)]
    if not same:
        return Way(child, parent, (world.insert(child, show=fk.columns),))
    was = same[0]
    child = shape.find({**was.values, **given}, shape.wanting(tied), fixed=shape.key_columns | frozenset(given))
    changes = {} if child is None else {c: child[c] for c in shape.names if child[c] != was.values[c]}
    if child is None or not changes or len(same) > 1:
        return None
    identity = world.table.primary_key
    key = {c: was.values[c] for c in (identity.columns if identity else shape.explicit(was.values))}
    return Way(child, parent, (update(world.table.name, changes, key, shape.types),), was=was)


def _fitted(world: World, shape: Callable[[Name], Shape], fk: ForeignKey, row: Row, twin: int) -> Way | None:
    """The row with a parent that is made for it, which may need the row as well."""
    name, mine = world.table.name, world.shape
    number = MATE + twin
    plain = [c for c in fk.columns if c in mine.names]
    filled = {c: mine.domain(c, mine.sure).fresh(number) for c in plain if row[c] is None}
    stored = [clause(is_null(c), world.table, want=False) for c in fk.columns if c not in mine.names]
    child = mine.find({**row, **filled}, stored, fixed=frozenset(plain))
    if child is None or any(child.get(c) is None for c in fk.columns):
        return None
    theirs = shape(fk.references).table
    keys = dict(zip(fk.keys, (child[c] for c in fk.columns), strict=True))
    back = [f for f in theirs.foreign_keys if f.references == name and f.enforced]
    needed = [f for f in back if required(theirs, f)]
    kin = {c: v for f in needed for c, v in zip(f.columns, key_of(child, f), strict=True)}
    mate = world.made(fk.references, twin, number, {**kin, **keys})
    if mate is None or any(mate.get(k) != v for k, v in keys.items()) or taken(world, theirs, mate):
        return None
    if fk.references == name and _alike(theirs, mate, child):
        return None
    open_ = [f for f in theirs.foreign_keys if f.enforced and not satisfied(f, mate, fk.references, world.placed)]
    if not all(f in back and tuple(mate[c] for c in f.columns) == key_of(child, f) for f in open_):
        return None
    parent = Placed(fk.references, mate, shape(fk.references).insert(mate))
    insert = world.insert(child, show=fk.columns)
    if all(f.deferrable for f in open_):
        later = (deferred(world.catalog, fk.references, f.name) for f in open_ if not f.deferred)
        modes = tuple(statement for statements in later for statement in statements)
        return Way(child, parent, (insert,), (*modes, parent.statement), (parent,))
    if fk.deferrable:
        modes = () if fk.deferred else tuple(deferred(world.catalog, name, fk.name))
        return Way(child, parent, (insert, parent.statement), modes, (parent,))
    return Way(child, parent, (together([parent.statement, insert]),), (), (parent,))


def orderly(world: World, table: Table, row: Row) -> bool:
    """Whether a row that is none of the world's may join them: its parents are there, and its keys are nobody's."""
    fine = all(satisfied(fk, row, table.name, world.placed) for fk in table.foreign_keys if fk.enforced)
    return fine and not taken(world, table, row)


def _alike(table: Table, one: Row, other: Row) -> bool:
    return bool(keys_of(table, one) & keys_of(table, other))


def taken(world: World, table: Table, row: Row) -> bool:
    """Whether one of the row's keys is that of a row of the world."""
    return any(p.table == table.name and _alike(table, p.values, row) for p in world.placed)


def satisfied(fk: ForeignKey, row: Row, name: Name, placed: Iterable[Placed]) -> bool:
    """Whether the row has a parent among these, or is its own, or needs none."""
    values = tuple(row.get(c) for c in fk.columns)
    if None in values:
        return True
    rows = [p.values for p in placed if p.table == fk.references] + ([row] if fk.references == name else [])
    return any(key_of(parent, fk) == values for parent in rows)
