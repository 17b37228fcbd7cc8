"""Contract -> contract.toml. One promise a line, so that a change of one promise is a change of one line. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from pgcontract.contract.fields import encode
from pgcontract.contract.toml import Plain, key, line, string, text_block, value
from pgcontract.errors import ContractError
from pgcontract.model import (
    Catalog,
    DefaultPrivilege,
    Domain,
    Function,
    Grant,
    Index,
    Policy,
    Rule,
    Table,
    Trigger,
    View,
)

HEADER = """\
# What this schema promises, as its own catalog says it. `pgcontract freeze` writes this file, `pgcontract diff`
# compares a database with it, `pgcontract verify` proves it. Review a change here as you review a change of the schema.
"""

T = TypeVar("T")

BTREE = "btree"

NAME = frozenset({"name"})
PARTS = frozenset(
    {"columns", "keys", "checks", "foreign_keys", "exclusions", "indexes", "triggers", "policies", "rules"}
)
KEY_LINE = frozenset({"name", "columns", "primary"})
EXCLUSION_LINE = frozenset({"method", "keys", "include", "predicate"})
ACTIONS = frozenset({"on_delete", "on_update"})


def dumps(catalog: Catalog, *, system: str, version: int) -> str:
    """The whole file."""
    lines = [HEADER, line(["format"], version), line(["system"], system)]
    lines += ["namespaces = ["] + [f"    {string(name)}," for name in catalog.namespaces] + ["]"]
    for path, body in _sections(catalog):
        lines += ["", f"[{key(*path)}]", *_distinct(path, body)]
    # A file that was cut off at the end of a line is still TOML: without this it would be a smaller contract.
    lines += ["", "[end]", ""]
    return "\n".join(lines)


Section = tuple[Sequence[str], list[tuple[str, str]]]


def _apart(path: Sequence[str], named: list[tuple[str, T]]) -> list[tuple[str, T]]:
    """The named things, of which no two may share a name: they would be one thing in the file."""
    for (name, _), (following, _) in pairwise(named):
        if name == following:
            raise ContractError(
                "Two things of one kind have the same name.", where=key(*path), seen=name, remedy="Rename one of them."
            )
    return named


def _distinct(path: Sequence[str], body: Iterable[tuple[str, str]]) -> Iterator[str]:
    lines = list(body)
    _apart(path, sorted(lines))
    for name, rendered in lines:
        yield f"{name} = {rendered}"


def _entry(path: Sequence[str], plain: Plain) -> tuple[str, str]:
    return key(*path), value(plain)


def _sections(catalog: Catalog) -> Iterator[Section]:
    yield from _filled(("extensions",), [_entry([e.name], e.namespace) for e in catalog.extensions])
    yield from _filled(("enums",), [_entry(_parts(e), list(e.labels)) for e in catalog.enums])
    for domain in catalog.domains:
        yield from _domain(domain)
    for composite in catalog.composites:
        yield ("composites", *_parts(composite)), _columns(composite.attributes)
    yield from _filled(("ranges",), [_entry(_parts(r), encode(r, leave_out=NAME)) for r in catalog.ranges])
    yield from _filled(("collations",), [_entry(_parts(c), encode(c, leave_out=NAME)) for c in catalog.collations])
    yield from _filled(
        ("sequences",),
        [_entry(_parts(s), encode(s, leave_out=NAME, always=frozenset({"type"}))) for s in catalog.sequences],
    )
    for function in catalog.functions:
        yield _function(function)
    for table in catalog.tables:
        yield from _table(table)
    for view in catalog.views:
        yield from _view(view)
    yield from _grants(catalog.grants)
    yield from _default_privileges(catalog.default_privileges)


def _parts(thing: Any) -> tuple[str, str]:
    return thing.name.namespace, thing.name.name


def _filled(path: Sequence[str], body: list[tuple[str, str]]) -> Iterator[Section]:
    if body:
        yield path, body


def _domain(domain: Domain) -> Iterator[Section]:
    path = ("domains", *_parts(domain))
    yield path, [_entry([name], item) for name, item in encode(domain, leave_out=NAME | {"checks"}).items()]
    yield from _filled((*path, "constraints"), [entry for check in domain.checks for entry in _check(check)])


def _function(function: Function) -> Section:
    named = f"{function.name.name}({function.arguments})"
    body: list[tuple[str, str]] = []
    if split_function(named) != (function.name.name, function.arguments):
        body += [_entry(["name"], function.name.name), _entry(["arguments"], function.arguments)]
    found = encode(
        function, leave_out=frozenset({"name", "arguments", "signature", "body"}), always=frozenset({"language"})
    )
    if function.signature != function.arguments:
        body.append(_entry(["signature"], function.signature))
    body += [_entry([name], item) for name, item in found.items()]
    body.append(("body", _text(function.body)))
    return ("functions", function.name.namespace, named), body


def split_function(text: str) -> tuple[str, str] | None:
    """Name and arguments out of ``name(arguments)``, where that is unambiguous."""
    name, opened, rest = text.partition("(")
    return (name, rest.removesuffix(")")) if opened and rest.endswith(")") else None


def _text(text: str) -> str:
    return text_block(text) if "\n" in text else string(text)


def _columns(columns: Iterable[Any], *, always: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    return [
        _entry([column.name, name], item)
        for column in columns
        for name, item in encode(column, leave_out=NAME, always=always).items()
    ]


def _table(table: Table) -> Iterator[Section]:
    path = ("tables", *_parts(table))
    own = [_entry([name], item) for name, item in encode(table, leave_out=PARTS | NAME).items()]
    constraints = sorted(
        [
            *((k.name, _key(k)) for k in table.keys),
            *((c.name, _check(c)) for c in table.checks),
            *((f.name, _foreign_key(f)) for f in table.foreign_keys),
            *((e.name, _exclusion(e)) for e in table.exclusions),
        ]
    )
    parts = [
        ("columns", _columns(table.columns, always=frozenset({"not_null"}))),
        ("constraints", [entry for _, entries in _apart(path, constraints) for entry in entries]),
        *_belongings(table),
    ]
    # A header of its own only where there is something to say, or nothing else that would show that the table is there.
    if own or not any(body for _, body in parts):
        yield path, own
    for name, body in parts:
        yield from _filled((*path, name), body)


def _belongings(thing: Table | View) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    kinds = (
        ("indexes", "triggers", "policies", "rules") if isinstance(thing, Table) else ("indexes", "triggers", "rules")
    )
    for kind in kinds:
        yield kind, [_entry([one.name], _belonging(one)) for one in getattr(thing, kind)]


def _belonging(one: Index | Trigger | Policy | Rule) -> Plain:
    if isinstance(one, Policy):
        return encode(one, leave_out=NAME, always=frozenset({"command", "roles"}))
    found = encode(one, leave_out=NAME)
    if isinstance(one, Index):
        # The keys are what a reader looks for; btree goes without saying, as in CREATE INDEX.
        method = found.pop("method")
        found = {"keys": found.pop("keys")} | ({} if method == BTREE else {"method": method}) | found
    return found


def _key(one: Any) -> list[tuple[str, str]]:
    more = encode(one, leave_out=KEY_LINE)
    return [
        _entry([one.name, "primary_key" if one.primary else "unique"], list(one.columns)),
        *(_entry([one.name, name], item) for name, item in more.items()),
    ]


def _check(one: Any) -> list[tuple[str, str]]:
    more = encode(one, leave_out=frozenset({"name", "expression"}))
    return [
        _entry([one.name, "check"], one.expression),
        *(_entry([one.name, name], item) for name, item in more.items()),
    ]


def _foreign_key(one: Any) -> list[tuple[str, str]]:
    found = encode(one, leave_out=NAME, always=ACTIONS)
    return [
        _entry([one.name, "foreign_key"], {name: found.pop(name) for name in ("columns", "references", "keys")}),
        *(_entry([one.name, name], item) for name, item in found.items()),
    ]


def _exclusion(one: Any) -> list[tuple[str, str]]:
    found = encode(one, leave_out=NAME)
    return [
        _entry([one.name, "exclude"], {name: found.pop(name) for name in list(found) if name in EXCLUSION_LINE}),
        *(_entry([one.name, name], item) for name, item in found.items()),
    ]


def _view(view: View) -> Iterator[Section]:
    path = ("views", *_parts(view))
    found = encode(view, leave_out=PARTS | NAME | {"definition"})
    yield path, [*(_entry([name], item) for name, item in found.items()), ("definition", _text(view.definition))]
    yield from _filled((*path, "columns"), _columns(view.columns))
    for name, body in _belongings(view):
        yield from _filled((*path, name), body)


def _grants(grants: Sequence[Grant]) -> Iterator[Section]:
    for verb, revoked in (("grants", False), ("revoked", True)):
        for kind in sorted({grant.kind for grant in grants}):
            chosen = [g for g in grants if g.kind == kind and g.revoked == revoked]
            body = [_entry([g.object, g.grantee], _privileges(g)) for g in chosen]
            yield from _filled((verb, kind.lower()), body)


def _default_privileges(privileges: Sequence[DefaultPrivilege]) -> Iterator[Section]:
    for verb, revoked in (("default_privileges", False), ("default_revoked", True)):
        chosen = [p for p in privileges if p.revoked == revoked]
        everywhere = [_entry([p.kind.lower(), p.grantee], _privileges(p)) for p in chosen if p.namespace is None]
        yield from _filled((verb, "everywhere"), everywhere)
        inside = [
            _entry([p.namespace, p.kind.lower(), p.grantee], _privileges(p)) for p in chosen if p.namespace is not None
        ]
        yield from _filled((verb, "inside"), inside)


def _privileges(one: Grant | DefaultPrivilege) -> Plain:
    if one.grantable:
        return {"privileges": list(one.privileges), "grantable": list(one.grantable)}
    return list(one.privileges)
