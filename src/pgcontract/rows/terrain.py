"""What may be changed in a live database: for each table, values to draw from, keys to meet, rows to begin with.

Values are vetted by the database once; what is drawn later is plain choice among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from pgcontract.model import Catalog, Column, ForeignKey, Name, Reason, Table
from pgcontract.rows.changes import Conflict
from pgcontract.rows.shape import Clause, Shape, Unbuildable, index_columns
from pgcontract.rows.statements import Row, Value
from pgcontract.rows.worlds import Worlds
from pgcontract.sql import scan
from pgcontract.values.space import Line, Space
from pgcontract.values.types import UnknownType, space

MOST_VALUES = 24
LONGEST = 300
"""Longer texts make histories slow, and tell nothing that short ones do not."""
BEYOND_SEQUENCES = 10_000
"""Keys that are given stay clear of those that a sequence hands out, to triggers for example."""
FINITE = 8
NULLS = 0.15


@dataclass(frozen=True, slots=True)
class Arbiter:
    """A key that ON CONFLICT may name. ``columns`` are those that its values depend on."""

    target: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """One table: a row that passes its CHECKs, and what each column may hold: ``pools``; and may not: ``refused``.

    ``keys`` are the foreign keys that a row gives, ``indirect`` those over generated columns, which follow from it.
    ``own`` columns are the row's identity, even where an optional foreign key has them, too.
    ``linked`` columns stand in a CHECK together with others, so that a value of one may need another of the other.
    """

    table: Table
    shape: Shape
    base: Row
    pools: Mapping[str, tuple[Value, ...]]
    refused: Mapping[str, tuple[Value, ...]]
    lines: Mapping[str, tuple[Space, Line]]
    linked: frozenset[str]
    checked: frozenset[str]
    arbiters: tuple[Arbiter, ...]
    keys: tuple[ForeignKey, ...]
    indirect: tuple[ForeignKey, ...]
    own: frozenset[str]
    _mended: dict[tuple[object, ...], dict[str, Value] | None] = field(default_factory=dict, compare=False)

    def column(self, name: str) -> Column:
        """A column that is known to be there."""
        found = self.table.column(name)
        assert found is not None
        return found

    def fresh(self, column: str, number: int) -> Value:
        """The n-th of a column's many values; None where there are not so many."""
        found = self.column(column)
        counted = found.identity is not None or "nextval(" in (found.default or "")
        reach = self.shape.domain(column, self.shape.sure)
        return reach.fresh(number + BEYOND_SEQUENCES * counted)

    def drawn(self, random: Random, column: str, met: Sequence[Row]) -> tuple[Value, bool]:
        """A value, and whether it is vetted: a known one, NULL, one that another row holds, or one near that."""
        pool = self.pools[column]
        known = [v for row in met if (v := row.get(column)) is not None]
        if pool and pool[-1] is None and random.random() < NULLS:
            return None, True
        line = self.lines.get(column)
        chance = random.random()
        if known and line is not None and chance < 0.45:
            return self._near(random, column, random.choice(known), *line)
        if known and chance < (0.6 if len(pool) > FINITE else 0.2):
            return random.choice(known), True
        if not pool:
            return self.base.get(column), True
        return random.choice(pool[:4] if random.random() < 0.5 else pool), True

    def _near(self, random: Random, column: str, value: Value, kind: Space, line: Line) -> tuple[Value, bool]:
        """The value moved by a round distance, earlier or later; itself where it stands on no line."""
        assert kind.read is not None
        try:
            tick = Fraction(kind.read(str(value))) / line.unit
        except (ValueError, TypeError, ArithmeticError):
            return value, True
        moved = int(tick) + random.choice((-1, 1)) * random.choice(line.steps) * random.choice((1, 1, 2))
        if not line.low <= moved <= line.high:
            return value, True
        return line.show(moved), column not in self.checked

    def mended(self, row: Row, fixed: frozenset[str], unvetted: Iterable[str] = ()) -> dict[str, Value]:
        """The row, or one near it that passes the CHECKs, ``fixed`` columns untouched but ``unvetted`` ones if need be.

        The row itself where none is found: then the database will refuse it.
        """
        doubtful = frozenset(unvetted)
        if not doubtful and not self.linked:
            return dict(row)
        matters = [c for c in row if c in self.linked or c in doubtful]
        key = (fixed & frozenset(matters), *((c, row[c]) for c in matters))
        if key not in self._mended:
            found = self.shape.find(row, fixed=fixed)
            if found is None and doubtful & fixed:
                found = self.shape.find(row, fixed=fixed - doubtful)
            self._mended[key] = None if found is None else {c: v for c, v in found.items() if c in row and v != row[c]}
        return {**row, **(self._mended[key] or {})}

    def collides(self, row: Row, others: Iterable[Row]) -> bool:
        """Whether a key without a predicate would hold the same values twice."""
        keys = [k.columns for k in self.table.keys]
        keys += [
            tuple(k.column for k in index.keys if k.column is not None)
            for index in self.table.indexes
            if index.unique and index.predicate is None and all(k.column is not None for k in index.keys)
        ]
        mine = [(key, tuple(row.get(c) for c in key)) for key in keys]
        return any(None not in one and one == tuple(other.get(c) for c in key) for other in others for key, one in mine)


@dataclass
class Terrain:
    """All tables that rows can be written to. ``words`` are the names that matter: see ``mentioned``.

    ``weights`` say how much more than others a table is to be changed, where it is.
    """

    worlds: Worlds
    words: frozenset[str] = frozenset()
    weights: Mapping[Name, int] = field(default_factory=dict)
    refused: dict[Name, Unbuildable] = field(default_factory=dict)
    _fields: dict[Name, Field | None] = field(default_factory=dict)

    @property
    def catalog(self) -> Catalog:
        """The live catalog."""
        return self.worlds.catalog

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables whose rows a client writes: no partitions, whose rows go through their root, nothing foreign."""
        return tuple(t for t in self.catalog.tables if t.partition_of is None and t.foreign_server is None)

    def field(self, name: Name) -> Field | None:
        """What is known of one table; None where no row can be made, of which ``refused`` tells."""
        if name not in self._fields:
            try:
                self._fields[name] = self._made(name)
            except Unbuildable as error:
                self.refused[name] = error
                self._fields[name] = None
            except UnknownType as error:
                self.refused[name] = Unbuildable(error.what, where=str(name), reason=Reason.UNKNOWN_TYPE)
                self._fields[name] = None
        return self._fields[name]

    def matters(self, column: str) -> bool:
        """Whether an invariant or a trigger speaks of such a column."""
        return column in self.words

    def _made(self, name: Name) -> Field:
        world = self.worlds.world(name)
        shape, table = world.shape, world.table
        clauses = list(shape.clauses.values())
        columns = [c for c in table.columns if c.generated is None]
        lines: dict[str, tuple[Space, Line]] = {}
        proposed: dict[str, list[Value]] = {}
        for column in columns:
            try:
                kind = space(column.type, self.catalog)
                proposed[column.name] = _proposed(shape, column)
            except UnknownType:
                proposed[column.name] = []
                continue
            if kind.line is not None and kind.read is not None:
                lines[column.name] = kind, kind.line
        base = {column.name: world.base.get(column.name) for column in columns}
        pools, refused = _vetted(shape, base, proposed, clauses)
        return Field(
            table,
            shape,
            base,
            pools,
            refused,
            lines,
            frozenset().union(*(c.columns for c in clauses if len(c.columns) > 1)),
            frozenset().union(*(c.columns for c in clauses)),
            _arbiters(table),
            tuple(
                sorted((fk for fk in table.foreign_keys if all(c in proposed for c in fk.columns)), key=_order(table))
            ),
            tuple(fk for fk in table.foreign_keys if any(c not in proposed for c in fk.columns)),
            _own(table),
        )


def required(table: Table, fk: ForeignKey) -> bool:
    """Whether every row has a parent by this key."""
    return all((column := table.column(c)) is not None and column.not_null for c in fk.columns)


def _order(table: Table) -> Callable[[ForeignKey], tuple[bool, bool]]:
    """Parents that every row has come first: the others may share columns with them; a row's own table comes last."""
    return lambda fk: (fk.references == table.name, not required(table, fk))


def _own(table: Table) -> frozenset[str]:
    """Columns of the primary key that no parent must give."""
    given = {c for fk in table.foreign_keys if required(table, fk) for c in fk.columns}
    return frozenset(table.primary_key.columns if table.primary_key is not None else ()) - given


def mentioned(*texts: str) -> frozenset[str]:
    """The identifiers that SQL or a function's body names."""
    found = set()
    for text in texts:
        for token in scan(text):
            if token.kind == "IDENT" or token.keyword:
                quoted = token.text.startswith('"')
                found.add(token.text[1:-1].replace('""', '"') if quoted else token.text.lower())
    return frozenset(found)


def _proposed(shape: Shape, column: Column) -> list[Value]:
    reach = shape.domain(column.name, shape.sure)
    if reach.empty or reach.null == "required":
        return [None]
    few = (reach.fresh(n) for n in range(4))
    values = dict.fromkeys((reach.simplest, *reach.boundaries[:MOST_VALUES], *few, *reach.hints))
    kept = [v for v in values if v is not None and len(v) <= LONGEST][:MOST_VALUES]
    nullable = not column.not_null and reach.null == "allowed"
    return [*kept, None] if nullable else [*kept]


def _vetted(
    shape: Shape, base: Row, proposed: Mapping[str, Sequence[Value]], clauses: Sequence[Clause]
) -> tuple[dict[str, tuple[Value, ...]], dict[str, tuple[Value, ...]]]:
    """What passes the CHECKs that speak of one column alone, and what does not, asked of the database in one query."""
    alone = [c for c in clauses if len(c.columns) == 1]
    tries = [(column, value) for column, values in proposed.items() for value in values]
    kept = shape.holds(alone, [{**base, column: value} for column, value in tries])
    judged = [(column, value, good) for (column, value), good in zip(tries, kept, strict=True)]

    def of(wanted: bool) -> dict[str, tuple[Value, ...]]:
        return {column: tuple(v for c, v, good in judged if c == column and good is wanted) for column in proposed}

    return of(True), of(False)


def _arbiters(table: Table) -> tuple[Arbiter, ...]:
    from_keys = [
        Arbiter(f"ON CONSTRAINT {_quoted(k.name)}", k.columns)
        for k in table.keys
        if not k.deferrable and not k.without_overlaps
    ]
    from_indexes = []
    for index in table.indexes:
        if index.unique and index.valid:
            listed = ", ".join(_quoted(k.column) if k.column is not None else k.expression for k in index.keys)
            expressions = [k.column if k.column is not None else k.expression for k in index.keys]
            columns = tuple(c.name for c in table.columns if c.name in index_columns(table, expressions))
            where = f" WHERE {index.predicate}" if index.predicate else ""
            from_indexes.append(Arbiter(f"({listed}){where}", columns))
    return (*from_keys, *from_indexes)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def conflict(arbiter: Arbiter, columns: Iterable[str] = ()) -> Conflict:
    """ON CONFLICT on this key: take these columns over, or do nothing."""
    return Conflict(arbiter.target, tuple(columns), arbiter.columns)
