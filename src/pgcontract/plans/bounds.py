"""The least number of pages that a query can do with, computed from facts and not from what it took.

A descent of a B-tree takes its levels and its leaf; rows that do not fit into one leaf take further ones; and each row
stands on a page of its table, or, for an index-only scan, under a page of its visibility map.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pgcontract.plans.judging import LARGE, PAGES_A_LOOKUP
from pgcontract.plans.tree import Node, Plan
from pgcontract.signs import count

MAP_COVERS: Final = 32672
"""Pages of a table of which one page of its visibility map knows."""
GIN_FANOUT: Final = 200
GIN_INLINE: Final = 1000
"""Rows of one key that a GIN index keeps beside the key, about; more have pages of their own."""
GIN_ROWS_A_PAGE: Final = 5000
GIN_MANY: Final = 100_000
"""Rows of an index from which each of several keys may have pages of rows, of which its root and a leaf are read."""
INDEX_SCANS: Final = ("Index Scan", "Index Only Scan")


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """``levels`` above the leaves (for GIN: estimated from ``pages``, those of its keys); rows that a leaf holds."""

    method: str = "btree"
    levels: int = 0
    rows_a_leaf: float = math.inf
    table: str = ""
    rows: float = 0
    estimated: bool = False
    """Whether the levels were computed from the index's size, because pageinspect is not there."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """``pages`` of the table's own file."""

    pages: int = 0


@dataclass(frozen=True, slots=True)
class Visits:
    """The rows of one table in a query's answer.

    How many, on how many pages, and how often the page is another than that of the row before.
    """

    rows: int = 0
    pages: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says.

    ``answer`` has the tables of the query by their aliases; without any, the answer is not known, and what the plan's
    nodes gave stands for it. ``joined`` are the rows of those that no promised index is of. ``ordered``: an index gives
    the order, so that pages are visited again when it comes back to them.
    """

    indexes: Mapping[str, IndexFacts] = field(default_factory=dict)
    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    answer: Mapping[str, Visits] = field(default_factory=dict)
    joined: Mapping[str, int] = field(default_factory=dict)
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Bound:
    """Pages of indexes and pages of tables; ``levels`` are those of the indexes, each once."""

    index_pages: int = 0
    heap_pages: int = 0
    levels: int = 0
    parts: tuple[str, ...] = ()

    @property
    def pages(self) -> int:
        """All of them."""
        return self.index_pages + self.heap_pages


def bound_of(plan: Plan, facts: Facts) -> Bound:
    """How few pages would do for what the plan gave."""
    total = Bound()
    for node in plan.root.walk():
        part = _node(node, facts)
        total = Bound(
            total.index_pages + part.index_pages,
            total.heap_pages + part.heap_pages,
            total.levels + part.levels,
            (*total.parts, *part.parts),
        )
    return total


def keys_of(condition: str) -> int:
    """How many keys a GIN index looks up for a condition as EXPLAIN shows it, with the values in it."""
    found = 0
    for literal, type_ in re.findall(r"'((?:[^']|'')*)'::([\w \[\]]+)", condition):
        text = literal.replace("''", "'")
        if type_.startswith("tsquery"):
            found += len(set(re.findall(r"'((?:[^'\\]|\\.|'')+)'", text)))
        elif type_.startswith("jsonb"):
            found += _leaves(json.loads(text))
        elif type_.rstrip().endswith("[]"):
            found += len(text.strip("{}").split(","))
        elif "~" in condition:
            found += _trigrams(text)
        elif "tsquery(" in condition and type_.startswith("text"):
            found += len(set(re.findall(r"\w+", text)))
    return max(found, 1)


def _node(node: Node, facts: Facts) -> Bound:
    if node.loops == 0:
        return Bound()
    answer = facts.answer.get(node.alias or "")
    if node.kind in INDEX_SCANS and node.index is not None:
        return _index_scan(node, facts, answer)
    if node.kind == "Bitmap Index Scan" and node.index is not None:
        return _bitmap_index(node, facts)
    if node.kind == "Bitmap Heap Scan":
        rows = node.rows if answer is None else min(node.rows, answer.rows)
        pages = round(rows) if answer is None or node.loops > 1 else min(answer.pages, round(rows))
        return Bound(0, pages, 0, (f"{node.relation}: {count(pages, 'page')} of {count(round(rows), 'row')}",))
    if node.kind == "Seq Scan":
        known = facts.tables.get(node.relation or "", TableFacts())
        # to read a large table from end to end is what the bound is there to show
        small = known.pages <= max(LARGE, PAGES_A_LOOKUP * facts.joined.get(node.alias or "", 0))
        pages = known.pages * round(node.loops) if small else 0
        return Bound(0, pages, 0, (f"{node.relation}: {count(pages, 'page')}, all of a small table",))
    return Bound()


def _index_scan(node: Node, facts: Facts, answer: Visits | None) -> Bound:
    assert node.index is not None
    index = facts.indexes.get(node.index, IndexFacts())
    loops, rows = node.loops, node.rows
    if answer is not None and loops > 1:
        # a join needs no more look-ups than it has rows: others are the plan's own doing
        loops = min(loops, max(answer.rows, 1))
    if answer is not None:
        rows = min(rows, max(answer.rows, 0))
    descents = round(loops) * (index.levels + 1)
    further = max(math.ceil(rows / index.rows_a_leaf) - round(loops), 0)
    if node.kind == "Index Only Scan":
        pages = facts.tables.get(index.table, TableFacts()).pages
        heap = math.ceil(max(pages, 1) / MAP_COVERS) if rows else 0
        told = f"{heap} of the visibility map"
    elif answer is None or node.loops > 1:
        heap = round(rows)
        told = f"{heap} of {node.relation}, one a row"
    else:
        heap = min(answer.changes if facts.ordered else answer.pages, round(rows))
        told = f"{heap} of {node.relation}, where {count(round(rows), 'row')} stand on {answer.pages}"
    said = f"{node.index}: {round(loops)} * {index.levels + 1} + {further} leaves; {told}"
    return Bound(descents + further, heap, index.levels, (said,))


def _bitmap_index(node: Node, facts: Facts) -> Bound:
    assert node.index is not None
    index = facts.indexes.get(node.index, IndexFacts())
    if index.method != "gin":
        descents = round(node.loops) * (index.levels + 1)
        further = max(math.ceil(node.rows / index.rows_a_leaf) - round(node.loops), 0)
        return Bound(
            descents + further,
            0,
            index.levels,
            (f"{node.index}: {round(node.loops)} * {index.levels + 1} + {further}",),
        )
    keys = keys_of(node.condition)
    postings = 0 if node.rows <= GIN_INLINE else keys * (1 + math.ceil(node.rows / GIN_ROWS_A_PAGE))
    if keys > 1 and index.rows >= GIN_MANY:
        # how many rows each key has alone, what they have in common does not tell
        postings = max(postings, 2 * keys)
    # its first page says whether rows wait that are in no tree yet
    pages = round(node.loops) * (1 + keys * (index.levels + 1)) + postings
    said = f"{node.index}: 1 + {count(keys, 'key')} * {index.levels + 1} + {count(postings, 'page')} of rows"
    return Bound(pages, 0, index.levels * keys, (said,))


def gin_levels(entry_pages: int) -> int:
    """The levels above the leaves of a GIN index's keys, by the number of their pages."""
    return 0 if entry_pages <= 1 else math.ceil(math.log(entry_pages, GIN_FANOUT) - 1e-9)


def _leaves(value: object) -> int:
    if isinstance(value, dict):
        return sum(_leaves(one) for one in value.values()) or 1
    if isinstance(value, list):
        return sum(_leaves(one) for one in value) or 1
    return 1


def _trigrams(pattern: str) -> int:
    """The trigrams that every text matching a LIKE pattern holds, as pg_trgm takes them."""
    found: set[str] = set()
    for piece in re.finditer(r"[^%_]+", pattern):
        for word in re.finditer(r"\w+", piece[0]):
            text = word[0].lower()
            # the edge of a word is one where the pattern says what stands beside it
            open_before = word.start() == 0 and piece.start() > 0
            open_after = word.end() == len(piece[0]) and piece.end() < len(pattern)
            padded = f"{'' if open_before else '  '}{text}{'' if open_after else ' '}"
            found |= {padded[i : i + 3] for i in range(len(padded) - 2)}
    return len(found)
