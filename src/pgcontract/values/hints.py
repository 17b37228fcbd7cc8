"""Constants that stand in conditions which the solver cannot use: candidates for whoever searches on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from pgcontract.values.meaning import Meaning, NotUnderstood
from pgcontract.values.space import Line, Space
from pgcontract.values.terms import Cast, Const, Term, columns_of, walk

_MOST = 40
_LONGEST = 200


def hints_of(values: Space, terms: Iterable[Term], meaning: Meaning) -> tuple[str, ...]:
    """Return constants within the terms that are literals of the type, each with its neighbours."""
    found: dict[str, None] = {}
    for tree in terms:
        for part in walk(tree):
            if isinstance(part, Const | Cast) and not columns_of(part):
                found.update(dict.fromkeys(_near(values, part, meaning)))
    return tuple(found)[:_MOST]


def _near(values: Space, part: Const | Cast, meaning: Meaning) -> Iterator[str]:
    if values.line is not None:
        yield from _on_line(values.line, part, meaning)
    elif isinstance(part, Const) and part.value is not None and values.read is not None:
        yield from _texts(part.value, part.kind) if values.texts is not None else _readable(values.read, part.value)


def _on_line(line: Line, part: Const | Cast, meaning: Meaning) -> Iterator[str]:
    try:
        value = meaning.constant(part, meaning.type)
    except NotUnderstood:
        return
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        tick = Fraction(value) / line.unit
        if line.dense and tick.denominator != 1:
            yield repr(float(value))
        yield from (line.show(int(tick) + n) for n in (0, -1, 1) if line.low <= int(tick) + n <= line.high)


def _texts(text: str, kind: str) -> Iterator[str]:
    if kind == "string":
        yield text
    elif text.isdigit() and int(text) <= _LONGEST:
        # it may be a length
        yield from ("a" * (int(text) + n) for n in (0, 1, -1) if int(text) + n >= 0)


def _readable(read: Callable[[str], Any], text: str) -> Iterator[str]:
    try:
        read(text)
    except (ValueError, KeyError, IndexError, ArithmeticError, RecursionError):
        return
    yield text
