"""Storage: how a column's long values are kept, where it is not as its type would have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Column, Name
from pgcontract.promises.base import Cases, Direction, gone
from pgcontract.promises.facts import asked
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import identifier
from pgcontract.rows.worlds import Worlds


@dataclass(frozen=True, slots=True)
class Storage:
    """A column's STORAGE and COMPRESSION."""

    table: Name
    column: Column

    kind = "storage"
    directions = (Direction.ACCEPTS,)

    @property
    def id(self) -> str:
        """``messages.content.storage``."""
        return column_id(self.table, self.column.name, "storage")

    @property
    def clause(self) -> str:
        """``content STORAGE EXTERNAL``."""
        words = [("STORAGE", self.column.storage), ("COMPRESSION", self.column.compression)]
        return " ".join([self.column.name, *(f"{word} {value}" for word, value in words if value is not None)])

    def accepts(self, worlds: Worlds) -> Cases:
        """What the next value is stored by: the column's own attributes say it."""
        live = worlds.catalog.table(self.table)
        if live is None or live.column(self.column.name) is None:
            return gone(self.table, self.column.name)
        source = "pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid"
        words = "CASE {} WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END"
        kept = f"CASE WHEN a.attstorage <> t.typstorage THEN {words.format('a.attstorage')} END"
        packed = "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END"
        facts = {"storage": (kept, self.column.storage), "compression": (packed, self.column.compression)}
        keys = (identifier(self.table).as_string(), self.column.name)
        return Cases((asked(source, "a.attrelid = $1::regclass AND a.attname = $2", keys, facts),))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """Nothing refuses a look into the catalog."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column is stored alike."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column.name) if table else None
        return live is not None and (live.storage, live.compression) == (self.column.storage, self.column.compression)


def promises(catalog: Catalog) -> Iterator[Storage]:
    """One for every column that is not stored as its type is."""
    for table in catalog.tables:
        for column in table.columns:
            if column.storage is not None or column.compression is not None:
                yield Storage(table.name, column)
