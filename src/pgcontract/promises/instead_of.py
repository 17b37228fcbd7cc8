"""INSTEAD OF triggers of views: a write to the view becomes what the frozen trigger with its frozen function does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgcontract.contract import clauses, trigger_id
from pgcontract.model import Catalog, Function, Name, Trigger, View
from pgcontract.promises.base import Cases, Direction
from pgcontract.promises.definitions import create_function, create_trigger, drop_trigger, trigger_function
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.triggers import trigger_mutants
from pgcontract.promises.passage import Passage, relation_of, words
from pgcontract.promises.reaching import Reading, reading
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.worlds import Worlds

RAISED = "P0001"


@dataclass(frozen=True, slots=True)
class InsteadOf:
    """A view's trigger. ``function`` is the frozen one; None where it is an extension's."""

    table: Name
    trigger: Trigger
    function: Function | None
    reads: Reading

    kind = "trigger"
    directions = (Direction.ACCEPTS,)

    @property
    def id(self) -> str:
        """``names.put``."""
        return trigger_id(self.table, self.trigger.name)

    @property
    def clause(self) -> str:
        """``TRIGGER INSTEAD OF INSERT …``."""
        return clauses.trigger(self.trigger)

    def accepts(self, worlds: Worlds) -> Cases:
        """Writes of all kinds: each leaves the rows that are promised."""
        gone = drop_trigger(self.table, self.trigger)
        function = () if self.function is None else (create_function(self.function),)
        installed = (*function, gone, *create_trigger(self.table, self.trigger))
        text = self.function.body if self.function is not None else ""
        return Passage("trigger", self.table, text, self.reads, installed, (gone,), returning=True).cases(worlds)

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden: what it must leave alone is among the writes that are accepted."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """What the function raises itself."""
        context = refusal.context or ""
        return refusal.sqlstate == RAISED or (f" {self.trigger.function.name}(" in context and " RAISE" in context)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live view has a trigger of this name."""
        live = relation_of(worlds.catalog, self.table)
        return live is not None and any(one.name == self.trigger.name for one in live.triggers)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Gone, or at other events."""
        return trigger_mutants(catalog, self.table, self.trigger)


def _reads(view: View, function: Function | None, catalog: Catalog) -> Reading:
    """The view's tables, and those that the function speaks of."""
    own = reading(view.definition, catalog)
    spoken = words(function.body) if function is not None else frozenset[str]()
    tables = [*own.tables, *(t.name for t in catalog.tables if t.name.name in spoken and t.partition_of is None)]
    return Reading(tuple(dict.fromkeys(tables)), own.conditions)


def promises(catalog: Catalog) -> Iterator[InsteadOf]:
    """Every trigger of every view that fires for each row."""
    for view in catalog.views:
        for trigger in view.triggers:
            function = trigger_function(catalog, trigger)
            yield InsteadOf(view.name, trigger, function, _reads(view, function, catalog))
