"""A world: the rows that exist around a row under test, and how a row comes to have its parents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pgcontract.model import Catalog, Name, Table
from pgcontract.rows.generated import is_null
from pgcontract.rows.shape import Shape, Unbuildable, clause
from pgcontract.rows.statements import Row, Statement, Value


def _none(name: Name) -> Shape:
    raise Unbuildable("nothing is known of the table", where=str(name))


@dataclass(frozen=True)
class Placed:
    """A row of a world: all its values, as planned. ``statement`` inserts it alone."""

    table: Name
    values: Row
    statement: Statement


@dataclass(frozen=True)
class Way:
    """How a row comes to have a parent by a foreign key.

    Mostly the parent is among the world's rows, and the row is inserted. Where the parent needs the row as well, it is
    inserted just before (``before`` are such rows), or the row is one of the world's, and is updated (``was``).
    ``setup`` prepares, ``acts`` tie the two; ``child`` is the row as it is then.
    """

    child: Row
    parent: Placed
    acts: tuple[Statement, ...]
    setup: tuple[Statement, ...] = ()
    before: tuple[Placed, ...] = ()
    was: Placed | None = None

    @property
    def plain(self) -> bool:
        """Whether the parent is there already, and the child is not."""
        return not self.before and self.was is None


@dataclass(frozen=True)
class World:
    """The row under test (``base``), another that shares nothing with it (``twin``), and what must exist for both.

    ``placed`` are the ancestors' rows in the order of their insertion, both twins'; ``setup`` is what inserts them.
    Rows hold generated columns, too, as the database makes them.
    """

    shape: Shape
    placed: tuple[Placed, ...]
    setup: tuple[Statement, ...]
    base: Row
    twin: Row
    ways: Mapping[str, tuple[Way, Way]] = field(default_factory=dict)
    """For each foreign key that every row has, or that was asked for: either twin's, where one was found."""

    parents: Mapping[str, tuple[Row, Row]] = field(default_factory=dict)
    """For each of these whose parents are placed: the values of its columns that refer to either twin's parent."""

    unmade: frozenset[Name] = frozenset()
    """Tables whose rows are not placed after all: the trigger of a row that needs one makes it."""

    notes: tuple[str, ...] = ()
    """What had to be done to the schema for these rows, within the transaction."""

    made: Callable[[Name, int, int, Row], dict[str, Value] | None] = field(
        default=lambda *_: None, repr=False, compare=False
    )
    """Makes another row of a table: of either twin's parents, with a number, and with values that it must have."""

    shape_of: Callable[[Name], Shape] = field(default=_none, repr=False, compare=False)
    """What is known of other tables' rows."""

    @property
    def table(self) -> Table:
        """The live table under test."""
        return self.shape.table

    @property
    def catalog(self) -> Catalog:
        """The live catalog."""
        return self.shape.catalog

    def insert(
        self, row: Row, *, show: Sequence[str] = (), returning: str = "", extra: tuple[Value, ...] = ()
    ) -> Statement:
        """INSERT a row as a person would write it; columns in ``show`` stand even where a default says the same."""
        return self.shape.insert(row, show=show, returning=returning, extra=extra)

    def insert_into(self, table: Name, row: Row) -> Statement:
        """INSERT a row of another table, which ``made`` made."""
        return self.shape_of(table).insert(row)

    def has_column(self, name: str) -> bool:
        """Whether the live table has such a column."""
        return self.table.column(name) is not None

    def values(self, column: str, row: Row) -> tuple[Value, ...]:
        """What may stand in one column of the row, boundaries first: other values, and NULL; each was evaluated."""
        tries = [{**row, column: value} for value in self._values(column, row)]
        kept = self.shape.holds(list(self.shape.clauses.values()), tries)
        return tuple(one[column] for one, good in zip(tries, kept, strict=True) if good)

    def host(self, column: str) -> dict[str, Value] | None:
        """The base row, or one near it in which the column is not NULL; None where none was found."""
        if self.base[column] is not None:
            return dict(self.base)
        for value in self._values(column, self.base):
            found = None if value is None else self.shape.find({**self.base, column: value}, fixed=frozenset([column]))
            if found is not None:
                return found
        return self.shape.find(self.base, [clause(is_null(column), self.table, want=False)])

    def _values(self, column: str, row: Row) -> Iterator[Value]:
        found = self.table.column(column)
        reach = self.shape.domain(column, self.shape.sure)
        if reach.empty or found is None:
            return
        values = dict.fromkeys((reach.simplest, *reach.boundaries, *reach.hints, None))
        yield from (v for v in values if v != row[column] and not (v is None and found.not_null))

    @cached_property
    def varied(self) -> tuple[dict[str, Value], ...]:
        """The base row, and rows that differ from it in one column that is no parent's key; each was evaluated."""
        bound = {c for fk in self.table.foreign_keys for c in fk.columns}
        free = [c.name for c in self.shape.columns if c.name not in bound]
        tries = [{**self.base, c: v} for c in free for v in self._values(c, self.base)]
        kept = self.shape.holds(list(self.shape.clauses.values()), tries)
        return (dict(self.base), *(one for one, good in zip(tries, kept, strict=True) if good))
