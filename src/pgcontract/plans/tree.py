"""EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) as a frozen tree: the same fields on every major version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pgcontract.errors import PgContractError


class PlanError(PgContractError):
    """A text is no plan that EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) gives."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a plan.

    ``rows`` are those that it gave in all its ``loops`` together; so are ``removed`` (by filters) and ``rechecked``
    (given by an index that knew no better, and dropped). Buffers are those of the node and everything below it.
    ``lossy`` counts pages of which a bitmap had forgotten the rows; ``spilled`` what went to temporary files.
    """

    kind: str
    relation: str | None = None
    alias: str | None = None
    index: str | None = None
    condition: str = ""
    backward: bool = False
    rows: float = 0
    loops: float = 0
    removed: float = 0
    rechecked: float = 0
    visited: float = 0
    """Heap visits of an index-only scan, because a page was not all-visible."""
    exact: int = 0
    lossy: int = 0
    spilled: int = 0
    hit: int = 0
    read: int = 0
    subplan: bool = False
    """Run before the other nodes, or beside them: an InitPlan or a SubPlan."""
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """It and every node below it, from above to below."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def buffers(self) -> int:
        """Pages that were touched, however often."""
        return self.hit + self.read


@dataclass(frozen=True, slots=True)
class Line:
    """One node as people read it: how deep it stands, what it does, and the rows and pages that came of it."""

    depth: int
    what: str
    rows: int
    pages: int
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement's plan, and what became of it when it was executed.

    ``cost`` is the planner's; ``triggers`` its triggers' names, those of foreign keys included.
    """

    root: Node
    cost: float = 0
    milliseconds: float = 0
    triggers: tuple[str, ...] = ()

    @property
    def indexes(self) -> frozenset[str]:
        """The indexes that it reads."""
        return frozenset(node.index for node in self.root.walk() if node.index is not None)

    @property
    def fingerprint(self) -> str:
        """Its nodes with their tables and indexes, without any number."""
        return _fingerprint(self.root)


def lines(node: Node, depth: int = 0) -> Iterator[Line]:
    """A node and those below it, from above to below."""
    yield Line(depth, _told(node), round(node.rows), node.buffers, node.index)
    for child in node.children:
        yield from lines(child, depth + 1)


def read_plan(text: str | list[Any], values: Mapping[int, str] | None = None) -> Plan:
    """The plan in EXPLAIN's JSON, as text or parsed. ``values`` take the place of parameters in its conditions.

    Raises PlanError.
    """
    try:
        found = json.loads(text) if isinstance(text, str) else text
        (top,) = found
        root = _node(top["Plan"], values or {})
        triggers = tuple(sorted(t["Trigger Name"] for t in top.get("Triggers", ())))
        return Plan(root, top["Plan"].get("Total Cost", 0.0), top.get("Execution Time", 0.0), triggers)
    except (ValueError, TypeError, KeyError) as error:
        raise PlanError(
            "This is no plan.",
            seen=str(text)[:120],
            remedy="Give what EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) returns.",
        ) from error


def _node(said: Mapping[str, Any], values: Mapping[int, str]) -> Node:
    loops = said.get("Actual Loops", 0)
    return Node(
        kind=said["Node Type"],
        relation=said.get("Relation Name"),
        alias=said.get("Alias"),
        index=said.get("Index Name"),
        condition=re.sub(r"\$(\d+)", lambda m: values.get(int(m[1]), m[0]), said.get("Index Cond", "")),
        backward=said.get("Scan Direction") == "Backward",
        # an average of a loop, rounded to whole rows before 18
        rows=said.get("Actual Rows", 0) * loops,
        loops=loops,
        removed=(said.get("Rows Removed by Filter", 0) + said.get("Rows Removed by Join Filter", 0)) * loops,
        rechecked=said.get("Rows Removed by Index Recheck", 0) * loops,
        visited=said.get("Heap Fetches", 0),
        exact=said.get("Exact Heap Blocks", 0),
        lossy=said.get("Lossy Heap Blocks", 0),
        spilled=_spilled(said),
        hit=said.get("Shared Hit Blocks", 0),
        read=said.get("Shared Read Blocks", 0),
        subplan=said.get("Parent Relationship") in {"InitPlan", "SubPlan"},
        children=tuple(_node(child, values) for child in said.get("Plans", ())),
    )


def _spilled(said: Mapping[str, Any]) -> int:
    own: int = said.get("Temp Written Blocks", 0) - sum(p.get("Temp Written Blocks", 0) for p in said.get("Plans", ()))
    if said.get("Sort Space Type") == "Disk":
        own = max(own, said.get("Sort Space Used", 1))
    return max(own, 0)


def _told(node: Node) -> str:
    words = [node.kind]
    words += [f"on {node.relation}"] if node.relation else []
    words += [f"by {node.index}"] if node.index else []
    return " ".join(words)


def _fingerprint(node: Node) -> str:
    below = ", ".join(_fingerprint(child) for child in node.children)
    return f"{_told(node)}{f' ({below})' if below else ''}"
