"""Where the tables of a schema stand in its picture: layers from left to right, a table right of what it refers to.

The method is Sugiyama's: cycles are cut, each table gets the layer after the last of those that it refers to, long
lines get places of their own in the layers that they cross, and each layer is ordered by where its neighbours stand,
forth and back, as long as fewer lines cross.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

SWEEPS: Final = 12
RELAXATIONS: Final = 24
NARROWEST: Final = 132
WIDEST: Final = 230
CHARACTER: Final = 7.0
HEIGHT: Final = 40
APART: Final = 16
BETWEEN: Final = 76
LINE: Final = 14
"""The height that a line takes which passes by."""
COLUMNS_APART: Final = 24

Node: TypeAlias = tuple[str, int]
"""A table in its layer; or the place where a line to it passes: the table that it comes from, `>`, and the one it
goes to."""


@dataclass(frozen=True, slots=True)
class Box:
    """A table's place: its upper left corner."""

    name: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Link:
    """A line from a table to the one that it refers to, through these points; both ends are at the boxes' sides."""

    table: str
    references: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """All places; boxes are equally wide and high."""

    width: int
    height: int
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]


def picture(tables: Sequence[str], references: Iterable[tuple[str, str]]) -> Picture:
    """Lay out tables; ``references`` are pairs of a table and one that it refers to."""
    known = set(tables)
    pairs = [p for p in dict.fromkeys(references) if set(p) <= known]
    straight = [p for p in pairs if p[0] != p[1]]
    joined = {name for pair in straight for name in pair}
    width = round(min(max([NARROWEST, *(len(name) * CHARACTER + 26 for name in tables)]), WIDEST))
    rank = _ranks([t for t in tables if t in joined], _acyclic(tables, straight))
    layers, ways = _layers(rank, straight)
    _order(layers, ways)
    middles = _middles(layers, ways)
    step = width + BETWEEN
    boxes = [
        Box(name, layer * step, round(middles[name, layer] - HEIGHT / 2))
        for layer, nodes in enumerate(layers)
        for name, _ in nodes
        if name in rank
    ]
    bottom = max([0, *(box.y + HEIGHT + APART for box in boxes)])
    alone = [t for t in tables if t not in joined]
    across = max(len(layers), min(len(alone), 5), 1)
    apart = step if layers else width + COLUMNS_APART
    boxes += [Box(name, n % across * apart, bottom + n // across * (HEIGHT + APART)) for n, name in enumerate(alone)]
    links = [Link(*pair, _points(pair, ways, middles, width)) for pair in straight]
    place = {box.name: box for box in boxes}
    links += [Link(t, t, _loop(place[t], width)) for t, other in pairs if t == other]
    right = max([width, *(box.x + width for box in boxes)])
    if any(link.table == link.references for link in links):
        right += 16
    lowest = max([HEIGHT, *(box.y + HEIGHT for box in boxes), *(y for link in links for _, y in link.points)])
    return Picture(right, round(lowest), width, HEIGHT, tuple(boxes), tuple(links))


def _acyclic(tables: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs without those that close a cycle, found depth first, without recursion: schemas may be deep."""
    after: dict[str, list[str]] = {t: [] for t in tables}
    for table, other in pairs:
        after[table].append(other)
    kept: list[tuple[str, str]] = []
    done: set[str] = set()
    for start in tables:
        path = {start}
        stack = [(start, iter(after[start]))] if start not in done else []
        done.add(start)
        while stack:
            table, others = stack[-1]
            other = next(others, "")
            if not other:
                stack.pop()
                path.discard(table)
            elif other not in path:
                kept.append((table, other))
                if other not in done:
                    done.add(other)
                    path.add(other)
                    stack.append((other, iter(after[other])))
    return kept


def _ranks(tables: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The layer of each table: as near as may be to the nearest of those that refer to it."""
    rank = dict.fromkeys(tables, 0)
    for _ in tables:
        moved = False
        for table, other in pairs:
            if rank[table] <= rank[other]:
                rank[table], moved = rank[other] + 1, True
        if not moved:
            break
    referring: dict[str, list[str]] = {}
    referred: dict[str, list[str]] = {}
    for table, other in pairs:
        referring.setdefault(other, []).append(table)
        referred.setdefault(table, []).append(other)
    for table in tables:
        if table not in referred and table in referring:
            rank[table] = min(rank[t] for t in referring[table]) - 1
    return rank


Ways: TypeAlias = Mapping[tuple[str, str], tuple[Node, ...]]


def _layers(rank: Mapping[str, int], pairs: Sequence[tuple[str, str]]) -> tuple[list[list[Node]], Ways]:
    """The nodes of each layer, and for each pair the nodes that its line passes, from left to right."""
    layers: list[list[Node]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for table, layer in rank.items():
        layers[layer].append((table, layer))
    ways: dict[tuple[str, str], tuple[Node, ...]] = {}
    for pair in pairs:
        left, right = sorted(pair, key=lambda name: rank[name])
        between = [(f"{pair[0]}>{pair[1]}", layer) for layer in range(rank[left] + 1, rank[right])]
        for node in between:
            layers[node[1]].append(node)
        ways[pair] = ((left, rank[left]), *between, (right, rank[right]))
    return layers, ways


def _neighbours(ways: Ways) -> tuple[dict[Node, list[Node]], dict[Node, list[Node]]]:
    left: dict[Node, list[Node]] = {}
    right: dict[Node, list[Node]] = {}
    for way in ways.values():
        for one, other in pairwise(way):
            right.setdefault(one, []).append(other)
            left.setdefault(other, []).append(one)
    return left, right


def _order(layers: list[list[Node]], ways: Ways) -> None:
    """Order each layer, in place."""
    left, right = _neighbours(ways)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, right)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        beside = left if forth else right
        position = {node: n for layer in layers for n, node in enumerate(layer)}
        for layer in layers[1:] if forth else layers[-2::-1]:
            middle = {
                node: sum(position[o] for o in beside[node]) / len(beside[node]) if beside.get(node) else position[node]
                for node in layer
            }
            layer.sort(key=middle.__getitem__)
            position |= {node: n for n, node in enumerate(layer)}
        crossings = _crossings(layers, right)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    layers[:] = best


def _crossings(layers: Sequence[Sequence[Node]], right: Mapping[Node, Sequence[Node]]) -> int:
    position = {node: n for layer in layers for n, node in enumerate(layer)}
    count = 0
    for layer in layers:
        ends = [position[other] for node in layer for other in sorted(right.get(node, ()), key=lambda o: position[o])]
        below: list[int] = []
        for end in reversed(ends):
            count += bisect_left(below, end)
            insort(below, end)
    return count


def _middles(layers: Sequence[Sequence[Node]], ways: Ways) -> dict[Node, float]:
    """The middle of each node from above: near the mean of its neighbours, in its layer's order, without overlap."""
    left, right = _neighbours(ways)
    tables = {node for way in ways.values() for node in (way[0], way[-1])}
    high = {node: HEIGHT if node in tables else LINE for layer in layers for node in layer}
    found: dict[Node, float] = {}
    for layer in layers:
        _apart(layer, dict.fromkeys(layer, 0.0), high, found)
    for turn in range(RELAXATIONS):
        for layer in layers if turn % 2 == 0 else layers[::-1]:
            wanted = {}
            for node in layer:
                beside = [*left.get(node, ()), *right.get(node, ())]
                wanted[node] = sum(found[o] for o in beside) / len(beside) if beside else found[node]
            _apart(layer, wanted, high, found)
    top = min((found[node] - high[node] / 2 for node in found), default=0.0)
    return {node: middle - top for node, middle in found.items()}


def _apart(
    layer: Sequence[Node], wanted: Mapping[Node, float], high: Mapping[Node, int], found: dict[Node, float]
) -> None:
    """Place a layer's nodes as near to where they are wanted as their order and heights let them.

    Nodes that press against each other form a block, which moves as one to the mean of what its nodes want.
    """
    blocks: list[tuple[list[Node], list[float], float]] = []
    for node in layer:
        nodes, offsets, start = [node], [0.0], wanted[node]
        while blocks:
            before, before_offsets, before_start = blocks[-1]
            last = before_start + before_offsets[-1]
            gap = (high[before[-1]] + high[nodes[0]]) / 2 + APART
            if last + gap <= start:
                break
            blocks.pop()
            shift = before_offsets[-1] + gap
            nodes, offsets = [*before, *nodes], [*before_offsets, *(shift + o for o in offsets)]
            start = sum(wanted[n] - o for n, o in zip(nodes, offsets, strict=True)) / len(nodes)
        blocks.append((nodes, offsets, start))
    for nodes, offsets, start in blocks:
        for node, offset in zip(nodes, offsets, strict=True):
            found[node] = start + offset


def _points(
    pair: tuple[str, str], ways: Ways, middles: Mapping[Node, float], width: int
) -> tuple[tuple[int, int], ...]:
    """From the table that refers to the one that is referred to."""
    step = width + BETWEEN
    points: list[tuple[int, int]] = []
    way = ways[pair]
    for number, node in enumerate(way):
        x, y = node[1] * step, round(middles[node])
        if number > 0:
            points.append((x, y))
        if number < len(way) - 1:
            points.append((x + width, y))
    return tuple(points if way[0][0] == pair[0] else reversed(points))


def _loop(box: Box, width: int) -> tuple[tuple[int, int], ...]:
    x, y = box.x + width, box.y
    return ((x, y + 28), (x + 14, y + 28), (x + 14, y + 10), (x, y + 10))
