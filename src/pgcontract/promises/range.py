"""Range types: bounds in their subtype's order, and literals that come back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from hypothesis import strategies as st

from pgcontract.contract import type_id
from pgcontract.model import Catalog, Name, RangeType
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.column_type import DATA_EXCEPTION
from pgcontract.promises.composite import INVALID_TEXT
from pgcontract.promises.facts import Fact, asked
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.types import range_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, identifier
from pgcontract.rows.worlds import Worlds
from pgcontract.values.types import UnknownType, space

WRONG_ORDER = "22000"
MOST_PAIRS = 40
_SOURCE = (
    "pg_catalog.pg_range AS r JOIN pg_catalog.pg_type AS t ON t.oid = r.rngtypid"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace"
    " JOIN pg_catalog.pg_type AS st ON st.oid = r.rngsubtype"
    " JOIN pg_catalog.pg_type AS mt ON mt.oid = r.rngmultitypid"
    " JOIN pg_catalog.pg_namespace AS mn ON mn.oid = mt.typnamespace"
)
_OPCLASS = (
    "SELECT quote_ident(x.nspname) || '.' || quote_ident(o.opcname) FROM pg_catalog.pg_opclass AS o"
    " JOIN pg_catalog.pg_namespace AS x ON x.oid = o.opcnamespace WHERE o.oid = r.rngsubopc AND NOT o.opcdefault"
)
_COLLATION = (
    "SELECT quote_ident(x.nspname) || '.' || quote_ident(co.collname) FROM pg_catalog.pg_collation AS co"
    " JOIN pg_catalog.pg_namespace AS x ON x.oid = co.collnamespace"
    " WHERE co.oid = r.rngcollation AND r.rngcollation <> st.typcollation"
)


@dataclass(frozen=True, slots=True)
class Range:
    """A user's range type with its multirange."""

    range_type: RangeType

    kind = "range type"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def table(self) -> Name:
        """The type's own name."""
        return self.range_type.name

    @property
    def id(self) -> str:
        """``floatrange``."""
        return type_id(self.range_type.name)

    @property
    def clause(self) -> str:
        """``RANGE (subtype = double precision)``."""
        return f"RANGE (subtype = {self.range_type.subtype})"

    def accepts(self, worlds: Worlds) -> Cases:
        """From one value up to another: the lower one is in, the upper one is not, also within a multirange."""
        try:
            values = space(self.range_type.subtype, worlds.catalog)
        except UnknownType:
            return Cases((self._facts(),), notes=(f"no value was made for {self.range_type.subtype}",))
        pairs = combinations(dict.fromkeys((values.simplest, *values.boundaries)), 2)
        always = (self._facts(), *(self._between(a, b) for a, b in islice(pairs, MOST_PAIRS)))
        drawn = st.tuples(values.strategy, values.strategy)
        return Cases(always, drawn.map(lambda pair: self._between(*pair)))

    def rejects(self, worlds: Worlds) -> Cases:
        """Bounds in the wrong order; what is no literal of a range."""
        name = identifier(self.range_type.name).as_string()
        always = [Violation((Statement(f"SELECT $1::{name}", ("[",)),), sqlstates=frozenset([INVALID_TEXT]))]
        try:
            values = space(self.range_type.subtype, worlds.catalog)
        except UnknownType:
            return Cases(tuple(always))
        first, second = values.fresh(0), values.fresh(1)
        if first is not None and second is not None:
            subtype = self.range_type.subtype
            bounds = f"greatest($1::{subtype}, $2::{subtype}), least($1::{subtype}, $2::{subtype})"
            statement = Statement(f"SELECT {name}({bounds})", (first, second))
            always.append(Violation((statement,), sqlstates=frozenset([WRONG_ORDER])))
        return Cases(tuple(always))

    def _between(self, one: str, other: str) -> Change:
        name, subtype = identifier(self.range_type.name).as_string(), self.range_type.subtype
        multirange = identifier(self.range_type.multirange).as_string()
        text = (
            "SELECT isempty(r) = (low = high) AS empty_where_equal,"
            " r @> low = (low <> high) AS has_its_lower_bound, NOT r @> high AS has_not_its_upper_bound,"
            f" (r::text)::{name} = r AS same_literal,"
            f" {multirange}(r)::{multirange} @> low = (low <> high) AS same_multirange,"
            " pg_typeof(low) = pg_typeof(lower(r)) AS same_subtype"
            f" FROM (SELECT low, high, {name}(low, high) AS r FROM (SELECT least($1::{subtype}, $2::{subtype}) AS low,"
            f" greatest($1::{subtype}, $2::{subtype}) AS high) AS bounds) AS made"
        )
        return Change((Statement(text, (one, other)),))

    def _facts(self) -> Change:
        one = self.range_type
        named = (
            "SELECT quote_ident(x.nspname) || '.' || quote_ident(f.proname) FROM pg_catalog.pg_proc AS f"
            " JOIN pg_catalog.pg_namespace AS x ON x.oid = f.pronamespace WHERE f.oid = {}"
        )
        facts: dict[str, Fact] = {
            "subtype": ("pg_catalog.format_type(r.rngsubtype, NULL)", one.subtype),
            "multirange_schema": ("mn.nspname", one.multirange.namespace),
            "multirange": ("mt.typname", one.multirange.name),
            "opclass": (
                _OPCLASS,
                one.opclass,
            ),
            "collation": (
                _COLLATION,
                one.collation,
            ),
            "canonical": (named.format("r.rngcanonical"), one.canonical),
            "difference": (named.format("r.rngsubdiff"), one.difference),
        }
        return asked(_SOURCE, "n.nspname = $1 AND t.typname = $2", (one.name.namespace, one.name.name), facts)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No range, one over another type, or its multirange by another name."""
        del catalog
        return range_mutants(self.range_type)

    def owns(self, refusal: Refusal) -> bool:
        """Data exceptions: nothing else is in the statement."""
        return refusal.sqlstate.startswith(DATA_EXCEPTION)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the type."""
        return any(r.name == self.range_type.name for r in worlds.catalog.ranges)


def promises(catalog: Catalog) -> Iterator[Range]:
    """Every range type that people made."""
    return map(Range, catalog.ranges)
