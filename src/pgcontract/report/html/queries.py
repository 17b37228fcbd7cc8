"""What ``bench plans`` found: queries by runs and sizes, what indexes are worth, and which of them no query needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pgcontract.report.html.interning import Texts
from pgcontract.report.html.promising import runs
from pgcontract.report.html.results import Index, Measured, PlanLine, Planned, Query


def querying(planned: Sequence[Planned]) -> dict[str, Any] | None:
    """One system's runs as data for the page."""
    if not planned:
        return None
    ordered = sorted(planned, key=lambda one: one.origin.major)
    known: dict[str, Query] = {}
    for one in sorted(planned, key=lambda p: p.origin.date):
        known |= {query.name: query for query in one.queries}
    names, words = sorted(known), Texts()
    return {
        "runs": runs([one.origin for one in ordered]),
        "names": names,
        "meaning": [known[name].meaning for name in names],
        "sql": [known[name].sql for name in names],
        "uses": [list(known[name].uses) for name in names],
        "promise": [known[name].promise for name in names],
        "results": [_column(one, names, words) for one in ordered],
        "worth": _worth(ordered[-1], words),
        "indexes": unneeded(planned),
        "words": words.all,
    }


def _column(one: Planned, names: Sequence[str], words: Texts) -> list[Any]:
    """For each query its measurements, the smallest database first; the plan is that of the largest."""
    found = {query.name: query for query in one.queries}
    return [
        None
        if (query := found.get(name)) is None
        else {
            "sizes": [_measured(m) for m in query.measured],
            "plan": _plan(query.measured[-1].plan, words) if query.measured else [],
        }
        for name in names
    ]


def _measured(m: Measured) -> list[Any]:
    """In the order that data.js names."""
    times = (None if t is None else round(t, 4) for t in (m.milliseconds, m.fastest, m.slowest))
    return [m.rows, m.verdict, m.returned, m.pages, m.bound, round(m.most, 1), *times, m.parent, list(m.problems)]


def _plan(plan: Iterable[PlanLine], words: Texts) -> list[list[int]]:
    return [[line.depth, words.number(line.what), line.rows, line.pages] for line in plan]


def _worth(one: Planned, words: Texts) -> list[dict[str, Any]]:
    return [
        {
            "query": worth.query,
            "index": worth.index,
            "rows": worth.rows,
            "pages": [worth.pages_with, worth.pages_without],
            "milliseconds": [round(worth.milliseconds_with, 4), round(worth.milliseconds_without, 4)],
            "plans": [_plan(worth.plan_with, words), _plan(worth.plan_without, words)],
        }
        for worth in one.worth
    ]


def unneeded(planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """The indexes of the newest schema that no hot query promises to use, and that no execution in any run read.

    A unique index is left out, since it refuses rows. ``serves`` names the foreign keys that look their rows up by it
    when a row that they refer to is deleted; ``worth`` tells the indexes that are promised, and without which the query
    touches no page more.
    """
    newest = max(planned, key=lambda one: one.origin.date)
    needed = {name for one in planned for query in one.queries for name in (*query.uses, *query.read)}
    idle = {w.index for w in newest.worth if w.pages_without <= w.pages_with}
    idle -= {w.index for w in newest.worth if w.pages_without > w.pages_with}
    return [
        {
            "name": index.name,
            "table": index.table,
            "clause": index.clause,
            "needed": index.name in needed,
            "serves": _served(index, newest),
        }
        for index in newest.outline.indexes
        if (index.name not in needed and not index.unique) or index.name in idle
    ]


def _served(index: Index, planned: Planned) -> list[str]:
    """Foreign keys of its table whose columns the index begins with."""
    return [
        fk.name
        for fk in planned.outline.foreign_keys
        if fk.table == index.table and set(index.columns[: len(fk.columns)]) == set(fk.columns)
    ]
