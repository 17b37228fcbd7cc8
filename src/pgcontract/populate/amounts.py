"""How many rows each table gets, from which parents, and in which order. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil, isqrt
from typing import Final, Literal

from pgcontract.errors import PgContractError, UsageError
from pgcontract.model import Catalog, ForeignKey, Name, Table
from pgcontract.rows.shape import index_columns
from pgcontract.rows.terrain import required

Skew = Literal["zipf", "none"]

CHILDREN_A_PARENT: Final = 50
"""How many rows refer to a parent that nobody asked for, on average."""
PAIRS_A_PARENT: Final = 10
"""The same for rows that are a pair of parents, each pair once: who takes part in what."""


class PopulateError(PgContractError):
    """Rows cannot be made for a table, or the database refused them: nothing is left of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: ``rows`` to be added, by table. The same plan on the same database gives the same rows.

    ``skew`` says how children choose among parents: ``zipf`` gives the r-th parent 1/r as many as the first.
    """

    rows: Mapping[Name, int]
    skew: Skew = "zipf"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One table: the rows that it gets, and the foreign keys by which they have parents."""

    table: Table
    rows: int
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass
class _Graph:
    """Which tables refer to which, as far as rows are to."""

    catalog: Catalog
    kept: dict[Name, list[ForeignKey]] = field(default_factory=dict)

    def reaches(self, start: Name, goal: Name) -> bool:
        """Whether a table needs another, by whatever it refers to."""
        met, todo = {start}, [start]
        while todo:
            name = todo.pop()
            if name == goal:
                return True
            later = {fk.references for fk in self.edges(name)} - met
            met |= later
            todo += later
        return False

    def edges(self, name: Name) -> list[ForeignKey]:
        """The foreign keys that are used: those that every row has, and the optional ones that were kept."""
        if name not in self.kept:
            table = self.catalog.table(name)
            needed = [] if table is None else [fk for fk in given(table) if required(table, fk)]
            self.kept[name] = [fk for fk in needed if fk.references != name]
        return self.kept[name]


def given(table: Table) -> tuple[ForeignKey, ...]:
    """The foreign keys over columns that an INSERT gives."""
    closed = {c.name for c in table.columns if c.generated is not None}
    return tuple(fk for fk in table.foreign_keys if not closed & set(fk.columns))


def unique_keys(table: Table, *, partial: bool = True) -> tuple[frozenset[str], ...]:
    """The columns of each key and unique index; of an expression, those that it speaks of."""
    found = [index_columns(table, key.columns) for key in table.keys]
    found += [
        index_columns(table, (k.expression if k.column is None else k.column for k in index.keys))
        for index in table.indexes
        if index.unique and (partial or index.predicate is None)
    ]
    return tuple(found)


def separate_keys(table: Table) -> tuple[frozenset[str], ...]:
    """The columns of what tells rows apart: keys, unique indexes, and exclusions."""
    excluded = (
        index_columns(table, (k.expression if k.column is None else k.column for k in e.keys)) for e in table.exclusions
    )
    return (*unique_keys(table), *excluded)


def steps(
    catalog: Catalog, plan: Plan, existing: Mapping[Name, int], defaults: Mapping[Name, int] | None = None
) -> tuple[Step, ...]:
    """The tables to fill, parents first. ``existing`` counts rows that are there; ``defaults`` is for tables not asked.

    Raises UsageError for a table that is not there or not to be written, PopulateError where tables need each other.
    """
    for name, number in plan.rows.items():
        _check(catalog, name, number)
    graph = _Graph(catalog)
    needed = _needed(graph, plan, existing)
    ordered = list(_ordered(graph, needed))
    rows: dict[Name, int] = {}
    for name in reversed(ordered):
        if name in plan.rows:
            rows[name] = plan.rows[name]
        elif defaults is not None and name in defaults:
            rows[name] = defaults[name]
        else:
            rows[name] = max(0, _wanted(graph, name, rows) - existing.get(name, 0))
    return tuple(Step(_table(catalog, name), rows[name], tuple(graph.edges(name))) for name in ordered)


def _needed(graph: _Graph, plan: Plan, existing: Mapping[Name, int]) -> list[Name]:
    """The tables asked for, and those that they refer to; which optional foreign keys are used is decided here."""
    # from the table with the most rows: of two that may refer to each other, many refer to few
    needed = sorted(plan.rows, key=lambda n: (-plan.rows[n], n))
    for name in needed:
        for fk in given(_table(graph.catalog, name)):
            nobody = plan.rows.get(fk.references, 1) == 0 and not existing.get(fk.references)
            if not required(_table(graph.catalog, name), fk) and not nobody and not graph.reaches(fk.references, name):
                graph.edges(name).append(fk)
        needed += dict.fromkeys(fk.references for fk in graph.edges(name) if fk.references not in needed)
    return needed


def _wanted(graph: _Graph, name: Name, rows: Mapping[Name, int]) -> int:
    """How many parents the rows that refer to a table are to have."""
    return max(
        (
            _parents(graph.catalog, child, fk, rows[child])
            for child in rows
            for fk in graph.edges(child)
            if fk.references == name and not _implied(fk, graph.edges(child), graph)
        ),
        default=0,
    )


def _implied(fk: ForeignKey, others: list[ForeignKey], graph: _Graph) -> bool:
    """Whether another parent, by more columns, brings this one along: a member of a chat brings the chat."""
    wider = (o for o in others if set(o.columns) > set(fk.columns))
    return any(up.references == fk.references for o in wider for up in graph.edges(o.references))


def _check(catalog: Catalog, name: Name, number: int) -> None:
    table = catalog.table(name)
    if table is None:
        known = sorted(str(t.name) for t in catalog.tables if t.partition_of is None)
        raise UsageError("There is no such table", seen=str(name), remedy=f"known are {', '.join(known) or 'none'}")
    if table.partition_of is not None:
        raise UsageError(
            "A partition gets its rows through its table", seen=str(name), remedy=f"ask {table.partition_of}"
        )
    if table.foreign_server is not None:
        raise UsageError("A foreign table's rows are another database's", seen=str(name), remedy="ask 0 rows of it")
    if number < 0:
        raise UsageError(
            "A number of rows is 0 or more", where=str(name), seen=str(number), remedy="say how many to add"
        )


def _table(catalog: Catalog, name: Name) -> Table:
    table = catalog.table(name)
    assert table is not None
    return table


def _parents(catalog: Catalog, child: Name, fk: ForeignKey, rows: int) -> int:
    """How many parents so many rows are to have: not too many, and enough for rows that are a pair of parents."""
    table = _table(catalog, child)
    keys = unique_keys(table, partial=False)
    if any(key <= set(fk.columns) for key in keys):
        return rows
    bound = {c for other in given(table) if required(table, other) for c in other.columns}
    if any(key <= bound for key in keys):
        return min(rows, max(ceil(rows / PAIRS_A_PARENT), 4 * isqrt(rows)))
    return min(rows, max(ceil(rows / CHILDREN_A_PARENT), 2 * isqrt(rows)))


def _ordered(graph: _Graph, names: list[Name]) -> Iterator[Name]:
    """Parents first."""
    done: set[Name] = set()
    doing: list[Name] = []

    def visit(name: Name) -> Iterator[Name]:
        if name in done:
            return
        if name in doing:
            circle = ", ".join(map(str, doing[doing.index(name) :]))
            raise PopulateError(
                "Rows cannot be made for tables that need each other",
                where=circle,
                remedy="let one of the foreign keys allow NULL, or fill these tables yourself and ask for 0 rows",
            )
        doing.append(name)
        for fk in graph.edges(name):
            yield from visit(fk.references)
        doing.pop()
        done.add(name)
        yield name

    for name in names:
        yield from visit(name)
