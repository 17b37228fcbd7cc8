"""Enums, domains, composite types and ranges. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from pgcontract.catalog.columns import check, column
from pgcontract.catalog.words import PROVIDERS
from pgcontract.model import Check, Collation, Column, Composite, Domain, Enum, Name, RangeType

Rows = Mapping[str, Sequence[Any]]

by_name = attrgetter("name")


def enums(rows: Rows) -> tuple[Enum, ...]:
    """Enum types, sorted by name."""
    made = (Enum(Name(row.namespace, row.name), tuple(row.labels)) for row in rows["enums"])
    return tuple(sorted(made, key=by_name))


def domains(rows: Rows) -> tuple[Domain, ...]:
    """Domains with their checks, sorted by name."""
    checks: defaultdict[int, list[Check]] = defaultdict(list)
    for row in rows["constraints"]:
        if row.domain and row.kind == "c":
            checks[row.domain].append(check(row))
    made = (
        Domain(
            name=Name(row.namespace, row.name),
            type=row.type,
            not_null=row.not_null,
            default=row.default_expression,
            collation=row.collation,
            checks=tuple(sorted(checks[row.oid], key=by_name)),
        )
        for row in rows["domains"]
    )
    return tuple(sorted(made, key=by_name))


def composites(rows: Rows) -> tuple[Composite, ...]:
    """Free-standing composite types, sorted by name."""
    attributes: defaultdict[int, list[Column]] = defaultdict(list)
    wanted = {row.relation for row in rows["composites"]}
    for row in rows["columns"]:
        if row.relation in wanted:
            attributes[row.relation].append(column(row))
    made = (Composite(Name(row.namespace, row.name), tuple(attributes[row.relation])) for row in rows["composites"])
    return tuple(sorted(made, key=by_name))


def ranges(rows: Rows) -> tuple[RangeType, ...]:
    """Range types, sorted by name."""
    made = (
        RangeType(
            name=Name(row.namespace, row.name),
            subtype=row.subtype,
            multirange=Name(row.multirange_namespace, row.multirange_name),
            opclass=row.opclass,
            collation=row.collation,
            canonical=row.canonical,
            difference=row.difference,
        )
        for row in rows["ranges"]
    )
    return tuple(sorted(made, key=by_name))


def collations(rows: Rows) -> tuple[Collation, ...]:
    """Collations, sorted by name."""
    made = (
        Collation(
            name=Name(row.namespace, row.name),
            provider=PROVIDERS[row.provider],
            locale=row.locale,
            ctype=row.ctype,
            deterministic=row.deterministic,
            rules=row.rules,
        )
        for row in rows["collations"]
    )
    return tuple(sorted(made, key=by_name))
