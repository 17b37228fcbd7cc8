"""Columns changed by one small thing: their type, what they take, what they get by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pgcontract.model import Catalog, Column, Name
from pgcontract.promises.mutants.base import Mutant, alter, alter_column, quoted
from pgcontract.promises.mutants.expressions import variants

_LIMITED: Final = re.compile(
    r"(character varying|character|bit varying|bit|numeric|timestamp|time|interval)\((\d+)(?:,(-?\d+))?\)(.*)",
    re.DOTALL,
)
_WIDER: Final = {
    "smallint": "integer",
    "integer": "bigint",
    "bigint": "numeric",
    "real": "double precision",
    "date": "timestamp",
    "uuid": "text",
    "boolean": "text",
    "jsonb": "json",
    "inet": "text",
    "cidr": "inet",
    "citext": "text",
    "timestamp with time zone": "text",
    "timestamp without time zone": "timestamp with time zone",
    "bytea": "text",
    "double precision": "numeric",
    "json": "text",
}
_NARROWER: Final = {
    "bigint": "integer",
    "integer": "smallint",
    "text": "character varying(20)",
    "double precision": "real",
    "timestamp with time zone": "timestamp(0) with time zone",
    "timestamp without time zone": "timestamp(0)",
    "numeric": "numeric(8,2)",
    "character varying": "character varying(20)",
    "json": "jsonb",
    "inet": "cidr",
}
_NUMBER: Final = ("({}) + 1", "({}) - 1")
_TIME: Final = ("({}) - interval '1 day'", "clock_timestamp()")
_DAY: Final = ("({}) - interval '1 day'", "({}) + interval '1 day'")
"""A clock that goes on is no other day within a transaction."""
_TEXT: Final = ("({})::text || 'x'", "''")
_JSON: Final = ("'[\"mutant\"]'",)
_DEFAULTS: Final = {
    "boolean": ("true", "false"),
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric", "real", "double precision"), _NUMBER),
    **dict.fromkeys(("timestamp with time zone", "timestamp without time zone", "timestamp"), _TIME),
    "date": _DAY,
    "uuid": ("'00000000-0000-4000-8000-000000000000'::uuid",),
    **dict.fromkeys(("text", "character varying", "character"), _TEXT),
    **dict.fromkeys(("json", "jsonb"), _JSON),
}
"""Other defaults by type; ``{}`` stands for the one that there is."""


def type_mutants(table: Name, one: Column) -> Iterator[Mutant]:
    """A type that takes a little more, and one that takes a little less."""
    for operator, types in (("widen_type", wider(one.type)), ("narrow_type", narrower(one.type))):
        for type_ in types:
            change = f"TYPE {type_} USING {quoted(one.name)}::{type_}"
            yield Mutant(operator, f"{one.name} {type_}", (alter_column(table, one.name, change),))


def wider(type_: str) -> list[str]:
    """Types that take a little more."""
    array = "[]" if type_.endswith("[]") else ""
    bare = type_.removesuffix("[]")
    if found := _LIMITED.fullmatch(bare):
        name, first, second, rest = found.groups()
        scale = f",{second}" if second is not None else ""
        more = [f"{name}({int(first) + 1}{scale}){rest}{array}"]
        return [*more, f"numeric({int(first) + 1},{int(second) + 1}){array}"] if second is not None else more
    return [_WIDER[bare] + array] if bare in _WIDER else []


def narrower(type_: str) -> list[str]:
    """Types that take a little less."""
    array = "[]" if type_.endswith("[]") else ""
    bare = type_.removesuffix("[]")
    if found := _LIMITED.fullmatch(bare):
        name, first, second, rest = found.groups()
        if int(first) <= 1:
            return []
        if second is None:
            return [f"{name}({int(first) - 1}){rest}{array}"]
        fewer = [f"numeric({int(first) - 1},{second}){array}"]
        return [*fewer, f"numeric({first},{int(second) - 1}){array}"] if int(second) > 0 else fewer
    return [_NARROWER[bare] + array] if bare in _NARROWER else []


def default_mutants(catalog: Catalog, table: Name, one: Column) -> Iterator[Mutant]:
    """No default, and another one."""
    yield Mutant("drop_default", one.name, (alter_column(table, one.name, "DROP DEFAULT"),))
    for other in other_defaults(catalog, one):
        yield Mutant(
            "change_default", f"{one.name} to {other}", (alter_column(table, one.name, f"SET DEFAULT {other}"),)
        )


def other_defaults(catalog: Catalog, one: Column) -> list[str]:
    """Defaults that give another value."""
    expression, bare = one.default or "", one.type.split("(")[0]
    labels = next((e.labels for e in catalog.enums if _is(one.type, e.name)), ())
    other = [label for label in labels if not expression.startswith(_text(label))]
    if other:
        return [f"{_text(other[0])}::{one.type}"]
    if expression.startswith("nextval("):
        return ["1"]
    if bare in _DEFAULTS:
        return [other.format(expression) for other in _DEFAULTS[bare] if other != expression]
    return [f"array_append({expression}, NULL)"] if one.type.endswith("[]") else []


def generated_mutants(table: Name, one: Column) -> Iterator[Mutant]:
    """A stored column that is no more generated, and one that is made otherwise; a virtual one is made anew."""
    if not one.virtual:
        yield Mutant("drop_expression", one.name, (alter_column(table, one.name, "DROP EXPRESSION"),))
    kind = "VIRTUAL" if one.virtual else "STORED"
    expression = one.generated or ""
    others = ((text, same) for _, text, same in variants(expression))
    for other, same in (("NULL", None), *others):
        added = f"ADD COLUMN {quoted(one.name)} {one.type} GENERATED ALWAYS AS (({other})::{one.type}) {kind}"
        ddl = (alter(table, f"DROP COLUMN {quoted(one.name)}"), alter(table, added))
        yield Mutant("change_expression", f"{one.name} to {other}", ddl, same)


def identity_mutants(table: Name, one: Column) -> Iterator[Mutant]:
    """A column that counts no more, and one that takes what it is given, or takes nothing."""
    yield Mutant("drop_identity", one.name, (alter_column(table, one.name, "DROP IDENTITY"),))
    other = "BY DEFAULT" if one.identity == "ALWAYS" else "ALWAYS"
    yield Mutant("change_identity", f"{one.name} {other}", (alter_column(table, one.name, f"SET GENERATED {other}"),))


def _is(type_: str, name: Name) -> bool:
    return type_.removesuffix("[]").replace('"', "") in {f"{name.namespace}.{name.name}", name.name}


def _text(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"
