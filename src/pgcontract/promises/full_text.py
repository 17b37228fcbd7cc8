"""Indexes for full text: a text is found by every lexeme of the promised configuration, and by nothing else.

The searches themselves stand in ``searches``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from pgcontract.contract import index_id
from pgcontract.contract.clauses import index as clause_of
from pgcontract.contract.promised import index_kind
from pgcontract.model import Catalog, Index, Name, Table, Trigger, View
from pgcontract.promises import plans
from pgcontract.promises.access import Access, access
from pgcontract.promises.base import Cases, Direction
from pgcontract.promises.index import holders, live_index, missing, never_used, ready, world_of
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import index_mutants
from pgcontract.promises.searches import TSVECTOR, Search, quoted, sources
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import quote
from pgcontract.rows.worlds import World, Worlds

TOO_LARGE = "54000"


@dataclass(frozen=True, slots=True)
class FullText:
    """A GIN or GiST index over tsvectors. ``thing`` is the frozen table or materialised view."""

    thing: Table | View
    index: Index

    kind = "full text"

    @property
    def table(self) -> Name:
        """The table that is searched."""
        return self.thing.name

    @property
    def id(self) -> str:
        """``messages.idx_messages_content_search``."""
        return index_id(self.table, self.index.name)

    @property
    def clause(self) -> str:
        """``INDEX USING gin (to_tsvector('portuguese'::regconfig, content)) WHERE (…)``."""
        return clause_of(self.index)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Nothing can be written to a view: it shows what it is found by with its own promise."""
        if isinstance(self.thing, View) and not self.index.predicate:
            return (Direction.ACCEPTS,)
        return (Direction.ACCEPTS, Direction.REJECTS)

    def accepts(self, worlds: Worlds) -> Cases:
        """Searches are planned by the index, texts found by their lexemes, and the longest text is taken."""
        if not self.present(worlds):
            return Cases((missing(self.table, self.index),))
        known = access(self.table, self.index, worlds)
        served = plans.served(known)
        if not served:
            return Cases(missing=never_used(known))
        if isinstance(self.thing, View):
            last = () if self.index.predicate else (plans.same(known),)
            return Cases((*served, *last), prepared=ready(known))
        world = world_of(self.table, self.index, worlds)
        searches = list(self._searches(known, world, worlds))
        if not searches:
            return Cases(missing="no column was found that the index takes texts from")
        found = tuple(case for search in searches for case in search.found())
        drawn = st.one_of([search.drawn() for search in searches])
        notes = tuple(dict.fromkeys(note for search in searches for note in search.notes))
        return Cases((*served, *found), drawn, prepared=ready(known, world), notes=notes)

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is found by stop words, nor NULL, empty text, or what is outside the predicate by anything."""
        if not self.present(worlds):
            return Cases((missing(self.table, self.index),))
        known = access(self.table, self.index, worlds)
        unserved = plans.unserved(known) if self.index.predicate else ()
        if isinstance(self.thing, View):
            return Cases((*unserved, plans.same(known)), prepared=ready(known))
        world = world_of(self.table, self.index, worlds)
        searches = list(self._searches(known, world, worlds))
        always = tuple(case for search in searches for case in search.left_out())
        if not always:
            return Cases(missing="no text was found that the index leaves out")
        return Cases((*unserved, *always, plans.same(known)), prepared=ready(known, world))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No index, one of another configuration, or of other rows."""
        del catalog
        return index_mutants(self.table, self.index)

    def owns(self, refusal: Refusal) -> bool:
        """54000: the index itself refuses a text that everything else allows."""
        return refusal.sqlstate == TOO_LARGE and refusal.constraint in (None, self.index.name)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has an index of this name."""
        return live_index(self.table, self.index.name, worlds) is not None

    def _searches(self, known: Access, world: World, worlds: Worlds) -> Iterator[Search]:
        live = live_index(self.table, self.index.name, worlds)
        assert live is not None
        for number, key in enumerate(known.keys):
            if key.type != TSVECTOR:
                continue
            source = self._source(key.key.column) or key.key.expression
            asked = live.keys[number].expression if number < len(live.keys) else key.key.expression
            for column in sources(world, source):
                yield Search(known, world, column, source, key.key.expression, asked, live.predicate)

    def _source(self, column: str | None) -> str | None:
        """What a tsvector column is made of, where that is promised: its expression, or PostgreSQL's own trigger's."""
        if column is None:
            return None
        found = self.thing.column(column) if isinstance(self.thing, Table) else None
        if found is not None and found.generated is not None:
            return found.generated
        return next((made for trigger in self.thing.triggers if (made := _of_trigger(trigger, column))), None)


def _of_trigger(trigger: Trigger, column: str) -> str | None:
    """The expression that ``tsvector_update_trigger`` fills a column by."""
    if trigger.function.namespace != "pg_catalog" or trigger.arguments[:1] != (column,) or len(trigger.arguments) < 3:
        return None
    names = " || ' ' || ".join(f"coalesce({quoted(name)}, '')" for name in trigger.arguments[2:])
    match trigger.function.name:
        case "tsvector_update_trigger":
            return f"to_tsvector({quote(trigger.arguments[1])}::regconfig, {names})"
        case "tsvector_update_trigger_column":
            return f"to_tsvector({quoted(trigger.arguments[1])}, {names})"
        case _:
            return None


def promises(catalog: Catalog) -> Iterator[FullText]:
    """Every GIN or GiST index over tsvectors."""
    for thing in holders(catalog):
        for index in thing.indexes:
            if index_kind(thing, index) == FullText.kind:
                yield FullText(thing, index)
