"""Every promise of a catalog, one after the other: the list that drift compares and reports count. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pgcontract.contract import clauses, ids
from pgcontract.model import Catalog, Column, Domain, ForeignKey, Index, Name, Table, View
from pgcontract.values.naming import refusing


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise. ``key`` is unique in any catalog; ``facts`` is all that it says, compared by drift.

    ``id`` leaves ``public`` out and may clash (``a.b``: a table of schema a, or the constraint b of table a);
    ``longer`` shows the schema always. ``clause`` is for people, on one line, and may leave out what ``body`` holds.
    """

    key: tuple[str, ...]
    id: str
    longer: str
    kind: str
    clause: str
    facts: Any
    body: str | None = None


def promises_of(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """``(id, kind, clause)`` of every promise, table by table; ids are unique."""
    unique = unique_ids(catalog)
    for promise in promised(catalog):
        yield unique[promise.key], promise.kind, promise.clause


def unique_ids(catalog: Catalog) -> Mapping[tuple[str, ...], str]:
    """An id for every promise, by its key: the plain one wherever that is clear.

    Where two would be the same, they get their schema ``public`` back; where that does not help (a trigger and a check
    of one name), their kind; and at the very last a number.
    """
    promises = list(promised(catalog))
    named = {promise.key: promise.id for promise in promises}
    for spelling in (lambda p: p.longer, lambda p: f"{p.longer} ({p.kind})"):
        clashing = _clashing(named.values())
        named.update({p.key: spelling(p) for p in promises if named[p.key] in clashing})
    for id_ in _clashing(named.values()):
        same = sorted(promise.key for promise in promises if named[promise.key] == id_)
        named.update({key: f"{id_} #{number}" for number, key in enumerate(same, 1)})
    return named


def collisions(catalog: Catalog) -> Mapping[tuple[str, str], str]:
    """The ids that are not the plain ones, by plain id and kind; empty in nearly every schema."""
    unique = unique_ids(catalog)
    return {(p.id, p.kind): unique[p.key] for p in promised(catalog) if unique[p.key] != p.id}


def _clashing(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def promised(catalog: Catalog) -> Iterator[Promised]:
    """Every promise of a catalog, without a word about unique ids."""
    # Names may hold line breaks, too.
    return (replace(promise, clause=clauses.one_line(promise.clause)) for promise in _promised(catalog))


def _promised(catalog: Catalog) -> Iterator[Promised]:
    for name in catalog.namespaces:
        yield _global("schema", (name,), ids.namespace_id(name), f"CREATE SCHEMA {clauses.identifier(name)}", name)
    for extension in catalog.extensions:
        clause = f"CREATE EXTENSION {extension.name} SCHEMA {clauses.identifier(extension.namespace)}"
        yield _global("extension", (extension.name,), ids.extension_id(extension.name), clause, extension)
    yield from _types(catalog)
    for collation in catalog.collations:
        yield _named("collation", collation, ids.collation_id, clauses.collation(collation))
    for sequence in catalog.sequences:
        yield _named("sequence", sequence, ids.sequence_id, clauses.sequence(sequence))
    for function in catalog.functions:
        yield Promised(
            ("function", *_parts(function.name), function.arguments),
            ids.function_id_of(function),
            f"{_longer(function.name)}({function.arguments})",
            "function",
            clauses.function(function),
            function,
            function.body,
        )
    for table in catalog.tables:
        # a domain that refuses NULL refuses it for the column, too
        never = [c.name for c in table.columns if not c.not_null and refusing(c.type, catalog) is not None]
        keys = {("column", *_parts(table.name), name, "null") for name in never}
        yield from (promise for promise in _table(table) if promise.key not in keys)
    for view in catalog.views:
        yield from _view(view)
    for grant in catalog.grants:
        key = (grant.kind, grant.object, grant.grantee, str(grant.revoked))
        yield _global("privilege", key, ids.grant_id(grant), clauses.grant(grant), grant)
    for default in catalog.default_privileges:
        scope = ("everywhere",) if default.namespace is None else ("inside", default.namespace)
        key = (default.kind, default.grantee, str(default.revoked), *scope)
        clause = clauses.default_privilege(default)
        yield _global("default privilege", key, ids.default_privilege_id(default), clause, default)


def _parts(name: Name) -> tuple[str, str]:
    return name.namespace, name.name


def _longer(name: Name) -> str:
    """The id with its schema, also where that is ``public``."""
    return f"{name.namespace}.{name}" if name.namespace == "public" else str(name)


def _global(kind: str, key: tuple[str, ...], id_: str, clause: str, facts: Any) -> Promised:
    return Promised((kind, *key), id_, id_, kind, clause, facts)


def _named(kind: str, thing: Any, make: Callable[[Name], str], clause: str, facts: Any = None) -> Promised:
    name = thing.name
    return Promised((kind, *_parts(name)), make(name), _longer(name), kind, clause, thing if facts is None else facts)


def _types(catalog: Catalog) -> Iterator[Promised]:
    for enum in catalog.enums:
        yield _named("enum", enum, ids.type_id, clauses.enum(enum))
    for domain in catalog.domains:
        yield from _domain(domain)
    for composite in catalog.composites:
        yield _named("composite type", composite, ids.type_id, clauses.composite(composite))
    for range_type in catalog.ranges:
        yield _named("range type", range_type, ids.type_id, clauses.range_type(range_type))


def _domain(domain: Domain) -> Iterator[Promised]:
    yield _named("domain", domain, ids.type_id, clauses.domain(domain), replace(domain, checks=()))
    for check in domain.checks:
        yield _part("domain check", "check", domain.name, check.name, clauses.check(check), check)


def _part(section: str, kind: str, owner: Name, name: str, clause: str, facts: Any, *, aspect: str = "") -> Promised:
    """Something that belongs to a table, view or domain, and has a name there."""
    id_, rest = ids.constraint_id(owner, name), f".{aspect}" if aspect else ""
    longer = id_ if owner.namespace != "public" else f"public.{id_}"
    return Promised((section, *_parts(owner), name, aspect), id_ + rest, longer + rest, kind, clause, facts)


def _table(table: Table) -> Iterator[Promised]:
    bare = replace(
        table,
        columns=(),
        keys=(),
        checks=(),
        foreign_keys=(),
        exclusions=(),
        indexes=(),
        triggers=(),
        policies=(),
        rules=(),
        row_security=False,
        force_row_security=False,
    )
    yield _named("table", table, ids.table_id, clauses.table(table), bare)
    for column in table.columns:
        yield from _column(table.name, column)
    for key in table.keys:
        kind = "primary key" if key.primary else "unique"
        yield _part("constraint", kind, table.name, key.name, clauses.key(key), key)
    for check in table.checks:
        yield _part("constraint", "check", table.name, check.name, clauses.check(check), check)
    for foreign_key in table.foreign_keys:
        yield from _foreign_key(table.name, foreign_key)
    for exclusion in table.exclusions:
        yield _part("constraint", "exclusion", table.name, exclusion.name, clauses.exclusion(exclusion), exclusion)
    yield from _belongings(table)
    if table.row_security or table.force_row_security:
        facts = (table.row_security, table.force_row_security)
        id_ = ids.row_security_id(table.name)
        longer = f"{_longer(table.name)}.row_security"
        place = ("row security", *_parts(table.name))
        yield Promised(place, id_, longer, "row policy", clauses.row_security(table), facts)
    for policy in table.policies:
        yield _part("policy", "row policy", table.name, policy.name, clauses.policy(policy), policy)


def _column(table: Name, column: Column) -> Iterator[Promised]:
    def aspect(name: ids.Aspect, kind: str, clause: str, facts: Any, key: str = "") -> Promised:
        id_ = ids.column_id(table, column.name, name)
        longer = id_ if table.namespace != "public" else f"public.{id_}"
        return Promised(("column", *_parts(table), column.name, key or name), id_, longer, kind, clause, facts)

    shown = clauses.identifier(column.name)
    yield aspect("type", "column type", clauses.column_type(column), (column.type, column.collation))
    # One promise under either name: NULL is refused, or NULL is allowed.
    if column.not_null:
        yield aspect("not_null", "not null", f"{shown} NOT NULL", facts=True, key="null")
    else:
        yield aspect("null", "null allowed", f"{shown} NULL", facts=False)
    if column.default is not None:
        clause = f"{shown} DEFAULT {clauses.one_line(column.default)}"
        yield aspect("default", "default", clause, column.default)
    if column.generated is not None or column.virtual:
        yield aspect(
            "generated", "generated", f"{shown} {clauses.generated(column)}", (column.generated, column.virtual)
        )
    if column.identity is not None:
        yield aspect("identity", "identity", f"{shown} GENERATED {column.identity} AS IDENTITY", column.identity)
    if column.storage is not None or column.compression is not None:
        yield aspect("storage", "storage", f"{shown} {clauses.storage(column)}", (column.storage, column.compression))


def _foreign_key(table: Name, one: ForeignKey) -> Iterator[Promised]:
    bare = replace(one, on_delete="NO ACTION", on_update="NO ACTION", delete_columns=())
    yield _part("constraint", "foreign key", table, one.name, clauses.foreign_key(one), bare)
    deleting = (one.on_delete, one.delete_columns)
    kind = "referential action"
    yield _part("constraint", kind, table, one.name, clauses.action(one, "delete"), deleting, aspect="on_delete")
    yield _part("constraint", kind, table, one.name, clauses.action(one, "update"), one.on_update, aspect="on_update")


def _belongings(thing: Table | View) -> Iterator[Promised]:
    for index in thing.indexes:
        yield _part("index", index_kind(thing, index), thing.name, index.name, clauses.index(index), index)
    for trigger in thing.triggers:
        yield _part("trigger", "trigger", thing.name, trigger.name, clauses.trigger(trigger), trigger)
    for rule in thing.rules:
        yield _part("rule", "rule", thing.name, rule.name, clauses.rule(rule), rule)


def index_kind(thing: Table | View, index: Index) -> str:
    """Which kind of promise an index of a table or view is."""
    if index.unique:
        return "unique index"
    vectors = {column.name for column in thing.columns if column.type == "tsvector"}
    searching = any("to_tsvector(" in key.expression or key.column in vectors for key in index.keys)
    return "full text" if searching and index.method in {"gin", "gist"} else "index"


def _view(view: View) -> Iterator[Promised]:
    kind = "materialised view" if view.materialized else "view"
    bare = replace(view, indexes=(), triggers=(), rules=())
    promise = _named("view", view, ids.view_id, clauses.view(view), bare)
    yield replace(promise, kind=kind, body=view.definition)
    yield from _belongings(view)
