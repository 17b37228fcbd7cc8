"""Constraints that promise less than others: NOT VALID, of which old rows may know nothing, and NOT ENFORCED (18)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgcontract.contract import action_id, clauses, constraint_id
from pgcontract.model import Catalog, Check, ForeignKey, Name
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.facts import asked
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.base import alter, quoted
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import clause
from pgcontract.rows.statements import Value
from pgcontract.rows.world import World
from pgcontract.rows.worlds import Worlds

NOT_VALID = "weaker: NOT VALID, rows from before it may break it"
NOT_ENFORCED = "weaker: NOT ENFORCED, rows that break it are accepted"
REFUSALS = frozenset({"23514", "23503"})
NOBODY = 7000
"""The number of a key that no parent has."""
_CONSTRAINT = (
    "pg_catalog.pg_constraint AS c JOIN pg_catalog.pg_class AS t ON t.oid = c.conrelid"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace"
)


def weaker(constraint: Check | ForeignKey) -> tuple[str, ...]:
    """What is told of a constraint that promises less."""
    if not constraint.enforced:
        return (NOT_ENFORCED,)
    return () if constraint.validated else (NOT_VALID,)


@dataclass(frozen=True, slots=True)
class Unenforced:
    """A CHECK or foreign key that is written down, and refuses nothing; ``aspect``: of the latter its action."""

    table: Name
    constraint: Check | ForeignKey
    aspect: str = ""

    directions = (Direction.ACCEPTS,)

    @property
    def kind(self) -> str:
        """As for one that is enforced."""
        if self.aspect:
            return "referential action"
        return "check" if isinstance(self.constraint, Check) else "foreign key"

    @property
    def id(self) -> str:
        """As for one that is enforced."""
        if self.aspect == "delete":
            return action_id(self.table, self.constraint.name, "on_delete")
        if self.aspect == "update":
            return action_id(self.table, self.constraint.name, "on_update")
        return constraint_id(self.table, self.constraint.name)

    @property
    def clause(self) -> str:
        """``CHECK (…) NOT ENFORCED``."""
        if isinstance(self.constraint, Check):
            return clauses.check(self.constraint)
        return clauses.action(self.constraint, self.aspect) if self.aspect else clauses.foreign_key(self.constraint)

    def accepts(self, worlds: Worlds) -> Cases:
        """It is there, not enforced; and a row that breaks it is stored."""
        kind = "c" if isinstance(self.constraint, Check) else "f"
        facts = {"not_enforced": ("to_jsonb(c) ->> 'conenforced'", "false"), "of_its_kind": ("c.contype", kind)}
        keys = (self.table.namespace, self.table.name, self.constraint.name)
        there = asked(_CONSTRAINT, "n.nspname = $1 AND t.relname = $2 AND c.conname = $3", keys, facts)
        changes: list[Change] = [there]
        if not self.aspect:
            world = worlds.world(self.table)
            row = self._breaking(world)
            if row is None:
                return Cases(world=world, missing="no row was found that would break it")
            changes.append(Change((world.insert(row),)))
            return Cases(tuple(changes), world=world, notes=weaker(self.constraint))
        return Cases(tuple(changes), notes=weaker(self.constraint))

    def rejects(self, worlds: Worlds) -> Cases:
        """It forbids nothing."""
        raise AssertionError(self, worlds)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """It is enforced. That it is gone shows in nothing but the catalog."""
        del catalog
        name = quoted(self.constraint.name)
        if self.aspect:
            return
        if isinstance(self.constraint, Check):
            added = f"ADD CONSTRAINT {name} CHECK ({self.constraint.expression}) NOT VALID"
            yield Mutant("enforce", "", (alter(self.table, f"DROP CONSTRAINT {name}", added),))
        else:
            yield Mutant("enforce", "", (alter(self.table, f"ALTER CONSTRAINT {name} ENFORCED"),))

    def owns(self, refusal: Refusal) -> bool:
        """What it would raise, were it enforced."""
        return refusal.sqlstate in REFUSALS and refusal.constraint == self.constraint.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a constraint of this name."""
        table = worlds.catalog.table(self.table)
        if table is None:
            return False
        return self.constraint.name in {c.name for c in table.checks} | {fk.name for fk in table.foreign_keys}

    def _breaking(self, world: World) -> dict[str, Value] | None:
        """A row that breaks it and nothing else."""
        row = dict(world.base)
        if isinstance(self.constraint, Check):
            wanted = [clause(self.constraint.expression, world.table, want=False)]
            return world.shape.find(row, wanted, without=[self.constraint.name])
        orphan = {c: world.shape.domain(c, world.shape.sure).fresh(NOBODY) for c in self.constraint.columns}
        if None in orphan.values():
            return None
        return world.shape.find({**row, **orphan}, fixed=frozenset(orphan))


def promises(catalog: Catalog) -> Iterator[Unenforced]:
    """Every CHECK and foreign key of a table that PostgreSQL does not enforce, with the latter's actions."""
    for table in catalog.tables:
        for check in table.checks:
            if not check.enforced:
                yield Unenforced(table.name, check)
        for fk in table.foreign_keys:
            if not fk.enforced:
                yield from (Unenforced(table.name, fk, aspect) for aspect in ("", "delete", "update"))
