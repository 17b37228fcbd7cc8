"""Schemas: one is there, and holds what it was frozen with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgcontract.contract import namespace_id
from pgcontract.model import DEFAULT_NAMESPACE, Catalog, Name
from pgcontract.promises.base import Cases, Direction
from pgcontract.promises.facts import Fact, asked, yes
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import identifier, quote
from pgcontract.rows.worlds import Worlds


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with what is found by its name: relations and types."""

    namespace: str
    relations: tuple[Name, ...]
    types: tuple[Name, ...]

    kind = "schema"
    directions = (Direction.ACCEPTS,)

    @property
    def table(self) -> Name:
        """The schema's own name."""
        return Name(DEFAULT_NAMESPACE, self.namespace)

    @property
    def id(self) -> str:
        """``schema audit``."""
        return namespace_id(self.namespace)

    @property
    def clause(self) -> str:
        """``CREATE SCHEMA audit``."""
        return f"CREATE SCHEMA {self.namespace}"

    def accepts(self, worlds: Worlds) -> Cases:
        """The schema is there, and so is everything in it, by its qualified name."""
        del worlds
        facts: dict[str, Fact] = {"is_there": ("true", yes(True))}
        for function, names in (("to_regclass", self.relations), ("to_regtype", self.types)):
            for name in names:
                found = f"pg_catalog.{function}({quote(identifier(name).as_string())}) IS NOT NULL"
                facts[f"holds {name.name}"[:60]] = (found, yes(True))
        return Cases((asked("pg_catalog.pg_namespace AS n", "n.nspname = $1", (self.namespace,), facts),))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """Nothing refuses a look into the catalog."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the schema."""
        return self.namespace in worlds.catalog.namespaces


def promises(catalog: Catalog) -> Iterator[Schema]:
    """Every schema that people made."""
    relations = [thing.name for things in (catalog.tables, catalog.views, catalog.sequences) for thing in things]
    types = [t.name for made in (catalog.enums, catalog.domains, catalog.composites, catalog.ranges) for t in made]
    for namespace in catalog.namespaces:
        yield Schema(
            namespace,
            tuple(name for name in relations if name.namespace == namespace),
            tuple(name for name in types if name.namespace == namespace),
        )
