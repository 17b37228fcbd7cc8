"""One row of triggers.sql as the model's Trigger. No I/O."""

from __future__ import annotations

from typing import Any, Literal

from pgcontract import sql
from pgcontract.catalog.words import ENABLED
from pgcontract.errors import CatalogError
from pgcontract.model import Name, Trigger

# Bits of pg_trigger.tgtype (src/include/catalog/pg_trigger.h).
ROW, BEFORE, INSTEAD = 1, 2, 64
EVENTS: tuple[tuple[int, Literal["INSERT", "UPDATE", "DELETE", "TRUNCATE"]], ...] = (
    (4, "INSERT"),
    (16, "UPDATE"),
    (8, "DELETE"),
    (32, "TRUNCATE"),
)


def trigger(row: Any, update_columns: tuple[str, ...]) -> Trigger:
    """The trigger of one row of triggers.sql; ``update_columns`` are the names for its UPDATE OF."""
    when, arguments = condition_and_arguments(row.definition, row.has_condition) if row.definition else (None, ())
    return Trigger(
        name=row.name,
        timing="BEFORE" if row.bits & BEFORE else "INSTEAD OF" if row.bits & INSTEAD else "AFTER",
        events=tuple(event for bit, event in EVENTS if row.bits & bit),
        level="ROW" if row.bits & ROW else "STATEMENT",
        function=Name(row.function_namespace, row.function_name),
        arguments=arguments,
        update_columns=update_columns,
        when=when,
        old_table=row.old_table,
        new_table=row.new_table,
        constraint=row.is_constraint,
        deferrable=row.deferrable,
        deferred=row.deferred,
        enabled=ENABLED[row.enabled],
    )


def condition_and_arguments(definition: str, has_condition: bool) -> tuple[str | None, tuple[str, ...]]:
    """What stands in WHEN ( … ), and the arguments of the function, out of pg_get_triggerdef's text.

    Tokens decide, not text: a name or a literal may well contain `) EXECUTE FUNCTION`.
    """
    tokens = sql.scan(definition)
    depth = 0
    opened = 0
    when: str | None = None
    arguments: list[str] = []
    executed = False
    for number, token in enumerate(tokens):
        if token.text == "(":
            if depth == 0 and tokens[number - 1].text == "WHEN":
                opened = token.end
            depth += 1
        elif token.text == ")":
            depth -= 1
            if depth == 0 and opened and when is None and not executed:
                when = definition[opened : token.start]
        elif token.text == "EXECUTE" and depth == 0:
            executed = True
        elif executed and depth and token.kind == "SCONST":
            arguments.append(token.text[1:-1].replace("''", "'"))
    if has_condition and when is None:
        raise CatalogError("A trigger's WHEN condition cannot be read.", seen=definition)
    return when, tuple(arguments)
