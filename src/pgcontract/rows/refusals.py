"""What a refusal says of why a promise is unproven."""

from __future__ import annotations

import re

from pgcontract.model import Catalog, Name, Reason, Trigger
from pgcontract.rows.oracle import Refusal

TIME_LIMIT_REACHED = "57014"
_FUNCTION = re.compile(r"function (?:\w+\.|\"[^\"]+\"\.)?\"?(?P<name>[^\"(]+)\"?\(")


def told(refusal: Refusal, catalog: Catalog) -> tuple[Reason, str]:
    """The reason and its detail: a trigger by its name, where one of its function's lines raised the error."""
    if refusal.sqlstate == TIME_LIMIT_REACHED:
        return Reason.OUT_OF_TIME, str(refusal)
    if refusal.within and refusal.constraint is None:
        found = raising(refusal, catalog)
        if found:
            table, trigger = found[0]
            return Reason.TRIGGER, f'trigger {trigger.name} on {table} raised {refusal.sqlstate} "{refusal.message}"'
    return Reason.REFUSED, str(refusal)


def raising(refusal: Refusal, catalog: Catalog) -> list[tuple[Name, Trigger]]:
    """The triggers, by their tables, of the innermost function that is a trigger's, of those that were running."""
    for match in _FUNCTION.finditer(refusal.context or ""):
        triggers = ((t.name, trigger) for t in catalog.tables for trigger in t.triggers)
        found = [(of, trigger) for of, trigger in triggers if trigger.function.name == match["name"]]
        if found:
            return found
    return []


def setting(refusal: Refusal, catalog: Catalog) -> list[tuple[Name, Trigger]]:
    """The triggers that may have put NULL into the column of which the refusal speaks: their functions assign to it."""
    table = catalog.table(Name(refusal.schema or "", refusal.table or ""))
    if table is None or refusal.column is None:
        return []
    name = re.escape(refusal.column)
    assigned = re.compile(rf'\bnew\."?{name}"?\s*:?=|\bINTO\s+(?:STRICT\s+)?new\."?{name}"?', re.IGNORECASE)
    bodies = {function.name: function.body for function in catalog.functions}
    before = (t for t in table.triggers if t.timing == "BEFORE" and t.level == "ROW" and t.enabled != "DISABLED")
    return [(table.name, t) for t in before if assigned.search(bodies.get(t.function, ""))]
