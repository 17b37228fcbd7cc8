"""The few texts that a column may hold: ``CHECK (status IN ('open', 'closed'))`` is an enum in all but its name."""

from __future__ import annotations

from typing import Final

from pgcontract.model import Column, Table
from pgcontract.values.expressions import Atom, parse_check
from pgcontract.values.naming import parse_type
from pgcontract.values.terms import Cast, Col, Const, Items, Op, Quantified, Term

_TEXTS: Final = frozenset({"text", "character varying"})
"""A character(n) comes back with spaces at its end, which its CHECK does not see."""


def choices(table: Table, column: Column) -> tuple[str, ...]:
    """The texts that a CHECK lets a column hold, in its order; none where no CHECK is just a list of them."""
    parsed = parse_type(column.type)
    if parsed.base not in _TEXTS or parsed.array:
        return ()
    for check in table.checks:
        if check.validated and check.enforced:
            condition = parse_check(check.expression, {one.name for one in table.columns})
            found = _listed(condition.term, column.name) if isinstance(condition, Atom) else ()
            if found:
                return found
    return ()


def _listed(term: Term, column: str) -> tuple[str, ...]:
    match term:
        case Quantified("=", left, right, every=False) if _bare(left) == Col(column):
            listed = _bare(right)
            items = [_bare(item) for item in listed.items] if isinstance(listed, Items) else []
        case Op("=", left, right) if left is not None and _bare(left) == Col(column):
            items = [_bare(right)]
        case _:
            return ()
    texts = [item.value for item in items if isinstance(item, Const) and item.kind == "string"]
    # with a NULL among them, whatever is not among them would pass
    whole = len(texts) == len(items)
    return tuple(dict.fromkeys(text for text in texts if text is not None)) if whole else ()


def _bare(term: Term) -> Term:
    """A term without casts between types of text."""
    while isinstance(term, Cast) and parse_type(term.type.removesuffix("[]")).base in _TEXTS:
        term = term.arg
    return term
