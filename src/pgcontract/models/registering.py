"""What psycopg must be told of a schema's types, so that it gives the classes' values and not texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pgcontract.model import Catalog, Name, Table, View
from pgcontract.values.naming import domains_of, parse_type, qualified, without_modifier

Kind = Literal["enum", "range", "multirange", "composite", "text", "domain"]

# psycopg knows the arrays of all the server's own types but these
_UNKNOWN_ARRAYS: Final = frozenset({"pg_snapshot"})
# a domain takes over what its base type is loaded by: that must be known by then
_ORDER: Final = ("enum", "range", "multirange", "composite", "text", "domain")


@dataclass(frozen=True, slots=True)
class Registered:
    """A type to be told of. ``base`` is what a domain is made of in the end."""

    kind: Kind
    type: str
    name: Name | None = None
    base: str | None = None


def registered(columns: Iterable[str], catalog: Catalog) -> list[Registered]:
    """All that values of columns of these types are made of, and that psycopg does not know by itself."""
    shapes = _Shapes(catalog)
    found: dict[str, Registered] = {}
    seen: set[str] = set()
    waiting = [shapes.base(text) for text in columns]
    while waiting:
        text = waiting.pop()
        if text in seen:
            continue
        seen.add(text)
        told = shapes.told(text)
        if told is not None:
            found[text] = told
        for inner in shapes.inner(text):
            # a column's own domain comes over the wire as its base type; within a value it keeps its name
            if domains_of(inner, catalog):
                found[inner] = Registered("domain", inner, base=shapes.base(inner))
            waiting.append(shapes.base(inner))
        element = shapes.base(text.removesuffix("[]"))
        if text.endswith("[]") and shapes.is_foreign(element):
            found[element] = Registered("text", element)
    return sorted(found.values(), key=lambda told: (_ORDER.index(told.kind), told.type))


@dataclass(frozen=True, slots=True)
class _Shapes:
    catalog: Catalog

    def base(self, text: str) -> str:
        """A type without modifiers; of a domain, what it is made of in the end."""
        domains = domains_of(text, self.catalog)
        return without_modifier(domains[-1].type if domains else text)

    def told(self, text: str) -> Registered | None:
        name = qualified(text)
        if name is None:
            return None
        if any(name == enum.name for enum in self.catalog.enums):
            return Registered("enum", text, name)
        if name in self._rows():
            return Registered("composite", text, name)
        for kind in self.catalog.ranges:
            if name == kind.name:
                return Registered("range", text)
            if name == kind.multirange:
                return Registered("multirange", text)
        return None

    def inner(self, text: str) -> list[str]:
        """The types that a value of a type holds, as the catalog calls them."""
        if text.endswith("[]"):
            return [without_modifier(text.removesuffix("[]"))]
        name = qualified(text)
        if name is None:
            return []
        ranges = [r.subtype for r in self.catalog.ranges if name in {r.name, r.multirange}]
        return [without_modifier(inner) for inner in (*self._rows().get(name, ()), *ranges)]

    def is_foreign(self, element: str) -> bool:
        """Whether it is of an extension, or one of the server's own few that psycopg does not know arrays of."""
        if qualified(element) is None:
            return parse_type(element).base in _UNKNOWN_ARRAYS
        return self.told(element) is None

    def _rows(self) -> Mapping[Name, list[str]]:
        relations: list[Table | View] = [*self.catalog.tables, *self.catalog.views]
        return {
            **{t.name: [c.type for c in t.columns] for t in relations},
            **{c.name: [a.type for a in c.attributes] for c in self.catalog.composites},
        }
