"""Keys, foreign keys and exclusions as they are created, and changed by one small thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, get_args

from pgcontract.model import Action, Catalog, Check, Column, Exclusion, ForeignKey, Index, IndexKey, Key, Name, Table
from pgcontract.promises.mutants.base import Mutant, alter, listed, quoted, replaced
from pgcontract.promises.mutants.expressions import variants
from pgcontract.rows.shape import index_columns
from pgcontract.rows.statements import Statement, identifier

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
CONFIGURATION: Final = re.compile(r"'(?:pg_catalog\.)?(\w+)'::regconfig")
MOST_ADDED: Final = 2
"""Columns that are tried as an addition to a key."""


def key_definition(key: Key) -> str:
    """What stands after ADD CONSTRAINT."""
    columns = listed(key.columns)
    words = [
        "PRIMARY KEY" if key.primary else "UNIQUE",
        "NULLS NOT DISTINCT" if key.nulls_not_distinct else "",
        f"{columns[:-1]} WITHOUT OVERLAPS)" if key.without_overlaps else columns,
        f"INCLUDE {listed(key.include)}" if key.include else "",
        _timing(key),
    ]
    return " ".join(word for word in words if word)


def foreign_key_definition(one: ForeignKey) -> str:
    """What stands after ADD CONSTRAINT, with the actions."""
    columns, keys = listed(one.columns), listed(one.keys)
    if one.period:
        columns, keys = _period(one.columns), _period(one.keys)
    words = [
        f"FOREIGN KEY {columns} REFERENCES {identifier(one.references).as_string()} {keys}",
        "MATCH FULL" if one.match_full else "",
        f"ON DELETE {one.on_delete}",
        listed(one.delete_columns) if one.delete_columns and one.on_delete.startswith("SET") else "",
        f"ON UPDATE {one.on_update}",
        _timing(one),
        "" if one.enforced else "NOT ENFORCED",
        "" if one.validated else "NOT VALID",
    ]
    return " ".join(word for word in words if word)


def exclusion_definition(one: Exclusion) -> str:
    """What stands after ADD CONSTRAINT."""
    words = [
        f"EXCLUDE USING {quoted(one.method)} ({', '.join(index_key(k) for k in one.keys)})",
        f"INCLUDE {listed(one.include)}" if one.include else "",
        f"WHERE ({one.predicate})" if one.predicate else "",
        _timing(one),
    ]
    return " ".join(word for word in words if word)


def index_key(key: IndexKey) -> str:
    """One key of an index or of an exclusion."""
    usual = key.nulls_first == key.descending
    words = [
        quoted(key.column) if key.column is not None else key.expression,
        f"COLLATE {key.collation}" if key.collation else "",
        key.opclass or "",
        f"({', '.join(key.opclass_options)})" if key.opclass_options else "",
        "DESC" if key.descending else "",
        "" if usual else "NULLS FIRST" if key.nulls_first else "NULLS LAST",
        f"WITH {key.operator}" if key.operator else "",
    ]
    return " ".join(word for word in words if word)


def create_index(table: Name, index: Index) -> Statement:
    """CREATE INDEX."""
    words = [
        "CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX",
        f"{quoted(index.name)} ON {identifier(table).as_string()} USING {quoted(index.method)}",
        f"({', '.join(index_key(k) for k in index.keys)})",
        f"INCLUDE {listed(index.include)}" if index.include else "",
        "NULLS NOT DISTINCT" if index.nulls_not_distinct else "",
        f"WITH ({', '.join(index.options)})" if index.options else "",
        f"WHERE ({index.predicate})" if index.predicate else "",
    ]
    return Statement(" ".join(word for word in words if word))


def drop_index(table: Name, name: str) -> Statement:
    """DROP INDEX: it stands in its table's schema."""
    return Statement(f"DROP INDEX {identifier(Name(table.namespace, name)).as_string()}")


def check_mutants(table: Name, check: Check) -> Iterator[Mutant]:
    """A CHECK gone, and every condition that is one change away."""
    yield Mutant("drop_check", check.name, (alter(table, f"DROP CONSTRAINT {quoted(check.name)}"),))
    inherit = " NO INHERIT" if check.no_inherit else ""
    for operator, expression, same in variants(check.expression):
        ddl = replaced(table, check.name, f"CHECK ({expression}){inherit}")
        yield Mutant(operator, f"{check.name} to {expression}", ddl, equivalent=same)


def key_mutants(table: Table, key: Key) -> Iterator[Mutant]:
    """A PRIMARY KEY or UNIQUE constraint gone, over one column less or more, or with NULLs the other way."""
    name = table.name
    dropped = (alter(name, f"DROP CONSTRAINT {quoted(key.name)}"),)
    yield Mutant("drop_primary_key" if key.primary else "drop_unique", key.name, dropped)
    for gone in key.columns if len(key.columns) > 1 else ():
        fewer = replace(key, columns=tuple(c for c in key.columns if c != gone), without_overlaps=False)
        yield Mutant("drop_key_column", f"{key.name} without {gone}", replaced(name, key.name, key_definition(fewer)))
    for added in _others(table, key.columns, keyed=key.primary):
        more = replace(key, columns=(added, *key.columns))
        yield Mutant("add_key_column", f"{key.name} with {added}", replaced(name, key.name, key_definition(more)))
    if not key.primary and any(_nullable(table, c) for c in key.columns):
        other = replace(key, nulls_not_distinct=not key.nulls_not_distinct)
        yield Mutant("toggle_nulls_distinct", key.name, replaced(name, key.name, key_definition(other)))


def unique_index_mutants(table: Table, index: Index) -> Iterator[Mutant]:
    """The same of a unique index, which may have a predicate."""
    name, dropped = table.name, drop_index(table.name, index.name)

    def instead(operator: str, what: str, other: Index) -> Mutant:
        return Mutant(operator, f"{index.name} {what}".strip(), (dropped, create_index(name, other)))

    yield Mutant("drop_unique", index.name, (dropped,))
    for gone in index.keys if len(index.keys) > 1 else ():
        fewer = tuple(k for k in index.keys if k != gone)
        yield instead("drop_key_column", f"without {gone.expression}", replace(index, keys=fewer))
    for added in _others(table, [k.column for k in index.keys if k.column], keyed=False):
        more = (IndexKey(added, added), *index.keys)
        yield instead("add_key_column", f"with {added}", replace(index, keys=more))
    if index.predicate:
        yield instead("drop_predicate", "", replace(index, predicate=None))
    if any(_nullable(table, c) for c in index_columns(table, (k.column or k.expression for k in index.keys))):
        yield instead("toggle_nulls_distinct", "", replace(index, nulls_not_distinct=not index.nulls_not_distinct))


def index_mutants(table: Name, index: Index) -> Iterator[Mutant]:
    """An index gone, with its keys in another order or direction, without its predicate, or of another text."""
    dropped = drop_index(table, index.name)

    def instead(operator: str, what: str, other: Index) -> Mutant:
        return Mutant(operator, f"{index.name} {what}".strip(), (dropped, create_index(table, other)))

    yield Mutant("drop_index", index.name, (dropped,))
    if len(index.keys) > 1:
        yield instead("reorder_columns", "", replace(index, keys=tuple(reversed(index.keys))))
        for gone in index.keys:
            fewer = replace(index, keys=tuple(k for k in index.keys if k != gone))
            yield instead("drop_key_column", f"without {gone.expression}", fewer)
    # an index of one key is read in either direction
    for number, key in enumerate(index.keys if index.method == "btree" and len(index.keys) > 1 else ()):
        other = replace(key, descending=not key.descending, nulls_first=not key.nulls_first)
        keys = (*index.keys[:number], other, *index.keys[number + 1 :])
        yield instead("flip_direction", key.expression, replace(index, keys=keys))
    if index.predicate:
        yield instead("drop_predicate", "", replace(index, predicate=None))
    if index.include:
        yield instead("drop_include", "", replace(index, include=()))
    for number, key in enumerate(index.keys):
        if (found := CONFIGURATION.search(key.expression)) is not None:
            word = "simple" if found.group(1) != "simple" else "english"
            expression = key.expression.replace(found.group(0), f"'{word}'::regconfig")
            keys = (*index.keys[:number], replace(key, expression=expression), *index.keys[number + 1 :])
            yield instead("change_configuration", word, replace(index, keys=keys))


def foreign_key_mutants(catalog: Catalog, table: Name, one: ForeignKey) -> Iterator[Mutant]:
    """A foreign key gone, of one pair less, or to another table."""
    yield Mutant("drop_foreign_key", one.name, (alter(table, f"DROP CONSTRAINT {quoted(one.name)}"),))
    for pair in zip(one.columns, one.keys, strict=True) if len(one.columns) > 1 else ():
        left = [p for p in zip(one.columns, one.keys, strict=True) if p != pair]
        columns, keys = zip(*left, strict=True)
        fewer = replace(one, columns=columns, keys=keys, delete_columns=(), period=False, match_full=False)
        yield Mutant(
            "drop_column_pair",
            f"{one.name} without {pair[0]}",
            replaced(table, one.name, foreign_key_definition(fewer)),
        )
    other = _other_parent(catalog, table, one)
    if other is not None:
        yield Mutant(
            "retarget", f"{one.name} to {other.references}", replaced(table, one.name, foreign_key_definition(other))
        )


def action_mutants(catalog: Catalog, table: Name, one: ForeignKey, *, event: str) -> Iterator[Mutant]:
    """Every other action."""
    now = one.on_delete if event == "delete" else one.on_update
    child = catalog.table(table)
    touched = (one.delete_columns if event == "delete" else ()) or one.columns
    columns = [child.column(c) for c in touched] if child is not None else []
    bare = all(c is not None and c.default is None for c in columns)
    for action in ACTIONS:
        if action == now:
            continue
        other = replace(one, on_delete=action) if event == "delete" else replace(one, on_update=action)
        same = (
            "without a default, SET DEFAULT is SET NULL"
            if bare and {now, action} == {"SET NULL", "SET DEFAULT"}
            else None
        )
        ddl = replaced(table, one.name, foreign_key_definition(other))
        yield Mutant(f"change_on_{event}", f"{one.name} to {action}", ddl, equivalent=same)


def exclusion_mutants(table: Name, one: Exclusion) -> Iterator[Mutant]:
    """An exclusion gone, over one column less, or for all rows."""
    yield Mutant("drop_exclude", one.name, (alter(table, f"DROP CONSTRAINT {quoted(one.name)}"),))
    for gone in one.keys if len(one.keys) > 1 else ():
        fewer = replace(one, keys=tuple(k for k in one.keys if k != gone))
        yield Mutant(
            "drop_exclude_column",
            f"{one.name} without {gone.expression}",
            replaced(table, one.name, exclusion_definition(fewer)),
        )
    if one.predicate:
        yield Mutant(
            "drop_predicate", one.name, replaced(table, one.name, exclusion_definition(replace(one, predicate=None)))
        )


def _timing(one: Key | ForeignKey | Exclusion) -> str:
    return ("DEFERRABLE" + (" INITIALLY DEFERRED" if one.deferred else "")) if one.deferrable else ""


def _period(names: tuple[str, ...]) -> str:
    return "(" + ", ".join([*map(quoted, names[:-1]), f"PERIOD {quoted(names[-1])}"]) + ")"


def _nullable(table: Table, name: str) -> bool:
    column = table.column(name)
    return column is not None and not column.not_null


def _others(table: Table, columns: tuple[str, ...] | list[str], *, keyed: bool) -> list[str]:
    """Columns that a key may be widened by: for a primary key such as are NOT NULL already."""

    def fits(column: Column) -> bool:
        return column.name not in columns and column.generated is None and (column.not_null or not keyed)

    return [c.name for c in table.columns if fits(c)][:MOST_ADDED]


def _other_parent(catalog: Catalog, table: Name, one: ForeignKey) -> ForeignKey | None:
    """The same columns referring to another table's primary key of the same types."""
    child, parent = catalog.table(table), catalog.table(one.references)
    if child is None or parent is None:
        return None
    types = [column.type for c in one.columns if (column := child.column(c)) is not None]
    for other in catalog.tables:
        primary = other.primary_key
        if primary is None or other.name in {one.references, table} or other.partition_of is not None:
            continue
        if [column.type for c in primary.columns if (column := other.column(c)) is not None] == types:
            return replace(one, references=other.name, keys=primary.columns)
    return None
