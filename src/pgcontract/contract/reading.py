"""contract.toml -> Contract, strictly: what is not understood is an error, never left out. No I/O."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, TypeVar

from pgcontract.contract.fields import Mismatch, fields_of
from pgcontract.contract.sections import Section
from pgcontract.contract.writing import BTREE, EXCLUSION_LINE, split_function
from pgcontract.errors import ContractError
from pgcontract.model import (
    Catalog,
    Check,
    Collation,
    Column,
    Composite,
    DefaultPrivilege,
    Domain,
    Enum,
    Exclusion,
    Extension,
    ForeignKey,
    Function,
    Grant,
    Index,
    Key,
    Name,
    Policy,
    RangeType,
    Rule,
    Sequence,
    Table,
    Trigger,
    View,
)

T = TypeVar("T")

by_name = attrgetter("name")

TEXTS: Callable[[Any], tuple[str, ...]] = fields_of(Key)["columns"].decode
TEXT: Callable[[Any], str] = fields_of(Check)["expression"].decode
NUMBER: Callable[[Any], int] = fields_of(Sequence)["start"].decode
KEY_KINDS = ("primary_key", "unique")


def loads(text: str, *, where: str, newest: int) -> tuple[str, int, Catalog]:
    """System, format and catalog. Raises ContractError."""
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContractError(
            "The contract is not valid TOML; it may have been cut off.",
            where=where,
            seen=str(error),
            remedy="Get it back from version control, or write it anew with `pgcontract freeze`.",
        ) from error
    root = Section(plain, (), where=where, text=text)
    version = root.take("format", NUMBER)
    if not 1 <= version <= newest:
        root.fail(
            "The contract is of a format that this version does not know.",
            "format",
            seen=version,
            remedy=f"Formats 1 to {newest} are known: update pgcontract, or write the contract anew.",
        )
    if "end" not in root:
        root.fail(
            "The contract was cut off: its last section, [end], is missing.",
            remedy="Get it back from version control, or write it anew with `pgcontract freeze`.",
        )
    root.section("end").close()
    system = root.take("system", TEXT)
    catalog = Catalog(
        namespaces=root.take("namespaces", TEXTS),
        extensions=_sorted(_extension(root.section("extensions"))),
        enums=_sorted(_lines(root.section("enums"), _enum)),
        domains=_sorted(_domain(name, one) for name, one in _named(root.section("domains"))),
        composites=_sorted(Composite(name, _columns(one)) for name, one in _named(root.section("composites"))),
        ranges=_sorted(_whole(RangeType, name, one) for name, one in _named(root.section("ranges"))),
        collations=_sorted(_whole(Collation, name, one) for name, one in _named(root.section("collations"))),
        sequences=_sorted(_whole(Sequence, name, one) for name, one in _named(root.section("sequences"))),
        functions=_functions(root.section("functions")),
        tables=_sorted(_table(name, one) for name, one in _named(root.section("tables"))),
        views=_sorted(_view(name, one) for name, one in _named(root.section("views"))),
        grants=_grants(root),
        default_privileges=_default_privileges(root),
    )
    root.close()
    return system, version, catalog


def _sorted(things: Iterator[T]) -> tuple[T, ...]:
    return tuple(sorted(things, key=by_name))


def _named(section: Section) -> Iterator[tuple[Name, Section]]:
    """Tables that stand two levels deep: schema, then name."""
    for namespace, inside in section.sections():
        for name, one in inside.sections():
            yield Name(namespace, name), one


def _lines(section: Section, make: Callable[[Name, Section, str, Any], T]) -> Iterator[T]:
    for namespace, inside in section.sections():
        for name, plain in inside.items():
            yield make(Name(namespace, name), inside, name, plain)


def _whole(cls: Callable[..., T], name: Any, section: Section) -> T:
    assert isinstance(cls, type)
    made: T = cls(**section.fields(cls, name=name))
    section.close()
    return made


def _decoded(section: Section, name: str, plain: Any, decode: Callable[[Any], T]) -> T:
    try:
        return decode(plain)
    except Mismatch as error:
        section.fail(f"{name} must be {error.wanted}.", name, seen=error.seen)


def _extension(section: Section) -> Iterator[Extension]:
    for name, plain in section.items():
        yield Extension(name, _decoded(section, name, plain, TEXT))


def _enum(name: Name, section: Section, key: str, plain: Any) -> Enum:
    return Enum(name, _decoded(section, key, plain, TEXTS))


def _columns(section: Section) -> tuple[Column, ...]:
    return tuple(_whole(Column, name, one) for name, one in section.sections())


def _domain(name: Name, section: Section) -> Domain:
    checks = _sorted(_check(n, one) for n, one in section.section("constraints").sections())
    return Domain(**_closed(section, section.fields(Domain, name=name, checks=checks)))


def _closed(section: Section, found: dict[str, Any]) -> dict[str, Any]:
    section.close()
    return found


def _functions(section: Section) -> tuple[Function, ...]:
    made = []
    for (namespace, named), one in ((name_parts(name), one) for name, one in _named(section)):
        name, arguments = split_function(named) or (None, None)
        if "name" in one or name is None:
            name, arguments = one.take("name", TEXT), one.take("arguments", TEXT)
        found = one.fields(
            Function,
            name=Name(namespace, name),
            arguments=arguments,
            signature=one.take("signature", TEXT, arguments),
        )
        made.append(Function(**_closed(one, found)))
    return tuple(sorted(made, key=attrgetter("name", "arguments")))


def name_parts(name: Name) -> tuple[str, str]:
    """Schema and name."""
    return name.namespace, name.name


def _table(name: Name, section: Section) -> Table:
    keys, checks, foreign_keys, exclusions = _constraints(section.section("constraints"))
    found = section.fields(
        Table,
        name=name,
        columns=_columns(section.section("columns")),
        keys=keys,
        checks=checks,
        foreign_keys=foreign_keys,
        exclusions=exclusions,
        indexes=_indexes(section.section("indexes")),
        triggers=_each(Trigger, section.section("triggers")),
        policies=_each(Policy, section.section("policies")),
        rules=_each(Rule, section.section("rules")),
    )
    return Table(**_closed(section, found))


def _view(name: Name, section: Section) -> View:
    found = section.fields(
        View,
        name=name,
        columns=_columns(section.section("columns")),
        indexes=_indexes(section.section("indexes")),
        triggers=_each(Trigger, section.section("triggers")),
        rules=_each(Rule, section.section("rules")),
    )
    return View(**_closed(section, found))


def _each(cls: Callable[..., T], section: Section) -> tuple[T, ...]:
    return _sorted(_whole(cls, name, one) for name, one in section.sections())


def _indexes(section: Section) -> tuple[Index, ...]:
    made = []
    for name, one in section.sections():
        method = one.take("method", TEXT, BTREE)
        made.append(Index(**_closed(one, one.fields(Index, name=name, method=method))))
    return tuple(sorted(made, key=by_name))


def _constraints(
    section: Section,
) -> tuple[tuple[Key, ...], tuple[Check, ...], tuple[ForeignKey, ...], tuple[Exclusion, ...]]:
    keys: list[Key] = []
    checks: list[Check] = []
    foreign_keys: list[ForeignKey] = []
    exclusions: list[Exclusion] = []
    for name, one in section.sections():
        kinds = [kind for kind in (*KEY_KINDS, "check", "foreign_key", "exclude") if kind in one]
        if len(kinds) != 1:
            one.fail(
                "A constraint must be exactly one of primary_key, unique, check, foreign_key or exclude.",
                seen=", ".join(kinds) or "none of them",
            )
        if kinds[0] in KEY_KINDS:
            keys.append(_key(name, one, kinds[0]))
        elif kinds[0] == "check":
            checks.append(_check(name, one))
        elif kinds[0] == "foreign_key":
            foreign_keys.append(_foreign_key(name, one))
        else:
            exclusions.append(_exclusion(name, one))
    return (
        tuple(sorted(keys, key=by_name)),
        tuple(sorted(checks, key=by_name)),
        tuple(sorted(foreign_keys, key=by_name)),
        tuple(sorted(exclusions, key=by_name)),
    )


def _key(name: str, section: Section, kind: str) -> Key:
    columns = section.take(kind, TEXTS)
    return Key(**_closed(section, section.fields(Key, name=name, columns=columns, primary=kind == "primary_key")))


def _check(name: str, section: Section) -> Check:
    expression = section.take("check", TEXT)
    return Check(**_closed(section, section.fields(Check, name=name, expression=expression)))


def _foreign_key(name: str, section: Section) -> ForeignKey:
    inside = section.section("foreign_key")
    line = {
        field: inside.take(field, fields_of(ForeignKey)[field].decode) for field in ("columns", "references", "keys")
    }
    inside.close()
    return ForeignKey(**_closed(section, section.fields(ForeignKey, name=name, **line)))


def _exclusion(name: str, section: Section) -> Exclusion:
    inside = section.section("exclude")
    known = {field: one for field, one in fields_of(Exclusion).items() if field in EXCLUSION_LINE}
    line = {field: inside.take(field, one.decode, one.default) for field, one in known.items()}
    inside.close()
    return Exclusion(**_closed(section, section.fields(Exclusion, name=name, **line)))


def _privileges(section: Section, name: str, plain: Any) -> dict[str, Any]:
    if not isinstance(plain, dict):
        return {"privileges": _decoded(section, name, plain, TEXTS), "grantable": ()}
    unknown = sorted(plain.keys() - {"privileges", "grantable"})
    if unknown or "privileges" not in plain:
        section.fail("A privilege has `privileges` and `grantable`.", name, seen=unknown or plain)
    return {field: _decoded(section, name, plain.get(field, []), TEXTS) for field in ("privileges", "grantable")}


def _grants(root: Section) -> tuple[Grant, ...]:
    made = []
    for verb, revoked in (("grants", False), ("revoked", True)):
        for kind, objects in root.section(verb).sections():
            word = _decoded(objects, "", kind.upper(), fields_of(Grant)["kind"].decode)
            for object_, grantees in objects.sections():
                for grantee, plain in grantees.items():
                    held = _privileges(grantees, grantee, plain)
                    made.append(Grant(kind=word, object=object_, grantee=grantee, revoked=revoked, **held))
    return tuple(sorted(made, key=lambda g: (g.kind, g.object, g.grantee, g.revoked)))


def _default_privileges(root: Section) -> tuple[DefaultPrivilege, ...]:
    made = []
    for verb, revoked in (("default_privileges", False), ("default_revoked", True)):
        section = root.section(verb)
        scopes: list[tuple[str | None, Section]] = [(None, section.section("everywhere"))]
        scopes += section.section("inside").sections()
        section.close()
        for namespace, scope in scopes:
            for kind, grantees in scope.sections():
                word = _decoded(grantees, "", kind.upper(), fields_of(DefaultPrivilege)["kind"].decode)
                for grantee, plain in grantees.items():
                    held = _privileges(grantees, grantee, plain)
                    made.append(
                        DefaultPrivilege(kind=word, grantee=grantee, namespace=namespace, revoked=revoked, **held)
                    )
    return tuple(sorted(made, key=lambda d: (d.kind, d.namespace or "", d.grantee, d.revoked)))
