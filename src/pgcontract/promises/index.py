"""Indexes that no key is made of: a query on their keys and predicate is planned by them, and gives the right rows.

What a hot query that names an index is promised stands with that query. Here each index is asked by itself: with every
other one of the table out of the way, and with the planner told to use it if it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.contract import index_id
from pgcontract.contract.clauses import index as clause_of
from pgcontract.contract.promised import index_kind
from pgcontract.model import Catalog, Column, Index, Name, Reason, Table, View
from pgcontract.promises import plans
from pgcontract.promises.access import ALONE, Access, Key, Operator, access
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import index_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Unbuildable, index_columns
from pgcontract.rows.statements import Statement, Value, identifier
from pgcontract.rows.worlds import World, Worlds
from pgcontract.values.domains import domain
from pgcontract.values.space import UnknownType

UNIQUE_VIOLATION = "23505"
MOST_VALUES = 12
MOST_ROWS = 4
LONGEST = 300
"""Characters of a value: one that is longer says no more about an index, and as a regular expression takes a second."""
LIKE = ("pg_catalog.~~", "pg_catalog.~~*")

Row = dict[str, Value]


@dataclass(frozen=True, slots=True)
class PlainIndex:
    """An index of a table, or of a materialised view, that is neither unique nor for full text."""

    table: Name
    index: Index
    of_view: bool = False

    kind = "index"

    @property
    def id(self) -> str:
        """``messages.idx_messages_sent_at``."""
        return index_id(self.table, self.index.name)

    @property
    def clause(self) -> str:
        """``INDEX USING btree (sent_at DESC)``."""
        return clause_of(self.index)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """A partial index is promised to leave rows out, too."""
        return (Direction.ACCEPTS, Direction.REJECTS) if self.index.predicate else (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """Queries that the index serves, in its order; rows that it finds as reading the whole table does."""
        if not self.present(worlds):
            return Cases((missing(self.table, self.index),))
        known = access(self.table, self.index, worlds)
        served = plans.served(known)
        if not served:
            return Cases(missing=never_used(known))
        # what plans and rows show is told before what only the catalog knows
        last = () if self.index.predicate else (plans.same(known),)
        if self.of_view:
            return Cases((*served, *last), prepared=ready(known))
        try:
            world = world_of(self.table, self.index, worlds)
        except Unbuildable as error:
            return Cases((*served, *last), prepared=ready(known), notes=(f"plans only: {error.what}",))
        rows = _Rows(world, known)
        return Cases((*served, *rows.alike(), *last), rows.drawn(), prepared=ready(known, world))

    def rejects(self, worlds: Worlds) -> Cases:
        """A query that asks for rows outside the predicate, too, is none for this index."""
        if not self.present(worlds):
            return Cases((missing(self.table, self.index),))
        known = access(self.table, self.index, worlds)
        return Cases((*plans.unserved(known), plans.same(known)), prepared=ready(known))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No index, or one of other keys, order, or rows."""
        del catalog
        return index_mutants(self.table, self.index)

    def owns(self, refusal: Refusal) -> bool:
        """23505 by this name: it was not promised to be unique."""
        return refusal.sqlstate == UNIQUE_VIOLATION and refusal.constraint == self.index.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has an index of this name."""
        return live_index(self.table, self.index.name, worlds) is not None


def holders(catalog: Catalog) -> tuple[Table | View, ...]:
    """Whatever may have indexes."""
    return (*catalog.tables, *catalog.views)


def live_index(table: Name, name: str, worlds: Worlds) -> Index | None:
    """The live table's or view's index of this name, or None."""
    mine = (holder for holder in holders(worlds.catalog) if holder.name == table)
    return next((index for holder in mine for index in holder.indexes if index.name == name), None)


def missing(table: Name, index: Index) -> Change:
    """A case for an index that is gone: it fails."""
    qualified = identifier(Name(table.namespace, index.name)).as_string()
    return plans.gone(qualified, identifier(table).as_string())


def never_used(known: Access) -> str:
    """Why no query can be asked of an index."""
    if known.left_out:
        columns = ", ".join(sorted(known.left_out))
        return f"this server forgets that {columns} IS NOT NULL, which NOT NULL implies: no query can use the index"
    return f"{known.index.method} has no operator for these keys"


def ready(known: Access, world: World | None = None) -> tuple[Statement, ...]:
    """What makes the index the only one of its table, with a world's rows around, and the planner willing.

    The world is no part of the cases: where a trigger rewrites its rows, plans are what they are.
    """
    return (*known.prepared, *(world.setup if world else ()), *ALONE)


def world_of(table: Name, index: Index, worlds: Worlds) -> World:
    """A world of the table's rows, with parents by every foreign key that the index's keys belong to.

    Raises Unbuildable.
    """
    live = worlds.shape(table).table
    columns = index_columns(live, (k.column or k.expression for k in index.keys))
    try:
        return worlds.world(table, frozenset(fk for fk in live.foreign_keys if columns & set(fk.columns)))
    except UnknownType as error:
        raise Unbuildable(error.what, where=str(table), reason=Reason.UNKNOWN_TYPE) from error


class _Rows:
    """Rows for one index, and what is asked of them."""

    def __init__(self, world: World, known: Access) -> None:
        self._world = world
        self._known = known
        expressions = [k.key.column or k.key.expression for k in known.keys]
        self._columns = index_columns(world.table, [*expressions, *filter(None, [known.index.predicate])])
        self._columns |= set(known.index.include)
        first, second = dict(world.base), dict(world.twin)
        for one, other in world.parents.values():
            first |= one
            second |= other
        self._pool = self._pooled([first, second])

    def alike(self) -> Iterator[Change]:
        """Two rows with one key: nobody promised that there is one of each only."""
        shown = list(self._world.shape.types)
        for row in self._pool[:2]:
            insert = self._world.insert(row, show=shown)
            yield Change((insert, insert), wanted="accepted: the index is not promised to be unique")

    def drawn(self) -> SearchStrategy[Change] | None:
        """Some rows, and a query by the values of one of them, or by other values."""
        rows = st.lists(self._row(), min_size=1, max_size=MOST_ROWS)
        asked: list[SearchStrategy[Change]] = []
        for key in self._known.keys:
            for operator in key.operators:
                if operator.ordering:
                    continue
                if operator.right == key.type:
                    asked.append(rows.map(partial(self._by_row, key, operator)))
                elif (values := self._operands(operator)) is not None:
                    asked.append(st.builds(partial(self._by_value, key, operator), rows, values))
        if self._known.ordered:
            asked.append(rows.map(self._in_order))
        return st.one_of(asked) if asked else None

    def _pooled(self, rows: list[Row]) -> list[Row]:
        """The two rows, and such as differ from the first in one column that the index speaks of."""
        shape, first = self._world.shape, rows[0]
        bound = {c for fk in self._world.table.foreign_keys for c in fk.columns}
        open_columns = [c.name for c in shape.columns if c.name in self._columns - bound]
        tries = [{**first, c: v} for c in open_columns for v in self._world.values(c, first)[:MOST_VALUES]]
        tries += [{**first, c: None} for c in self._columns & bound if not _not_null(self._world, c)]
        tries = [row for row in tries if all(len(v or "") <= LONGEST for v in row.values())]
        kept = shape.holds(list(shape.clauses.values()), tries)
        return [*rows, *(row for row, good in zip(tries, kept, strict=True) if good)]

    def _row(self) -> SearchStrategy[Row]:
        shape = self._world.shape
        bound = {c for fk in self._world.table.foreign_keys for c in fk.columns}
        drawn: list[SearchStrategy[Row]] = [st.sampled_from(self._pool)]
        for column in shape.columns:
            if column.name not in self._columns - bound:
                continue
            reach = shape.domain(column.name, shape.sure)
            if not reach.empty:
                drawn.append(reach.strategy.map(partial(self._with, column.name)))
        return st.one_of(drawn)

    def _with(self, column: str, value: Value) -> Row:
        return {**self._pool[0], column: value}

    def _operands(self, operator: Operator) -> SearchStrategy[Value] | None:
        try:
            reach = domain(Column("operand", operator.right), (), self._world.catalog)
        except UnknownType:
            return None
        return reach.strategy

    def _by_row(self, key: Key, operator: Operator, rows: list[Row]) -> Change:
        """Rows whose key compares so with one row's, whose own key is computed by the database."""
        table = self._world.table
        named = sorted(index_columns(table, [key.key.column or key.key.expression]))
        row = next((row for row in rows if None not in {row.get(c) for c in named}), rows[0])
        columns = ", ".join(f"${n}::{self._world.shape.types[c]} AS {_quoted(c)}" for n, c in enumerate(named, 1))
        found = f"'%' || substr({key.key.expression}, 2, 4) || '%'" if operator.name in LIKE else key.key.expression
        operand = f"(SELECT {found} FROM (SELECT {columns}) AS {_quoted(table.name.name)})"
        return self._agreed(rows, f"{key.text} OPERATOR({operator.name}) {operand}", tuple(row.get(c) for c in named))

    def _by_value(self, key: Key, operator: Operator, rows: list[Row], value: Value) -> Change:
        return self._agreed(rows, f"{key.text} OPERATOR({operator.name}) $1::{operator.right}", (value,))

    def _in_order(self, rows: list[Row]) -> Change:
        """What the index gives in its order is in that order, as its operators say: what they call equal may differ."""
        known = self._known
        keys = ", ".join(f"{key.text} AS k{n}" for n, key in enumerate(known.keys, 1))
        before = ", ".join(f"lag(k{n}) OVER () AS b{n}" for n in range(1, len(known.keys) + 1))
        found = f"SELECT {keys}, true AS b0 FROM {known.relation}{plans.inside(known)} ORDER BY {plans.order(known)}"
        pairs = f"SELECT *, lag(b0) OVER () AS there, {before} FROM ({found}) AS found"
        late = plans.later(known, [(f"b{n}", f"k{n}") for n in range(1, len(known.keys) + 1)])
        text = f"SELECT coalesce(bool_and(there IS NULL OR NOT {late}), true) AS in_order FROM ({pairs}) AS pairs"
        return Change((*self._inserts(rows), Statement(text)), wanted="rows in the index's promised order")

    def _agreed(self, rows: list[Row], condition: str, values: tuple[Value, ...]) -> Change:
        known = self._known
        keys = ", ".join(k.text for k in known.keys)
        text = f"SELECT ROW({keys})::TEXT FROM {known.relation}{plans.inside(known, condition)}"
        return plans.agreed(self._inserts(rows), text, values)

    def _inserts(self, rows: list[Row]) -> tuple[Statement, ...]:
        shown = list(self._world.shape.types)
        return tuple(self._world.insert(row, show=shown) for row in rows)


def _not_null(world: World, name: str) -> bool:
    column = world.table.column(name)
    return column is None or column.not_null


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def promises(catalog: Catalog) -> Iterator[PlainIndex]:
    """Every index of a table or materialised view that is neither unique nor for full text."""
    for thing in holders(catalog):
        for index in thing.indexes:
            if index_kind(thing, index) == PlainIndex.kind:
                yield PlainIndex(thing.name, index, of_view=isinstance(thing, View))
