"""A catalog's tables in outline, for pictures and for lists: columns, keys, foreign keys and indexes, as plain data."""

from __future__ import annotations

from typing import Any

from pgcontract.contract import clauses
from pgcontract.contract.ids import table_id
from pgcontract.model import Catalog, Table


def outline(catalog: Catalog) -> list[dict[str, Any]]:
    """One mapping a table: what JSON's readers need to draw it and to know its indexes."""
    return [_table(table) for table in catalog.tables]


def _table(table: Table) -> dict[str, Any]:
    primary = table.primary_key
    return {
        "name": table_id(table.name),
        "partition_of": None if table.partition_of is None else table_id(table.partition_of),
        "columns": [{"name": c.name, "type": c.type, "not_null": c.not_null} for c in table.columns],
        "primary_key": [] if primary is None else list(primary.columns),
        "foreign_keys": [
            {
                "name": fk.name,
                "columns": list(fk.columns),
                "references": table_id(fk.references),
                "keys": list(fk.keys),
                "on_delete": fk.on_delete,
            }
            for fk in table.foreign_keys
        ],
        "indexes": [
            {
                "name": index.name,
                "clause": clauses.index(index),
                "columns": [key.column for key in index.keys],
                "unique": index.unique,
                "partial": index.predicate is not None,
            }
            for index in table.indexes
        ],
    }
