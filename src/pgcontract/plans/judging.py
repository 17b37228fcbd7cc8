"""Whether a plan is built as it was promised, whatever its numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from pgcontract.plans.tree import Node, Plan
from pgcontract.signs import count

LARGE = 16
"""A table of more pages is large. PostgreSQL rightly reads a smaller one from end to end: that takes no more than a few
descents of an index would."""
FEW = 100
"""Rows that may be sorted where all of them are given: it costs less than to jump between pages in an index's order."""
FEW_ON_AVERAGE = 1000
"""Rows that a plan for all values may sort, which is made for a parent of average size; and rows, all of them given,
that any plan may sort where to read them in an index's order would come back to their pages."""
PAGES_A_LOOKUP = 2
SORTS = ("Sort", "Incremental Sort")


@dataclass(frozen=True, slots=True)
class Promised:
    """What a plan must be like. ``pages`` are those of each table; ``tables`` those of the promised indexes.

    ``sorts``: no index can give the promised order; ``general``: the plan is for all values. ``joined`` are the rows
    of the answer by the aliases of tables that no promised index is of; ``apart`` are the aliases of those whose rows,
    in the promised order, come back to pages that were read before. ``whole`` names what partitions and their indexes
    are a part of.
    """

    uses: Collection[str]
    pages: Mapping[str, int]
    tables: Mapping[str, str]
    sorts: bool = False
    general: bool = False
    joined: Mapping[str, int] = field(default_factory=dict)
    apart: Collection[str] = ()
    whole: Mapping[str, str] = field(default_factory=dict)

    def small(self, node: Node) -> bool:
        """Whether to read its table from end to end takes no more than to look its rows up."""
        pages = self.pages.get(node.relation or "", 0)
        return pages <= max(LARGE, PAGES_A_LOOKUP * self.joined.get(node.alias or "", 0))


def broken(plan: Plan, promised: Promised) -> tuple[str, ...]:
    """What in a plan is not as promised, in words; nothing where all is.

    Where a promised index's table is not large, the planner is free to read it from end to end.
    """
    found = list(_unused(plan, promised))
    for node in plan.root.walk():
        found += _node(node, promised)
    return tuple(found)


def _unused(plan: Plan, promised: Promised) -> Iterator[str]:
    whole = promised.whole
    read = {whole.get(node.relation or "", node.relation) for node in plan.root.walk() if node.kind == "Seq Scan"}
    used = plan.indexes | {whole[index] for index in plan.indexes if index in whole}
    for index in promised.uses:
        table = promised.tables[index]
        if index not in used and (promised.pages.get(table, 0) > LARGE or table not in read):
            yield f"{index} is promised and not used"


def _sortable(node: Node, promised: Promised) -> float:
    """How many rows of large tables may be sorted."""
    if promised.general:
        return FEW_ON_AVERAGE
    apart = any(below.alias in promised.apart for below in node.walk())
    return min(FEW_ON_AVERAGE if apart else FEW, node.rows)


def _node(node: Node, promised: Promised) -> Iterator[str]:
    if node.kind == "Seq Scan" and not promised.small(node):
        yield f"{node.relation} is read from end to end: {count(promised.pages[node.relation or ''], 'page')}"
    if node.kind in SORTS and not promised.sorts:
        large = {below.relation for below in node.walk() if promised.pages.get(below.relation or "", 0) > LARGE}
        given = max(child.rows for child in node.children)
        if large and given > _sortable(node, promised):
            named = ", ".join(sorted(map(str, large)))
            yield f"{given:.0f} rows of {named} are sorted, which an index should give in order"
    if node.lossy:
        yield f"the bitmap of {node.relation} has become lossy: {node.lossy} pages were read through"
    if node.spilled:
        yield f"{node.kind} went to temporary files"
