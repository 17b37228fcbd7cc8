"""Queries that read: their plans, and the pages that they touch against those that would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from pgcontract.execution.facts import Database
from pgcontract.execution.measured import Measured
from pgcontract.execution.session import Planned, arrive, executed, laps, prepared, shown
from pgcontract.execution.values import SIZES
from pgcontract.plans.bounds import Bound, Facts, bound_of
from pgcontract.plans.judging import SORTS, Promised, broken
from pgcontract.plans.tree import Plan, lines
from pgcontract.queries import Query
from pgcontract.signs import count

LARGEST: Final = SIZES[0]
Asked: TypeAlias = tuple[str, Sequence[str]]
Executed: TypeAlias = tuple[Plan, Facts, Bound, tuple[float, float, float]]


def measured_reading(database: Database, query: Query, size: str, values: Sequence[str]) -> list[Measured]:
    """The query with these values: with a plan made for them, and with the plan that a session keeps if it is another.

    Raises QueryError.
    """
    connection = database.connection
    with prepared(connection, query, "custom"):
        plan = executed(connection, query, values)
        times = laps(connection, query, values)
    facts = database.facts(query, values)
    bound = bound_of(plan, facts)
    found = [_judged(database, query, (size, values), (plan, facts, bound, times), bound.pages, "custom")]
    if query.parameters:
        with prepared(connection, query, "arrived"):
            kept = executed(connection, query, values) if arrive(connection, query, values) else None
            times = times if kept is None else laps(connection, query, values)
        if kept is not None and (kept.fingerprint, kept.root.buffers) != (plan.fingerprint, plan.root.buffers):
            # what it sorts it has to read before, and it does not know how much that is of these values
            sorts = any(node.kind in SORTS for node in kept.root.walk())
            facts = database.facts(query, values, generic=True, sorts=sorts)
            own = bound_of(kept, facts)
            least = max(bound.pages, own.pages)
            found.append(_judged(database, query, (size, values), (kept, facts, own, times), least, "arrived"))
    return found


def promised(database: Database, query: Query, uses: Sequence[str], facts: Facts, *, general: bool = False) -> Promised:
    """What the query's plan must be like."""
    tables = {name: index.table for name, index in database.indexes.items()}
    apart = {alias for alias, visits in facts.answer.items() if visits.changes > visits.pages}
    return Promised(
        uses,
        database.pages,
        tables,
        sorts=bool(query.sorts),
        general=general,
        joined=facts.joined,
        apart=apart,
        whole=database.whole,
    )


def _judged(database: Database, query: Query, asked: Asked, found: Executed, least: int, planned: Planned) -> Measured:
    """``least``: the pages that the limit is computed from, where they are not the plan's own bound."""
    size, values = asked
    plan, facts, bound, (fastest, typical, slowest) = found
    rows, pages = round(plan.root.rows), plan.root.buffers
    most = query.limit.amount(bound=least, rows=rows)
    # a smaller parent may be found as well by another index, within as many pages
    uses = query.uses if size == LARGEST and planned == "custom" else ()
    problems = list(broken(plan, promised(database, query, uses, facts, general=planned == "arrived")))
    if pages > most:
        problems.append(
            f"{pages} pages are touched, and at most {most:.1f} are promised ({query.limit.formula}, "
            f"where bound is {least}; of this plan: {'; '.join(bound.parts)})"
        )
    problems += row_problems(query, rows)
    text = ""
    if problems:
        with prepared(database.connection, query, planned):
            if planned == "arrived":
                arrive(database.connection, query, values)
            text = shown(database.connection, query, values)
    return Measured(
        size=size,
        plan=planned,
        rows=rows,
        pages=pages,
        bound=least,
        heap=bound.heap_pages,
        indexes=bound.index_pages,
        levels=bound.levels,
        most=most,
        milliseconds=typical,
        fingerprint=plan.fingerprint,
        problems=tuple(problems),
        shown=text,
        fastest=fastest,
        slowest=slowest,
        nodes=tuple(lines(plan.root)),
    )


def row_problems(query: Query, rows: int) -> list[str]:
    """What is wrong with the number of rows."""
    if query.rows_at_most is not None and rows > query.rows_at_most:
        return [f"{count(rows, 'row')}, and at most {query.rows_at_most} are promised"]
    if query.rows_exactly is not None and rows != query.rows_exactly:
        return [f"{count(rows, 'row')}, and exactly {query.rows_exactly} are promised"]
    return []
