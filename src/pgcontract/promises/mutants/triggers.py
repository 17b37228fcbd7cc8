"""Triggers changed by one small thing, and functions' bodies by one token or statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from pgcontract.model import Catalog, Function, Name, Table, Trigger
from pgcontract.promises.definitions import create_function, create_trigger, drop_trigger
from pgcontract.promises.mutants.base import Mutant
from pgcontract.promises.mutants.bodies import planted
from pgcontract.promises.mutants.detours import detours
from pgcontract.sql import SqlError

SCANNED = frozenset({"plpgsql"})
"""Languages whose bodies are changed."""


def trigger_mutants(catalog: Catalog, table: Name, trigger: Trigger) -> Iterator[Mutant]:
    """The trigger gone, off, at other events, at another time, for other rows."""
    gone = drop_trigger(table, trigger)
    for what, other in trigger_defects(trigger):
        operator, _, rest = what.partition(" ")
        same = _same(catalog.table(table), trigger) if operator == "drop_columns" else None
        yield Mutant(operator, rest, (gone, *(create_trigger(table, other) if other is not None else ())), same)


def _same(table: Table | None, trigger: Trigger) -> str | None:
    """Why a trigger of UPDATE OF a column may as well be one of any UPDATE: it wants the column to have changed."""
    if table is None or len(trigger.update_columns) != 1 or trigger.when is None or " OR " in trigger.when:
        return None
    column, when = trigger.update_columns[0], trigger.when.lower()
    changes = (f"old.{column} {word} new.{column}" in when for word in ("<>", "is distinct from"))
    before = (t for t in table.triggers if t.timing == "BEFORE" and t.level == "ROW" and "UPDATE" in t.events)
    if not any(changes) or any(t.name != trigger.name for t in before):
        return None
    return f"its condition is false where {column} is not SET, since no other BEFORE trigger writes it"


def function_mutants(function: Function, shown_by: tuple[str, ...]) -> Iterator[Mutant]:
    """The function with a statement less, a condition negated, another operator, constant, or row."""
    if function.language.lower() not in SCANNED:
        return
    try:
        for defect in planted(function.body):
            ddl = (create_function(replace(function, body=defect.body)),)
            what = str(defect).partition(": ")[2]
            ways = tuple(detours(function, defect))
            yield Mutant(defect.operator, what, ddl, defect.equivalent, shown_by=shown_by, detours=ways)
    except (SqlError, ValueError):
        # no body that PostgreSQL's scanner knows
        return


def trigger_defects(trigger: Trigger) -> Iterator[tuple[str, Trigger | None]]:
    """The same trigger with something else about it; None for none at all. Not all of them can be created."""
    yield "drop_trigger", None
    yield "disable_trigger", replace(trigger, enabled="DISABLED")
    for event in trigger.events if len(trigger.events) > 1 else ():
        columns = () if event == "UPDATE" else trigger.update_columns
        yield f"drop_event {event}", replace(trigger, events=_left(trigger.events, event), update_columns=columns)
    for event in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        if event not in trigger.events:
            yield f"add_event {event}", replace(trigger, events=(*trigger.events, event))
    if trigger.timing != "INSTEAD OF":
        timing: Literal["AFTER", "BEFORE"] = "AFTER" if trigger.timing == "BEFORE" else "BEFORE"
        yield f"change_timing {timing}", replace(trigger, timing=timing)
    level: Literal["ROW", "STATEMENT"] = "STATEMENT" if trigger.level == "ROW" else "ROW"
    yield f"change_level {level}", replace(trigger, level=level)
    for column in trigger.update_columns if len(trigger.update_columns) > 1 else ():
        yield f"drop_column {column}", replace(trigger, update_columns=_left(trigger.update_columns, column))
    if trigger.update_columns:
        yield "drop_columns", replace(trigger, update_columns=())
    if trigger.when:
        yield "drop_condition", replace(trigger, when=None)
        yield "negate_condition", replace(trigger, when=f"NOT COALESCE({trigger.when}, FALSE)")
    if trigger.arguments:
        yield "drop_argument", replace(trigger, arguments=trigger.arguments[:-1])
    if trigger.constraint:
        yield "change_deferral", replace(trigger, deferrable=True, deferred=not trigger.deferred)


def _left(things: tuple[Any, ...], gone: str) -> tuple[Any, ...]:
    return tuple(thing for thing in things if thing != gone)
