"""Composite types: their attributes by name and type, and literals that come back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from psycopg import sql

from pgcontract.contract import type_id
from pgcontract.model import Catalog, Composite, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.column_type import DATA_EXCEPTION
from pgcontract.promises.facts import Fact, exists, listed, yes
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.types import composite_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, Value, identifier
from pgcontract.rows.worlds import Worlds
from pgcontract.values.space import Space
from pgcontract.values.types import UnknownType, space

INVALID_TEXT = "22P02"
_ATTRIBUTES = (
    "ARRAY(SELECT a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute AS a"
    " WHERE a.attrelid = c.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)"
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """A free-standing composite type."""

    composite: Composite

    kind = "composite type"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def table(self) -> Name:
        """The type's own name."""
        return self.composite.name

    @property
    def id(self) -> str:
        """``address``."""
        return type_id(self.composite.name)

    @property
    def clause(self) -> str:
        """``TYPE AS (street text, …)``."""
        return f"TYPE AS ({', '.join(f'{a.name} {a.type}' for a in self.composite.attributes)})"

    def accepts(self, worlds: Worlds) -> Cases:
        """Each attribute gives what was put in, also when the whole was a text in between."""
        found = self._spaces(worlds)
        if found is None:
            return Cases((self._facts(),), notes=("no values were made for its attributes",))
        simplest = tuple(s.simplest for s in found)
        rows: list[tuple[Value, ...]] = [simplest, tuple(None for _ in found)]
        for number, one in enumerate(found):
            rows += [(*simplest[:number], v, *simplest[number + 1 :]) for v in one.boundaries]
        drawn = st.tuples(*((st.none() | s.strategy) if s.nullable else s.strategy for s in found))
        good = [row for row in rows if all(v is not None or s.nullable for v, s in zip(row, found, strict=True))]
        return Cases((self._facts(), *map(self._same, good)), drawn.map(self._same))

    def rejects(self, worlds: Worlds) -> Cases:
        """A field too many; a field that is no value of its attribute's type."""
        always = [self._violation("(" + "," * len(self.composite.attributes) + ")", INVALID_TEXT)]
        found = self._spaces(worlds) or ()
        for number, one in enumerate(found):
            for bad in one.refused:
                if isinstance(bad.literal, str):
                    fields = [s.simplest for s in found]
                    fields[number] = bad.literal
                    always.append(self._violation("(" + ",".join(map(_field, fields)) + ")", bad.sqlstate))
        return Cases(tuple(always))

    def _spaces(self, worlds: Worlds) -> tuple[Space, ...] | None:
        try:
            return tuple(space(a.type, worlds.catalog) for a in self.composite.attributes)
        except UnknownType:
            return None

    def _facts(self) -> Change:
        wanted = sql.Literal(listed(f"{a.name} {a.type}" for a in self.composite.attributes)).as_string()
        facts: dict[str, Fact] = {
            "is_composite": ("c.typtype", "c"),
            "attributes": (f"{_ATTRIBUTES} = {wanted}::text[]", yes(True)),
        }
        return exists("pg_type", self.composite.name, facts)

    def _same(self, row: tuple[Value, ...]) -> Change:
        name = identifier(self.composite.name).as_string()
        attributes, count = self.composite.attributes, len(row)
        given = ", ".join(f"${n}::{a.type}" for n, a in enumerate(attributes, 1))
        shown = [
            f"(r).{_quoted(a.name)}::text IS NOT DISTINCT FROM (${n}::{a.type})::text AS {_quoted(f'same {n}')}"
            for n, a in enumerate(attributes, count + 1)
        ]
        shown.append(f"((r::text)::{name})::text IS NOT DISTINCT FROM r::text AS same_literal")
        text = f"SELECT {', '.join(shown)} FROM (SELECT ROW({given})::{name} AS r) AS made"
        return Change((Statement(text, (*row, *row)),))

    def _violation(self, literal: str, sqlstate: str) -> Violation:
        name = identifier(self.composite.name).as_string()
        return Violation((Statement(f"SELECT $1::{name}", (literal,)),), sqlstates=frozenset([sqlstate]))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """An attribute more, one less, or one of another name or type."""
        del catalog
        return composite_mutants(self.composite)

    def owns(self, refusal: Refusal) -> bool:
        """Data exceptions: nothing else is in the statement."""
        return refusal.sqlstate.startswith(DATA_EXCEPTION)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the type."""
        return any(c.name == self.composite.name for c in worlds.catalog.composites)


def _field(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def promises(catalog: Catalog) -> Iterator[Attributes]:
    """Every free-standing composite type."""
    return map(Attributes, catalog.composites)
