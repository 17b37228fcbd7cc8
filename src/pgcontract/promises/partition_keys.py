"""Keys of partitioned tables: a second row is refused by the key of the partition that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pgcontract.model import Catalog, IndexKey, Table
from pgcontract.promises.base import Violation
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.partitions import empty, stand_in

_KEPT = 56
"""Characters of a name that are there whatever is cut off."""


@dataclass(frozen=True, slots=True)
class InPartition(Violation):
    """A violation of a partitioned table's key, which is named as the key of the partition that the rows are in."""

    names: frozenset[str] = frozenset()
    begins: tuple[str, ...] = ()
    """How names begin that PostgreSQL makes, for partitions that were made for the time."""

    def matches(self, refusal: Refusal) -> bool:
        """Whether it is one of these names."""
        found = refusal.constraint or ""
        return refusal.sqlstate in self.sqlstates and (found in self.names or found.startswith(self.begins))

    @property
    def promised(self) -> str:
        """The error that was promised, in words."""
        return f"{' or '.join(sorted(self.sqlstates))} naming {' or '.join(sorted(self.names))}"


def names_in_partitions(table: Table, catalog: Catalog, keys: Collection[IndexKey]) -> Iterator[str]:
    """The names of the key over these columns in the table's partitions, and in theirs."""
    columns = tuple(k.column for k in keys)
    for part in (t for t in catalog.tables if t.partition_of == table.name):
        yield from (k.name for k in part.keys if k.columns == columns)
        for index in part.indexes:
            if index.unique and [k.expression for k in index.keys] == [k.expression for k in keys]:
                yield index.name
        yield from names_in_partitions(part, catalog, keys)


def begins_in_stand_ins(table: Table, catalog: Catalog, keys: Collection[IndexKey], *, primary: bool) -> Iterator[str]:
    """How PostgreSQL's names for the key over these columns begin, in partitions that are made where there is none."""
    columns = "_".join(k.column or "expr" for k in keys)
    for one in empty(table, catalog):
        name = stand_in(one.name).name
        # a name that would be too long is cut
        yield f"{name}_pkey" if primary else f"{name}_{columns}"[:_KEPT]
