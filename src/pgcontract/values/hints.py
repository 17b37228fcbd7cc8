"""Constants that stand in conditions which the solver cannot use: candidates for whoever searches on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from pgcontract.values import arrays
from pgcontract.values.meaning import Meaning, NotUnderstood
from pgcontract.values.space import Line, Space
from pgcontract.values.terms import Cast, Const, Term, columns_of, walk

_MOST = 40
_LONGEST = 20_000
_MOST_ELEMENTS = 2000


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
        if part.kind == "string":
            yield from [part.value] if values.texts is not None else _readable(values.read, part.value)
        elif part.value.isdigit() and int(part.value) <= _LONGEST:
            # it may be a length, or a number of elements
            for size in (int(part.value), int(part.value) + 1, int(part.value) - 1):
                yield from _of_size(values, meaning.type, max(size, 0))


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


def _of_size(values: Space, base: str, size: int) -> Iterator[str]:
    if values.texts is not None:
        yield "a" * size
    elif values.elements is not None:
        if values.elements.texts is not None:
            yield arrays.literal(["a" * size])
        if size <= _MOST_ELEMENTS:
            yield arrays.literal([values.elements.simplest] * size)
    elif base in {"json", "jsonb"}:
        for before, after in (('"', '"'), ('{"a": "', '"}')):
            if size >= len(before + after):
                yield before + "a" * (size - len(before + after)) + after
    elif base == "bytea":
        yield "\\x" + "00" * size


def _readable(read: Callable[[str], Any], text: str) -> Iterator[str]:
    try:
        read(text)
    except (ValueError, KeyError, IndexError, ArithmeticError, RecursionError):
        return
    yield text
