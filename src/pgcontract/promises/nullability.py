"""NOT NULL refuses NULL; where it is not promised, NULL is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from psycopg import sql

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation, gone
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Value
from pgcontract.rows.worlds import World, Worlds

NOT_NULL_VIOLATION = "23502"


@dataclass(frozen=True, slots=True)
class NotNull:
    """A column that refuses NULL."""

    table: Name
    column: str

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
        """NULL in this column, whatever stands in the others."""
        world = worlds.world(self.table)
        if not world.has_column(self.column):
            return gone(self.table, self.column)
        cases = [self._violation(world, row) for row in world.varied]
        return Cases(tuple(cases[:1]), st.sampled_from(cases), world=world)

    def _violation(self, world: World, row: dict[str, Value]) -> Violation:
        statement = world.insert({**row, self.column: None}, show=[self.column])
        return Violation((statement,), sqlstates=frozenset([NOT_NULL_VIOLATION]), column=self.column)

    def owns(self, refusal: Refusal) -> bool:
        """23502 that names the column."""
        return refusal.sqlstate == NOT_NULL_VIOLATION and refusal.column == self.column

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
        column = self.column
        first = world.shape.find({**world.base, column: None}, fixed=frozenset([column]))
        if first is None:
            return Cases(world=world, missing=f"no row with NULL in {column} was found that passes the CHECKs")
        others = [{**row, column: None} for row in world.varied]
        good = world.shape.holds(list(world.shape.clauses.values()), others)
        rows = [first, *(row for row, holds in zip(others, good, strict=True) if holds)]
        cases = [self._change(world, row) for row in rows]
        return Cases(tuple(cases[:1]), st.sampled_from(cases), world=world)

    def _change(self, world: World, row: dict[str, Value]) -> Change:
        returning = f" RETURNING {sql.Identifier(self.column).as_string()} IS NULL AS is_null"
        return Change((world.insert(row, show=[self.column], returning=returning),))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """23502 that names the column."""
        return refusal.sqlstate == NOT_NULL_VIOLATION and refusal.column == self.column

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column takes NULL."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column) if table else None
        return live is not None and not live.not_null


def promises(catalog: Catalog) -> Iterator[NotNull | NullAllowed]:
    """One of the two for every column that can be written."""
    for table in catalog.tables:
        for column in table.columns:
            if column.generated is None and column.identity != "ALWAYS":
                yield (NotNull if column.not_null else NullAllowed)(table.name, column.name)
