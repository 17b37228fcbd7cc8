"""What a refusal says of why a promise is unproven."""

from __future__ import annotations

import re

from pgcontract.model import Catalog, Reason
from pgcontract.rows.oracle import Refusal

TIME_LIMIT_REACHED = "57014"
_FUNCTION = re.compile(r"function (?:\w+\.|\"[^\"]+\"\.)?\"?(?P<name>[^\"(]+)\"?\(")


def told(refusal: Refusal, catalog: Catalog) -> tuple[Reason, str]:
    """The reason and its detail: a trigger by its name, where one of its function's lines raised the error."""
    if refusal.sqlstate == TIME_LIMIT_REACHED:
        return Reason.OUT_OF_TIME, str(refusal)
    if refusal.within and refusal.constraint is None:
        called = {match["name"] for match in _FUNCTION.finditer(refusal.context or "")}
        fired = ((t.name, trigger) for t in catalog.tables for trigger in t.triggers if trigger.function.name in called)
        found = next(fired, None)
        if found is not None:
            table, trigger = found
            return Reason.TRIGGER, f'trigger {trigger.name} on {table} raised {refusal.sqlstate} "{refusal.message}"'
    return Reason.REFUSED, str(refusal)
