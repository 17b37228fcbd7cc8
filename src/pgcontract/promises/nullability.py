"""NOT NULL refuses NULL; where it is not promised, NULL is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from psycopg import sql

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Name
from pgcontract.promises.base import REPLICA, Cases, Change, Direction, Violation, gone
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.base import alter_column
from pgcontract.rows.generated import is_null
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.partitions import catch_all, key_of_partitions
from pgcontract.rows.shape import Shape, Unbuildable, clause, not_null_clause
from pgcontract.rows.statements import Statement, Value, identifier
from pgcontract.rows.ways import required, satisfied
from pgcontract.rows.worlds import World, Worlds
from pgcontract.values.naming import refusing

NOT_NULL_VIOLATION = "23502"


@dataclass(frozen=True, slots=True)
class NotNull:
    """A column that refuses NULL."""

    table: Name
    column: str
    partitioned: bool = False
    """Then an error names the partition."""

    kind = "not null"
    directions = (Direction.REJECTS,)

    @property
    def id(self) -> str:
        """``messages.content.not_null``."""
        return column_id(self.table, self.column, "not_null")

    @property
    def clause(self) -> str:
        """``content NOT NULL``."""
        return f"{self.column} NOT NULL"

    def accepts(self, worlds: Worlds) -> Cases:
        """Nothing: that values are accepted is the promise of the column's type."""
        raise AssertionError(self, worlds)

    def rejects(self, worlds: Worlds) -> Cases:
        """NULL in this column, whatever stands in the others; also where no trigger stumbles over it."""
        world = worlds.world(self.table)
        if not world.has_column(self.column):
            return gone(self.table, self.column)
        if self.column not in world.shape.names:
            return _computed(world, self.column, self._violation)
        live = world.table.column(self.column)
        domain = refusing(live.type, worlds.catalog) if live is not None else None
        if domain is not None:
            cases = [self._violation(world, row, domain.name.name) for row in world.varied]
            note = f"implied by the domain {domain.name}, which refuses NULL before"
            return Cases(tuple(cases[:1]), st.sampled_from(cases), world=world, notes=(note,))
        cases = [self._violation(world, row) for row in world.varied]
        always = (cases[0], *self._alone(world, cases[0]))
        anywhere = catch_all(world.table, world.catalog)
        note = f"shown with a DEFAULT partition: otherwise no partition has room for NULL in {self.column}"
        if anywhere is None or self.column not in key_of_partitions(world.table):
            return Cases(always, st.sampled_from(cases), world=world)
        return Cases(always, st.sampled_from(cases), world=world, prepared=(anywhere,), notes=(note,))

    def _alone(self, world: World, one: Violation) -> Iterator[Violation]:
        """The same without triggers: what they write elsewhere may be refused first."""
        if world.table.triggers:
            yield replace(one, setup=(*one.setup, REPLICA))

    def _violation(self, world: World, row: dict[str, Value], domain: str | None = None) -> Violation:
        statement = world.insert({**row, self.column: None}, show=[self.column])
        if domain is not None:
            return Violation((statement,), sqlstates=frozenset([NOT_NULL_VIOLATION]), datatype=domain)
        anywhere = self.partitioned or world.table.partition_key is not None
        table = None if anywhere else self.table.name
        return Violation((statement,), sqlstates=frozenset([NOT_NULL_VIOLATION]), column=self.column, table=table)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """NULL is taken."""
        table = catalog.table(self.table)
        column = table.column(self.column) if table is not None else None
        if column is None or refusing(column.type, catalog) is None:
            yield Mutant("drop_not_null", self.column, (alter_column(self.table, self.column, "DROP NOT NULL"),))

    def owns(self, refusal: Refusal) -> bool:
        """23502 that names the column: a trigger may write to a column of the same name elsewhere."""
        here = self.partitioned or refusal.table == self.table.name
        return here and refusal.sqlstate == NOT_NULL_VIOLATION and refusal.column == self.column

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column is NOT NULL."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column) if table else None
        return live is not None and live.not_null


@dataclass(frozen=True, slots=True)
class NullAllowed:
    """A column that takes NULL."""

    table: Name
    column: str
    partitioned: bool = False
    """Then an error names the partition."""

    kind = "null allowed"
    directions = (Direction.ACCEPTS,)

    @property
    def id(self) -> str:
        """``messages.content.null``."""
        return column_id(self.table, self.column, "null")

    @property
    def clause(self) -> str:
        """``content NULL``."""
        return f"{self.column} NULL"

    def accepts(self, worlds: Worlds) -> Cases:
        """NULL in this column, stored as NULL, whatever stands in the others."""
        world = worlds.world(self.table)
        if not world.has_column(self.column):
            return gone(self.table, self.column)
        if self.column not in world.shape.names:
            return _computed(world, self.column, self._change)
        column = self.column
        first = world.shape.find({**world.base, column: None}, fixed=frozenset([column]))
        if first is None:
            return Cases(world=world, missing=f"no row with NULL in {column} was found that passes the CHECKs")
        world, first = self._with_parents(worlds, world, first)
        others = [{**row, column: None} for row in world.varied]
        good = world.shape.holds(list(world.shape.clauses.values()), others)
        rows = [first, *(row for row, holds in zip(others, good, strict=True) if holds)]
        cases = [self._change(world, row) for row in rows]
        return Cases(tuple(cases[:1]), st.sampled_from(cases), world=world)

    def _with_parents(self, worlds: Worlds, world: World, row: dict[str, Value]) -> tuple[World, dict[str, Value]]:
        """The row with parents by what it has where the CHECKs want it in the column's place, and their world."""
        table = world.table
        orphaned = [f for f in table.foreign_keys if f.enforced and not satisfied(f, row, table.name, world.placed)]
        if not orphaned or any(self.column in fk.columns for fk in orphaned):
            return world, row
        try:
            fuller = worlds.world(self.table, frozenset(orphaned))
        except Unbuildable:
            return world, row
        given = {c: fuller.base[c] for fk in table.foreign_keys if required(table, fk) for c in fk.columns}
        for fk in orphaned:
            given |= fuller.parents[fk.name][0] if fk.name in fuller.parents else {}
        found = fuller.shape.find({**row, **given}, fixed=frozenset([*given, self.column]))
        return (world, row) if found is None else (fuller, found)

    def _change(self, world: World, row: dict[str, Value]) -> Change:
        returning = f" RETURNING {sql.Identifier(self.column).as_string()} IS NULL AS is_null"
        return Change((world.insert(row, show=[self.column], returning=returning),))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """NULL is refused."""
        del catalog
        yield Mutant("add_not_null", self.column, (alter_column(self.table, self.column, "SET NOT NULL"),))

    def owns(self, refusal: Refusal) -> bool:
        """23502 that names the column: a trigger may write to a column of the same name elsewhere."""
        here = self.partitioned or refusal.table == self.table.name
        return here and refusal.sqlstate == NOT_NULL_VIOLATION and refusal.column == self.column

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column takes NULL."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column) if table else None
        return live is not None and not live.not_null


def _computed(world: World, column: str, made: Callable[[World, dict[str, Value]], Change]) -> Cases:
    """Rows for which a generated column comes out NULL.

    Where NOT NULL columns keep its expression from that, they are nullable while it is tried.
    """
    shape, bound = world.shape, frozenset(c for pair in world.parents.values() for c in pair[0])
    allowed = {name: c for name, c in shape.clauses.items() if name != not_null_clause(column)}
    wanted = [clause(is_null(column), world.table, want=True)]
    found = shape.find(dict(world.base), wanted, fixed=bound, without=[not_null_clause(column)])
    if found is not None:
        return Cases((made(world, found),), world=world)
    primary = world.table.primary_key
    fixed = set(primary.columns if primary else ()) | {c.name for c in shape.columns if c.identity is not None}
    sources = [c for c in shape.sources([column]) if c not in fixed]
    tries = shape.completed([{**world.base, c: None} for c in sources])
    beside = [c.name for c in shape.generated if c.name != column and set(shape.sources([c.name])) & set(sources)]
    clauses = [c for name, c in allowed.items() if name not in map(not_null_clause, beside)]
    kept = shape.holds(clauses, tries)
    rows = [row for row, holds in zip(tries, kept, strict=True) if holds and row[column] is None]
    table = identifier(world.table.name).as_string()
    if not rows and not shape.sources([column]):
        return _opened(world, column, made)
    if not rows:
        return Cases(world=world, missing=f"no row was found for which {column} is generated as NULL")
    # other columns that are generated from the same ones would refuse first
    opened = tuple(
        Statement(f"ALTER TABLE {table} ALTER COLUMN {sql.Identifier(c).as_string()} DROP NOT NULL")
        for c in (*sources, *beside)
    )
    note = f"shown with {', '.join(sources)} nullable: otherwise {column} is never generated as NULL"
    return Cases(tuple(made(world, row) for row in rows), world=world, prepared=opened, notes=(note,))


def _opened(world: World, column: str, made: Callable[[World, dict[str, Value]], Change]) -> Cases:
    """The expression speaks of no column, and is taken away: a virtual column, which must have one, gets NULL."""
    found = world.table.column(column)
    assert found is not None
    table, name = identifier(world.table.name).as_string(), sql.Identifier(column).as_string()
    action, note = f"SET EXPRESSION AS (NULL::{found.type})", f"shown with NULL as the expression of {column}"
    if not found.virtual:
        action, note = "DROP EXPRESSION", f"shown with {column} not generated: its expression speaks of no column"
        columns = tuple(replace(c, generated=None) if c.name == column else c for c in world.table.columns)
        shape = Shape(replace(world.table, columns=columns), world.catalog, world.shape.oracle, world.shape.defaults)
        world = replace(world, shape=shape)
    opened = Statement(f"ALTER TABLE {table} ALTER COLUMN {name} {action}")
    return Cases((made(world, {**world.base, column: None}),), world=world, prepared=(opened,), notes=(note,))


def promises(catalog: Catalog) -> Iterator[NotNull | NullAllowed]:
    """One of the two for every column."""
    for table in catalog.tables:
        for column in table.columns:
            if not column.not_null and refusing(column.type, catalog) is not None:
                continue
            kind = NotNull if column.not_null else NullAllowed
            yield kind(table.name, column.name, partitioned=table.partition_key is not None)
