"""Types of the schema's own changed by one small thing: an enum's labels, a domain's checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pgcontract.model import Catalog, Check, Column, Composite, Domain, Enum, Name, RangeType
from pgcontract.promises.mutants.base import Mutant, alter_column, quoted
from pgcontract.promises.mutants.columns import narrower, other_defaults, wider
from pgcontract.promises.mutants.expressions import variants
from pgcontract.rows.statements import Statement, identifier, quote


def enum_mutants(enum: Enum) -> Iterator[Mutant]:
    """A label more, and labels of other names."""
    name = identifier(enum.name).as_string()
    yield Mutant("add_label", "mutant", (Statement(f"ALTER TYPE {name} ADD VALUE 'mutant'"),), committed=True)
    for label in enum.labels:
        change = f"ALTER TYPE {name} RENAME VALUE {quote(label)} TO {quote(label + '_mutant')}"
        yield Mutant("rename_label", label, (Statement(change),))


def domain_check_mutants(domain: Domain, check: Check) -> Iterator[Mutant]:
    """A domain's CHECK gone, or one change away."""
    name, constraint = identifier(domain.name).as_string(), quoted(check.name)
    dropped = Statement(f"ALTER DOMAIN {name} DROP CONSTRAINT {constraint}")
    yield Mutant("drop_check", check.name, (dropped,))
    for operator, expression, same in variants(check.expression):
        added = Statement(f"ALTER DOMAIN {name} ADD CONSTRAINT {constraint} CHECK ({expression})")
        yield Mutant(operator, f"{check.name} to {expression}", (dropped, added), equivalent=same)


def domain_null_mutant(domain: Domain) -> Mutant:
    """NOT NULL gone, or come."""
    name = identifier(domain.name).as_string()
    if domain.not_null:
        return Mutant("drop_not_null", str(domain.name), (Statement(f"ALTER DOMAIN {name} DROP NOT NULL"),))
    return Mutant("add_not_null", str(domain.name), (Statement(f"ALTER DOMAIN {name} SET NOT NULL"),))


def domain_default_mutants(catalog: Catalog, domain: Domain) -> Iterator[Mutant]:
    """A domain's default gone, come, or another."""
    name = identifier(domain.name).as_string()
    if domain.default is not None:
        yield Mutant("drop_default", str(domain.name), (Statement(f"ALTER DOMAIN {name} DROP DEFAULT"),))
    column = Column(domain.name.name, domain.type, default=domain.default or f"NULL::{domain.type}")
    for other in other_defaults(catalog, column) if domain.default is not None else ():
        change = Statement(f"ALTER DOMAIN {name} SET DEFAULT {other}")
        yield Mutant("change_default", f"{domain.name} to {other}", (change,))


def domain_type_mutants(catalog: Catalog, domain: Domain) -> Iterator[Mutant]:
    """A domain over a type that takes a little more, or less: another one, to which all columns go."""
    name, old = identifier(domain.name).as_string(), Name(domain.name.namespace, f"{domain.name.name} replaced")
    rest = f" DEFAULT {domain.default}" if domain.default is not None else ""
    rest += " NOT NULL" if domain.not_null else ""
    rest += "".join(f" CONSTRAINT {quoted(c.name)} CHECK ({c.expression})" for c in domain.checks)
    collation = f" COLLATE {domain.collation}" if domain.collation else ""
    printed = {f"{domain.name.namespace}.{domain.name.name}", name.replace('"', ""), name}
    columns = [(t.name, c.name) for t in catalog.tables for c in t.columns if c.type in printed]
    for operator, types in (("widen_type", wider(domain.type)), ("narrow_type", narrower(domain.type))):
        for type_ in types:
            ddl = (
                Statement(f"ALTER DOMAIN {name} RENAME TO {quoted(old.name)}"),
                Statement(f"CREATE DOMAIN {name} AS {type_}{collation}{rest}"),
                *(alter_column(t, c, f"TYPE {name} USING {quoted(c)}::{type_}") for t, c in columns),
                Statement(f"DROP DOMAIN {identifier(old).as_string()}"),
            )
            yield Mutant(operator, f"{domain.name} {type_}", ddl)


def composite_mutants(composite: Composite) -> Iterator[Mutant]:
    """An attribute more, one less, one of another name, one of another type."""
    name = identifier(composite.name).as_string()

    def altered(operator: str, what: str, change: str) -> Mutant:
        return Mutant(operator, what, (Statement(f"ALTER TYPE {name} {change}"),))

    yield altered("add_attribute", "mutant", "ADD ATTRIBUTE mutant integer")
    for one in composite.attributes:
        own = quoted(one.name)
        yield altered("drop_attribute", one.name, f"DROP ATTRIBUTE {own}")
        yield altered("rename_attribute", one.name, f"RENAME ATTRIBUTE {own} TO {quoted(one.name + '_mutant')}")
        collation = f" COLLATE {one.collation}" if one.collation else ""
        for operator, types in (("widen_type", wider(one.type)), ("narrow_type", narrower(one.type))):
            for type_ in types:
                yield altered(operator, f"{one.name} {type_}", f"ALTER ATTRIBUTE {own} TYPE {type_}{collation}")


def range_mutants(one: RangeType) -> Iterator[Mutant]:
    """A range type gone, over another type, with a multirange of another name, without its difference."""
    name, multirange = identifier(one.name).as_string(), identifier(one.multirange).as_string()
    gone = Statement(f"DROP TYPE {name}")
    yield Mutant("drop_range", str(one.name), (gone,))
    renamed = Statement(f"ALTER TYPE {multirange} RENAME TO {quoted(one.multirange.name + '_mutant')}")
    yield Mutant("rename_multirange", str(one.multirange), (renamed,))
    for operator, types in (("widen_type", wider(one.subtype)), ("narrow_type", narrower(one.subtype))):
        for type_ in types:
            # what orders and measures one type is not for another
            bare = {"subtype": type_, "multirange_type_name": multirange}
            yield Mutant(operator, f"{one.name} {type_}", (gone, _create_range(name, bare)))
    options = {
        "subtype": one.subtype,
        "multirange_type_name": multirange,
        "subtype_opclass": one.opclass,
        "collation": one.collation,
        "subtype_diff": one.difference,
    }
    if one.difference is not None and one.canonical is None:
        same = "a subtype_diff tells GiST how to divide its pages: no answer hangs on it"
        ddl = (gone, _create_range(name, options | {"subtype_diff": None}))
        yield Mutant("drop_difference", one.difference, ddl, equivalent=same)
    if one.opclass is not None and one.canonical is None:
        ddl = (gone, _create_range(name, options | {"subtype_opclass": None}))
        yield Mutant("drop_opclass", one.opclass, ddl)


def _create_range(name: str, options: Mapping[str, str | None]) -> Statement:
    given = ", ".join(f"{word} = {value}" for word, value in options.items() if value)
    return Statement(f"CREATE TYPE {name} AS RANGE ({given})")
