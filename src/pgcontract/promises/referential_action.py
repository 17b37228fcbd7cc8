"""Referential actions: after a parent's DELETE or UPDATE the database equals a model of the closure.

The model knows the world's rows and the frozen foreign keys: it says which rows are gone, nulled, defaulted or changed,
and that all others are what they were. NO ACTION and RESTRICT are told apart by putting the parent's key back in the
statement that took it away, which NO ACTION allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgcontract.contract import action_id
from pgcontract.model import Action, Catalog, ForeignKey, Name, Reason
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.closure import Closure, Event, Holder
from pgcontract.promises.family import Family, family
from pgcontract.promises.foreign_key import FOREIGN_KEY_VIOLATION
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import action_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement
from pgcontract.rows.ways import immediate
from pgcontract.rows.worlds import Worlds

RESTRICT_VIOLATION = "23001"
NOT_NULL_VIOLATION = "23502"


@dataclass(frozen=True, slots=True)
class ReferentialAction:
    """What happens to a child when its parent goes (``delete``) or changes its key (``update``)."""

    table: Name
    foreign_key: ForeignKey
    event: Event

    kind = "referential action"

    @property
    def id(self) -> str:
        """``messages.fk_messages_conversation.on_delete``."""
        return action_id(self.table, self.foreign_key.name, "on_delete" if self.event == "delete" else "on_update")

    @property
    def action(self) -> Action:
        """The promised action."""
        return self.foreign_key.on_delete if self.event == "delete" else self.foreign_key.on_update

    @property
    def clause(self) -> str:
        """``ON DELETE CASCADE``."""
        return f"{self.foreign_key.name} ON {self.event.upper()} {self.action}"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """CASCADE and SET … only accept; RESTRICT only refuses; NO ACTION refuses, unless the key comes back."""
        match self.action:
            case "NO ACTION":
                return (Direction.ACCEPTS, Direction.REJECTS)
            case "RESTRICT":
                return (Direction.REJECTS,)
            case _:
                return (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """The parent goes, or changes its key, and what is left is what the model says."""
        kin = family(Holder(self.table, self.foreign_key), self.event, worlds)
        if isinstance(kin, str):
            return Cases(missing=kin)
        acts = list(kin.swaps() if self.action == "NO ACTION" else kin.acts())
        if not acts:
            return Cases(
                world=kin.world, missing=f"no other value was found for the parent's key in {kin.parent.table}"
            )
        changes: list[Change] = []
        for act, new in acts:
            if self.action == "NO ACTION":
                changes.append(Change((*act, *self._at_once()), setup=kin.first))
                continue
            after = Closure(kin.foreign_keys, kin.rows, kin.columns).after(kin.parent, self.event, new)
            if after == kin.holder and self.action == "SET NULL":
                changes.append(self._null_refused(kin, act))
                continue
            if isinstance(after, Holder):
                said = f"{after} refuses the change first"
                return Cases(world=kin.world, missing=said, reason=Reason.REFUSED)
            changes.append(Change((*act, *self._at_once(), kin.equals(after)), setup=(*kin.first, *kin.second)))
        return Cases(tuple(changes), world=kin.world, prepared=kin.opened, notes=kin.notes)

    def rejects(self, worlds: Worlds) -> Cases:
        """The parent may not go, nor change its key, while it has a child; by RESTRICT not even if it is put back."""
        kin = family(Holder(self.table, self.foreign_key), self.event, worlds)
        if isinstance(kin, str):
            return Cases(missing=kin)
        restrict = self.action == "RESTRICT"
        states = frozenset([FOREIGN_KEY_VIOLATION, RESTRICT_VIOLATION] if restrict else [FOREIGN_KEY_VIOLATION])
        acts = [*kin.acts(), *(kin.swaps() if restrict else ())]
        if not acts:
            return Cases(
                world=kin.world, missing=f"no other value was found for the parent's key in {kin.parent.table}"
            )
        always = tuple(
            Violation((*act, *self._at_once()), kin.first, sqlstates=states, constraint=self.foreign_key.name)
            for act, _ in acts
        )
        return Cases(always, world=kin.world, prepared=kin.opened, notes=kin.notes)

    def _null_refused(self, kin: Family, act: tuple[Statement, ...]) -> Violation:
        """SET NULL of a column that is NOT NULL: what the action tries is refused."""
        fk = self.foreign_key
        columns = (fk.delete_columns or fk.columns) if self.event == "delete" else fk.columns
        closed = [c for c in columns if kin.columns.not_null(self.table, c)]
        states = frozenset([NOT_NULL_VIOLATION])
        column = closed[0] if len(closed) == 1 else None
        return Violation(act, kin.first, sqlstates=states, column=column, table=self.table.name)

    def _at_once(self) -> tuple[Statement, ...]:
        return (immediate(self.table, self.foreign_key.name),) if self.foreign_key.deferrable else ()

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Every other action."""
        return action_mutants(catalog, self.table, self.foreign_key, event=self.event)

    def owns(self, refusal: Refusal) -> bool:
        """This foreign key's refusal, or NULL where the action put it."""
        fk = self.foreign_key
        if refusal.sqlstate in (FOREIGN_KEY_VIOLATION, RESTRICT_VIOLATION):
            return refusal.constraint == fk.name
        return (
            refusal.sqlstate == NOT_NULL_VIOLATION and refusal.table == self.table.name and refusal.column in fk.columns
        )

    def present(self, worlds: Worlds) -> bool:
        """Whether the live foreign key is there with the same action."""
        table = worlds.catalog.table(self.table)
        found = next((fk for fk in table.foreign_keys if fk.name == self.foreign_key.name), None) if table else None
        if found is None:
            return False
        live = found.on_delete if self.event == "delete" else found.on_update
        return live == self.action


def promises(catalog: Catalog) -> Iterator[ReferentialAction]:
    """Two for every foreign key: ON DELETE and ON UPDATE."""
    for table in catalog.tables:
        for fk in table.foreign_keys:
            if fk.enforced:
                yield ReferentialAction(table.name, fk, "delete")
                yield ReferentialAction(table.name, fk, "update")
