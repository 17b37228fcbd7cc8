"""Rows of all concepts, put together into one Catalog. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from pgcontract.catalog.functions import functions
from pgcontract.catalog.privileges import default_privileges, grants
from pgcontract.catalog.relations import Relations
from pgcontract.catalog.types import collations, composites, domains, enums, ranges
from pgcontract.contract.ids import column_path, function_id
from pgcontract.model import Catalog, Extension, Name
from pgcontract.model import Sequence as DatabaseSequence

Rows = Mapping[str, Sequence[Any]]

by_name = attrgetter("name")


def assemble(rows: Rows, *, ignore: frozenset[Name], roles: Mapping[str, str]) -> Catalog:
    """The model of what the queries returned."""
    relations = Relations(rows, ignore=ignore, roles=roles)
    made = functions(rows)
    sequences = _sequences(rows, relations)
    # What a privilege can be on: the frozen objects, by kind and oid. An access list of anything else (an
    # extension's function, an ignored table) finds no object here and is left out with it.
    objects: dict[tuple[str, int], str] = {
        **{("TABLE", oid): str(name) for oid, name in relations.kept.items()},
        **{("FUNCTION", oid): function_id(function.name, function.arguments) for oid, function in made.items()},
        **{("SEQUENCE", oid): str(sequence.name) for oid, sequence in sequences.items()},
        **{("SCHEMA", row.oid): row.name for row in rows["namespaces"]},
        **{
            ("TYPE", row.oid): str(Name(row.namespace, row.name))
            for concept in ("enums", "domains", "composites", "ranges")
            for row in rows[concept]
        },
    }
    columns = {
        (row.object, row.number): column_path(relations.kept[row.object], relations.column_name(row.object, row.number))
        for row in rows["grants"]
        if row.kind == "COLUMN" and row.object in relations.kept
    }
    return Catalog(
        namespaces=tuple(sorted(row.name for row in rows["namespaces"])),
        extensions=tuple(sorted((Extension(row.name, row.namespace) for row in rows["extensions"]), key=by_name)),
        enums=enums(rows),
        domains=domains(rows),
        composites=composites(rows),
        ranges=ranges(rows),
        collations=collations(rows),
        sequences=tuple(sorted(sequences.values(), key=by_name)),
        functions=tuple(sorted(made.values(), key=attrgetter("name", "arguments"))),
        tables=relations.tables(),
        views=relations.views(),
        grants=grants(rows["grants"], objects=objects, columns=columns, roles=roles),
        default_privileges=default_privileges(rows["default_privileges"], roles=roles),
    )


def _sequences(rows: Rows, relations: Relations) -> dict[int, DatabaseSequence]:
    """Sequences by oid; the ones that an ignored table owns are left out with it."""
    made: dict[int, DatabaseSequence] = {}
    for row in rows["sequences"]:
        if row.owner_relation is not None and row.owner_relation not in relations.kept:
            continue
        made[row.oid] = DatabaseSequence(
            name=Name(row.namespace, row.name),
            type=row.type,
            start=row.start,
            increment=row.increment,
            min_value=row.min_value,
            max_value=row.max_value,
            cache=row.cache,
            cycle=row.cycle,
            unlogged=row.unlogged,
            owned_by=None
            if row.owner_relation is None
            else (relations.names[row.owner_relation], relations.column_name(row.owner_relation, row.owner_column)),
        )
    return made
