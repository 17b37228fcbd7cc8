"""Indexes whose loss nobody would notice: no hot query names them, no foreign key is looked up by them, none is unique.

Each index is proven by itself, with a query made for it: that it works, not that somebody needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pgcontract.contract import index_id
from pgcontract.model import Catalog, Index, Table
from pgcontract.promises.index import holders
from pgcontract.queries import Query


def unjustified(catalog: Catalog, queries: Sequence[Query]) -> tuple[str, ...]:
    """The ids of these indexes, in the order of the contract."""
    named = {name for query in queries for name in query.uses}
    return tuple(_unjustified(catalog, named))


def _unjustified(catalog: Catalog, named: set[str]) -> Iterator[str]:
    for holder in holders(catalog):
        # a partition's indexes are its parent's
        if isinstance(holder, Table) and holder.partition_of is not None:
            continue
        for index in holder.indexes:
            looked_up = isinstance(holder, Table) and any(_leads(index, fk.columns) for fk in holder.foreign_keys)
            if not index.unique and index.name not in named and not looked_up:
                yield index_id(holder.name, index.name)


def _leads(index: Index, columns: Sequence[str]) -> bool:
    """Whether rows that refer to a row are found by the index: it begins with columns of the foreign key.

    A foreign key of which some column is NULL refers to nothing, so that the index may leave those rows out.
    """
    first = {key.expression.strip('"') for key in index.keys[: len(columns)]}
    everywhere = index.predicate is None or index.predicate.strip("()") in {f"{c} IS NOT NULL" for c in columns}
    return everywhere and first <= set(columns)
