"""From a column's type to the Python type that psycopg gives for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pgcontract.model import Catalog, Name
from pgcontract.values.naming import domains_of, parse_type, qualified

LOCAL: Final = "."
"""The module of what the generated file itself defines."""
BUILTINS: Final = "builtins"


@dataclass(frozen=True, slots=True)
class Named:
    """A class, and the module that it comes from."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Of:
    """A generic class, and what it holds; ``nullable``: or None."""

    outer: Named
    inner: Annotation
    nullable: bool = False


Annotation: TypeAlias = Named | Of

STR: Final = Named(BUILTINS, "str")
INT: Final = Named(BUILTINS, "int")
DECIMAL: Final = Named("decimal", "Decimal")
DATE: Final = Named("datetime", "date")
DATETIME: Final = Named("datetime", "datetime")
TIME: Final = Named("datetime", "time")
ANY: Final = Named("typing", "Any")
RANGE: Final = Named("psycopg.types.range", "Range")
MULTIRANGE: Final = Named("psycopg.types.multirange", "Multirange")
LIST: Final = Named(BUILTINS, "list")
INET: Final = Named(LOCAL, "Inet")
CIDR: Final = Named(LOCAL, "Cidr")
"""psycopg gives one of several classes: these are names for either of them."""

# what is not here psycopg gives as text: "char", money, bit, xml, tsvector, geometry, reg*, and what extensions bring
_BUILT_IN: Final[Mapping[str, Annotation]] = {
    **dict.fromkeys(("smallint", "integer", "bigint", "oid"), INT),
    **dict.fromkeys(("real", "double precision"), Named(BUILTINS, "float")),
    "numeric": DECIMAL,
    "boolean": Named(BUILTINS, "bool"),
    "bytea": Named(BUILTINS, "bytes"),
    "date": DATE,
    **dict.fromkeys(("time without time zone", "time with time zone"), TIME),
    **dict.fromkeys(("timestamp without time zone", "timestamp with time zone"), DATETIME),
    "interval": Named("datetime", "timedelta"),
    "uuid": Named("uuid", "UUID"),
    **dict.fromkeys(("json", "jsonb"), ANY),
    "inet": INET,
    "cidr": CIDR,
    **{f"int{size}range": Of(RANGE, INT) for size in (4, 8)},
    "numrange": Of(RANGE, DECIMAL),
    "daterange": Of(RANGE, DATE),
    **dict.fromkeys(("tsrange", "tstzrange"), Of(RANGE, DATETIME)),
    **{f"int{size}multirange": Of(MULTIRANGE, INT) for size in (4, 8)},
    "nummultirange": Of(MULTIRANGE, DECIMAL),
    "datemultirange": Of(MULTIRANGE, DATE),
    **dict.fromkeys(("tsmultirange", "tstzmultirange"), Of(MULTIRANGE, DATETIME)),
}


@dataclass(frozen=True, slots=True)
class Types:
    """The types of a schema. ``classes`` holds the generated classes of its enums, composites and tables."""

    catalog: Catalog
    classes: Mapping[Name, str]

    def of(self, text: str, *, holds_null: bool = True) -> Annotation:
        """The Python type of a type's text, as ``format_type`` prints it. ``holds_null``: an array may hold NULLs."""
        domains = domains_of(text, self.catalog)
        if domains:
            return self.of(domains[-1].type)
        parsed = parse_type(text)
        if parsed.array:
            element = text.removesuffix("[]")
            nullable = holds_null and not any(d.not_null for d in domains_of(element, self.catalog))
            return Of(LIST, self.of(element), nullable)
        name = qualified(parsed.base)
        return self._built_in(parsed.base) if name is None else self._own(name)

    def _built_in(self, base: str) -> Annotation:
        return _BUILT_IN.get("interval" if base.startswith("interval") else base, STR)

    def _own(self, name: Name) -> Annotation:
        if name in self.classes:
            return Named(LOCAL, self.classes[name])
        for kind in self.catalog.ranges:
            if name == kind.name:
                return Of(RANGE, self.of(kind.subtype))
            if name == kind.multirange:
                return Of(MULTIRANGE, self.of(kind.subtype))
        # an extension's: psycopg gives its text
        return STR

    def refuses_null(self, text: str) -> bool:
        """Whether a type's own values are never NULL: a domain's that says so."""
        return any(domain.not_null for domain in domains_of(text, self.catalog))
