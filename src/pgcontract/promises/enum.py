"""Enums: each label is one, in its order; anything else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from pgcontract.contract import type_id
from pgcontract.model import Catalog, Enum, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.types import enum_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, identifier
from pgcontract.rows.worlds import Worlds

INVALID_TEXT = "22P02"


@dataclass(frozen=True, slots=True)
class Labels:
    """An enum's labels."""

    enum: Enum

    kind = "enum"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def table(self) -> Name:
        """The type's own name."""
        return self.enum.name

    @property
    def id(self) -> str:
        """``job_status``."""
        return type_id(self.enum.name)

    @property
    def clause(self) -> str:
        """``ENUM (…)``."""
        return f"ENUM ({', '.join(self.enum.labels)})"

    def accepts(self, worlds: Worlds) -> Cases:
        """Each label comes back unchanged and stands before the next one."""
        del worlds
        name = identifier(self.enum.name).as_string()
        labels = self.enum.labels
        always = [Change((Statement(f"SELECT $1::{name}::text = $2 AS same_label", (a, a)),)) for a in labels]
        always += [
            Change((Statement(f"SELECT $1::{name} < $2::{name} AS in_order", (a, b)),)) for a, b in pairwise(labels)
        ]
        return Cases(tuple(always))

    def rejects(self, worlds: Worlds) -> Cases:
        """Neighbours of labels, empty text, and drawn text."""
        labels = set(self.enum.labels)
        # a label that somebody added is nothing that anybody would draw: the live type tells it
        live = (e.labels for e in worlds.catalog.enums if e.name == self.enum.name)
        near = [
            "",
            *(label for found in live for label in found),
            *(f"{a}x" for a in labels),
            *(a[:-1] for a in labels),
            *(a.swapcase() for a in labels),
        ]
        always = [self._violation(text) for text in sorted(set(near) - labels)]
        texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
        return Cases(tuple(always), texts.filter(lambda t: t not in labels).map(self._violation))

    def _violation(self, text: str) -> Violation:
        name = identifier(self.enum.name).as_string()
        statement = Statement(f"SELECT $1::{name}", (text,))
        return Violation((statement,), sqlstates=frozenset([INVALID_TEXT]))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """A label more, or one of another name."""
        del catalog
        return enum_mutants(self.enum)

    def owns(self, refusal: Refusal) -> bool:
        """22P02: nothing else is in the statement."""
        return refusal.sqlstate == INVALID_TEXT

    def present(self, worlds: Worlds) -> bool:
        """Whether the live catalog has the type."""
        return any(e.name == self.enum.name for e in worlds.catalog.enums)


def promises(catalog: Catalog) -> Iterator[Labels]:
    """Every enum."""
    return map(Labels, catalog.enums)
