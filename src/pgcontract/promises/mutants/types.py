"""Types of the schema's own changed by one small thing: an enum's labels, a domain's checks."""

from __future__ import annotations

from collections.abc import Iterator

from pgcontract.model import Check, Domain, Enum
from pgcontract.promises.mutants.base import Mutant, quoted
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
