"""Tables: a row goes in, is found by its columns, and goes out; how the table is kept, and whose part it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from pgcontract.contract import table_id
from pgcontract.model import Catalog, Name, Table
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.facts import Fact, exists, listed, yes
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, Value, delete, identifier, where
from pgcontract.rows.worlds import World, Worlds

_PARENTS = (
    "ARRAY(SELECT p.relname::text FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent"
    " WHERE i.inhrelid = c.oid ORDER BY i.inhseqno)"
)
_SERVER = (
    "SELECT s.srvname FROM pg_catalog.pg_foreign_table AS f"
    " JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid"
)
_OPTIONS = (
    "ARRAY(SELECT o FROM unnest(coalesce(c.reloptions,"
    ' (SELECT f.ftoptions FROM pg_catalog.pg_foreign_table AS f WHERE f.ftrelid = c.oid))) AS o ORDER BY o COLLATE "C")'
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A table itself."""

    frozen: Table

    kind = "table"
    directions = (Direction.ACCEPTS,)

    @property
    def table(self) -> Name:
        """The table's name."""
        return self.frozen.name

    @property
    def id(self) -> str:
        """``messages``."""
        return table_id(self.frozen.name)

    @property
    def clause(self) -> str:
        """``TABLE messages``."""
        word = "UNLOGGED TABLE" if self.frozen.unlogged else "FOREIGN TABLE" if self.frozen.foreign_server else "TABLE"
        return f"{word} {self.frozen.name}"

    def accepts(self, worlds: Worlds) -> Cases:
        """The catalog's facts; all columns can be read; both twins' rows come back as they were given, and go.

        A column that is gone is its own promises' matter.
        """
        live = worlds.catalog.table(self.frozen.name)
        there = self.frozen.columns if live is None else [c for c in self.frozen.columns if live.column(c.name)]
        names = ", ".join(sql.Identifier(c.name).as_string() for c in there)
        read = f"SELECT {names} FROM {identifier(self.frozen.name).as_string()}"
        columns = Change((Statement(f"SELECT count(*) >= 0 AS can_be_read FROM ({read}) AS all_rows"),))
        always = [self._facts(), columns]
        if live is None:
            return Cases(tuple(always))
        world = worlds.world(self.frozen.name)
        for row in world.varied[:1]:
            always += [self._found(world, row, read), self._gone(world, row)]
        return Cases(tuple(always), world=world)

    def _facts(self) -> Change:
        one = self.frozen
        parents = [one.partition_of] if one.partition_of is not None else one.inherits
        kind = "p" if one.partition_key is not None else "f" if one.foreign_server is not None else "r"
        facts: dict[str, Fact] = {
            "is_a_table": ("c.relkind", kind),
            "unlogged": ("c.relpersistence = 'u'", yes(one.unlogged)),
            "inherits": (f"{_PARENTS} = {_array(p.name for p in parents)}", yes(True)),
            "is_partition": ("c.relispartition", yes(one.partition_of is not None)),
            "partition_key": ("pg_catalog.pg_get_partkeydef(c.oid)", one.partition_key),
            "partition_bound": ("pg_catalog.pg_get_expr(c.relpartbound, c.oid)", one.partition_bound),
            "server": (_SERVER, one.foreign_server),
            "options": (f"{_OPTIONS} = {_array(one.options)}", yes(True)),
        }
        return exists("pg_class", one.name, facts)

    def _known(self, world: World, row: dict[str, Value]) -> dict[str, Value]:
        """What identifies the row: its keys where a trigger may have changed the rest, else all that was given."""
        primary = world.table.primary_key
        if primary is not None and world.table.triggers:
            return {c: row[c] for c in primary.columns}
        explicit = world.shape.explicit(row)
        return {c: v for c, v in row.items() if c in explicit}

    def _found(self, world: World, row: dict[str, Value], read: str) -> Change:
        condition, values = where(self._known(world, row), world.shape.types)
        text = f"SELECT count(*) >= 1 AS is_found FROM ({read}) AS all_rows WHERE {condition}"
        return Change((world.insert(row), Statement(text, values)))

    def _gone(self, world: World, row: dict[str, Value]) -> Change:
        removal = delete(self.frozen.name, self._known(world, row), world.shape.types)
        text = f"WITH gone AS ({removal.text} RETURNING true) SELECT count(*) >= 1 AS is_deleted FROM gone"
        return Change((Statement(text, removal.values),), setup=(world.insert(row),))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """What refuses a row has a name of its own."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the table."""
        return worlds.catalog.table(self.frozen.name) is not None


def _array(values: object) -> str:
    return f"{sql.Literal(listed(values)).as_string()}::text[]"  # type: ignore[arg-type]


def promises(catalog: Catalog) -> Iterator[Kept]:
    """Every table."""
    return map(Kept, catalog.tables)
