"""Tables, views and their columns: each privilege on them is exercised with a row where that can be.

Where it cannot (no row could be made, a trigger's own rights are missing, the role may write but not read), the same
statement runs over no rows: PostgreSQL asks for the privilege before it looks for any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from pgcontract.contract.ids import column_path
from pgcontract.model import Table, View
from pgcontract.promises.permission.targets import Deed, Plain, Scene, one, quoted
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Row, Statement, Value, delete, quote, update
from pgcontract.rows.worlds import Worlds

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
OF_COLUMNS = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
MAINTAIN = "MAINTAIN"
FIRST_WITH_MAINTAIN = 170000


@dataclass(frozen=True, slots=True)
class Sample:
    """Two valid rows of a table: what inserts all but the second, what inserts that, and how to find the first.

    ``values`` are the first one's that an UPDATE may set.
    """

    before: tuple[Statement, ...]
    second: Statement
    given: frozenset[str]
    """The columns that ``second`` names."""
    values: Row
    key: Row
    types: dict[str, str]


def columns_of(*names: str) -> str:
    """Names as an SQL list."""
    return ", ".join(sql.Identifier(name).as_string() for name in names)


def version(worlds: Worlds) -> int:
    """The server's version number."""
    (answer,) = worlds.oracle.evaluate([("current_setting('server_version_num')", "text")])
    return int(answer.value or 0)


@dataclass(frozen=True, slots=True)
class TableTarget(Plain):
    """A table, partitioned or foreign table, view or materialised view."""

    relation: Table | View
    own: Sample | None = None
    """A row where the relation is none of the live catalog's."""

    word = "TABLE"
    function = "has_table_privilege"
    every = (*PRIVILEGES, MAINTAIN)

    @property
    def object(self) -> str:
        """``messages``."""
        return str(self.relation.name)

    @property
    def namespace(self) -> str | None:
        """Its schema."""
        return self.relation.name.namespace

    @property
    def sql(self) -> str:
        """``"s"."messages"``."""
        return quoted(self.relation.name)

    @property
    def _view(self) -> View | None:
        return self.relation if isinstance(self.relation, View) else None

    @property
    def _foreign(self) -> bool:
        return isinstance(self.relation, Table) and self.relation.foreign_server is not None

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """Seven; 17 has an eighth."""
        return self.every if version(worlds) >= FIRST_WITH_MAINTAIN else PRIVILEGES

    def touched(self, role: str, privilege: str) -> str:
        """By has_any_column_privilege, where columns can have it."""
        if privilege not in OF_COLUMNS:
            return self.held(role, privilege)
        return f"has_any_column_privilege({quote(role)}::name, {self.asked}, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """With a row, then without."""
        make = {
            "SELECT": self._select,
            "INSERT": self._insert,
            "UPDATE": self._update,
            "DELETE": self._delete,
            "TRUNCATE": self._truncate,
            "REFERENCES": self._references,
            "TRIGGER": self._trigger,
            MAINTAIN: self._maintain,
        }
        yield from make[privilege](scene)

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """ALTER, DROP."""
        del scene
        if self._view is not None:
            word = "MATERIALIZED VIEW" if self._view.materialized else "VIEW"
            yield one(f"ALTER {word} {self.sql} RENAME TO pgcontract_renamed")
        else:
            word = "FOREIGN TABLE" if self._foreign else "TABLE"
            yield one(f"ALTER {word} {self.sql} ADD COLUMN pgcontract_added integer")
        yield one(f"DROP {word} {self.sql}")

    def sample(self, worlds: Worlds) -> Sample | None:
        """Two rows of the live table; None where none can be made, or where they would leave this server."""
        if self.own is not None or self._view is not None or self._foreign:
            return self.own
        try:
            world = worlds.world(self.relation.name)
        except (Unbuildable, KeyError):
            return None
        key = world.table.primary_key
        named = world.base if key is None or not set(key.columns) <= set(world.base) else key.columns
        writable = self.columns(worlds)
        return Sample(
            (*world.setup, world.insert(world.base)),
            world.insert(world.twin),
            frozenset(world.shape.explicit(world.twin)),
            {c: v for c, v in world.base.items() if c in writable},
            {c: world.base[c] for c in named},
            dict(world.shape.types),
        )

    def columns(self, worlds: Worlds) -> tuple[str, ...]:
        """What an INSERT may give, by the live catalog where it knows the table."""
        live = worlds.catalog.table(self.relation.name) or self.relation
        return tuple(c.name for c in live.columns if c.generated is None and c.identity != "ALWAYS")

    def _select(self, scene: Scene) -> Iterator[Deed]:
        del scene
        alias = sql.Identifier(self.relation.name.name).as_string()
        away = " WHERE false" if self._foreign else ""
        yield one(f"SELECT count({alias}) >= 0 AS readable FROM {self.sql} AS {alias}{away}")

    def _insert(self, scene: Scene) -> Iterator[Deed]:
        sample, columns = self.sample(scene.worlds), self.columns(scene.worlds)
        if sample is not None:
            yield Deed((sample.second,), sample.before)
        if columns and not self._foreign:
            nothing = ", ".join("NULL" for _ in columns)
            yield one(f"INSERT INTO {self.sql} ({columns_of(*columns)}) SELECT {nothing} WHERE false")

    def _update(self, scene: Scene) -> Iterator[Deed]:
        sample, columns = self.sample(scene.worlds), self.columns(scene.worlds)
        if sample is not None:
            key = sample.key if "SELECT" in scene.may else {}
            changes = sample.values if key else {c: v for c, v in sample.values.items() if c not in sample.key}
            if changes:
                yield Deed((update(self.relation.name, changes, key, sample.types),), sample.before)
        if columns and not self._foreign:
            yield one(f"UPDATE {self.sql} SET {_defaults(columns)} WHERE false")

    def _delete(self, scene: Scene) -> Iterator[Deed]:
        sample = self.sample(scene.worlds)
        if sample is not None:
            key = sample.key if "SELECT" in scene.may else {}
            yield Deed((delete(self.relation.name, key, sample.types),), sample.before)
        if not self._foreign:
            yield one(f"DELETE FROM {self.sql} WHERE false")

    def _truncate(self, scene: Scene) -> Iterator[Deed]:
        """Foreign keys that refer to the table are dropped before: they forbid it to everybody."""
        if self._view is not None or self._foreign:
            return
        name = self.relation.name
        drops = (
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(table.name.namespace, table.name.name), sql.Identifier(key.name)
            )
            for table, key in scene.worlds.catalog.referencing(name)
            if table.name != name
        )
        yield Deed((Statement(f"TRUNCATE {self.sql}"),), tuple(Statement(d.as_string()) for d in drops))

    def _references(self, scene: Scene) -> Iterator[Deed]:
        """A table of the role's own that refers to this one, by a key, or by one that is made for it."""
        live = scene.worlds.catalog.table(self.relation.name) or self.relation
        if isinstance(live, View) or self._foreign or not live.columns:
            return
        keys = [k.columns for k in live.keys if not k.deferrable and not k.without_overlaps]
        yield from referring(live, keys[0] if keys else (live.columns[0].name,), scene, keyed=bool(keys))

    def _trigger(self, scene: Scene) -> Iterator[Deed]:
        del scene
        if self._view is not None and self._view.materialized:
            return
        moment = "BEFORE INSERT" if self._view is None else "INSTEAD OF INSERT"
        level = "STATEMENT" if self._view is None else "ROW"
        yield one(
            f"CREATE TRIGGER pgcontract_made {moment} ON {self.sql} FOR EACH {level}"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )

    def _maintain(self, scene: Scene) -> Iterator[Deed]:
        del scene
        if self._view is not None:
            if self._view.materialized:
                yield one(f"REFRESH MATERIALIZED VIEW {self.sql}")
        elif not self._foreign and isinstance(self.relation, Table) and self.relation.partition_key is None:
            yield one(f"REINDEX TABLE {self.sql}")


@dataclass(frozen=True, slots=True)
class ColumnTarget(Plain):
    """A column of a table or view."""

    of: TableTarget
    column: str

    word = "TABLE"
    function = "has_column_privilege"
    every = OF_COLUMNS

    @property
    def object(self) -> str:
        """``messages.content``."""
        return column_path(self.of.relation.name, self.column)

    @property
    def namespace(self) -> str | None:
        """The table's schema."""
        return self.of.namespace

    @property
    def sql(self) -> str:
        """``"s"."messages"``: the table's."""
        return self.of.sql

    @property
    def _quoted(self) -> str:
        return sql.Identifier(self.column).as_string()

    def listed(self, privileges: str) -> str:
        """Each with the column in parentheses."""
        return ", ".join(f"{privilege} ({self._quoted})" for privilege in privileges.split(", "))

    def held(self, role: str, privilege: str) -> str:
        """A privilege on the whole table counts."""
        asked = f"{self.asked}, {quote(self.column)}::text"
        return f"{self.function}({quote(role)}::name, {asked}, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """Nothing but this column is named."""
        alias = sql.Identifier(self.of.relation.name.name).as_string()
        writable = self.column in self.of.columns(scene.worlds)
        sample = self.of.sample(scene.worlds)
        match privilege:
            case "SELECT":
                yield one(f"SELECT count({alias}.{self._quoted}) >= 0 AS readable FROM {self.sql} AS {alias}")
            case "INSERT" if writable:
                if sample is not None and sample.given <= {self.column}:
                    yield Deed((sample.second,), sample.before)
                yield one(f"INSERT INTO {self.sql} ({self._quoted}) SELECT NULL WHERE false")
            case "UPDATE":
                if sample is not None and self.column in sample.values:
                    change: dict[str, Value] = {self.column: sample.values[self.column]}
                    yield Deed((update(self.of.relation.name, change, {}, sample.types),), sample.before)
                yield one(f"UPDATE {self.sql} SET {_defaults([self.column])} WHERE false")
            case "REFERENCES":
                live = scene.worlds.catalog.table(self.of.relation.name)
                if live is not None and live.column(self.column) is not None:
                    keyed = any(k.columns == (self.column,) and not k.deferrable for k in live.keys)
                    yield from referring(live, (self.column,), scene, keyed=keyed)

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """The table's business."""
        del scene
        yield from ()


def _defaults(columns: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"{columns_of(c)} = DEFAULT" for c in columns)


def referring(table: Table, key: tuple[str, ...], scene: Scene, *, keyed: bool) -> Iterator[Deed]:
    """A table that refers to these columns, which are made a key where they are none."""
    schema, made = scene.workshop()
    types = {c.name: c.type for c in table.columns}
    own = ", ".join(f"c{n} {types[c]}" for n, c in enumerate(key))
    text = (
        f"CREATE TABLE {quoted(made)} ({own}, FOREIGN KEY ({', '.join(f'c{n}' for n in range(len(key)))})"
        f" REFERENCES {quoted(table.name)} ({columns_of(*key)}))"
    )
    unique = () if keyed else (Statement(f"ALTER TABLE {quoted(table.name)} ADD UNIQUE ({columns_of(*key)})"),)
    yield Deed((Statement(text),), (*unique, schema))
