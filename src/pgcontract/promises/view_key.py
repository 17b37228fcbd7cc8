"""Unique indexes of materialised views.

The definition's own rows may never break one, and nobody can write others. So it is shown on a stand-in: a table like
the view, with a copy of the live index; and by REFRESH CONCURRENTLY, which needs one such index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from pgcontract.contract import index_id
from pgcontract.model import Catalog, Index, Name, Table, View
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import unique_index_mutants
from pgcontract.promises.permission.roles import fresh_name
from pgcontract.promises.permission.targets import quoted
from pgcontract.promises.unique import Unique, of_index
from pgcontract.promises.view import serves_concurrently
from pgcontract.rows.oracle import Oracle, Refusal
from pgcontract.rows.statements import Statement, quote
from pgcontract.rows.worlds import Worlds

CANNOT_REFRESH = "55000"


class _Beside:
    """An oracle that finds a stand-in where it looks for rows that are refused."""

    def __init__(self, oracle: Oracle, before: Sequence[Statement]) -> None:
        self._oracle = oracle
        self._before = tuple(before)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oracle, name)

    def refusal(self, statements: Sequence[Statement]) -> Refusal | None:
        found = self._oracle.refusal([*self._before, *statements])
        return found and replace(found, position=max(0, found.position - len(self._before)))


@dataclass(frozen=True, slots=True)
class ViewKey:
    """A unique index of a materialised view."""

    view: View
    index: Index

    kind = "unique index"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``summary.idx_summary_day``."""
        return index_id(self.view.name, self.index.name)

    @property
    def clause(self) -> str:
        """``UNIQUE INDEX (…)``."""
        return of_index(self.view.name, self.index).clause

    @property
    def table(self) -> Name:
        """The view's name."""
        return self.view.name

    def accepts(self, worlds: Worlds) -> Cases:
        """Rows that differ in one key column; a refresh by this index alone."""
        live = self._live(worlds)
        if live is None:
            return self._lost()
        key, before, there = self._stand_in(live, worlds)
        found = key.accepts(there)
        cases = found.always
        if serves_concurrently(self.index):
            name = quoted(self.view.name)
            refresh = Statement(f"REFRESH MATERIALIZED VIEW {name}")
            again = Statement(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {name}")
            cases = (Change((again,), (refresh,), wanted="refreshed concurrently by this index alone"), *cases)
        return replace(found, always=cases, world=None, prepared=before, notes=("on a table like the view",))

    def rejects(self, worlds: Worlds) -> Cases:
        """Rows with the same key."""
        live = self._live(worlds)
        if live is None:
            return self._lost()
        key, before, there = self._stand_in(live, worlds)
        return replace(key.rejects(there), world=None, prepared=before)

    def owns(self, refusal: Refusal) -> bool:
        """23505 by this name; 55000 where a concurrent refresh finds no such index."""
        return refusal.sqlstate == CANNOT_REFRESH or of_index(self.view.name, self.index).owns(refusal)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live view has an index of this name."""
        live = self._live(worlds)
        return live is not None and any(index.name == self.index.name for index in live.indexes)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No index, or one over other columns or rows."""
        del catalog
        return unique_index_mutants(Table(self.view.name, self.view.columns), self.index)

    def _live(self, worlds: Worlds) -> View | None:
        return next((v for v in worlds.catalog.views if v.name == self.view.name and v.materialized), None)

    def _lost(self) -> Cases:
        return Cases((Change((Statement(f"REFRESH MATERIALIZED VIEW {quoted(self.view.name)}"),)),))

    def _stand_in(self, live: View, worlds: Worlds) -> tuple[Unique, tuple[Statement, ...], Worlds]:
        """The promise on the stand-in, what makes it, and worlds that know it."""
        schema = fresh_name("workshop")
        name = Name(schema, self.view.name.name)
        others = (Name(live.name.namespace, i.name) for i in live.indexes if i.name != self.index.name)
        rename = (
            "DECLARE copy regclass; BEGIN"
            " SELECT indexrelid INTO copy FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            f" WHERE indrelid = {quote(quoted(name))}::regclass AND relname <> {quote(self.index.name)};"
            f" IF FOUND THEN EXECUTE format('ALTER INDEX %s RENAME TO %I', copy, {quote(self.index.name)}); END IF; END"
        )
        before = (
            Statement(f"CREATE SCHEMA {schema}"),
            *(Statement(f"DROP INDEX {quoted(other)}") for other in others),
            Statement(f"CREATE TABLE {quoted(name)} (LIKE {quoted(live.name)} INCLUDING INDEXES)"),
            Statement(f"DO {quote(rename)}"),
        )
        indexes = tuple(i for i in live.indexes if i.name == self.index.name)
        catalog = replace(worlds.catalog, tables=(Table(name, live.columns, indexes=indexes),))
        there = Worlds(catalog, cast("Oracle", _Beside(worlds.oracle, before)), worlds.roles)
        return of_index(name, self.index), before, there


def promises(catalog: Catalog) -> Iterator[ViewKey]:
    """Every unique index of a materialised view."""
    for view in catalog.views:
        yield from (ViewKey(view, index) for index in view.indexes if index.unique)
