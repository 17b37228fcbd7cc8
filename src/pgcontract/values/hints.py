"""Constants that stand in conditions which the solver cannot use: candidates for whoever searches on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from pgcontract.values.meaning import Meaning, NotUnderstood
from pgcontract.values.space import Space
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


def _near(values: Space, part: Term, meaning: Meaning) -> Iterator[str]:
    line = values.line
    if line is not None:
        try:
            value = meaning.constant(part, meaning.type)
        except NotUnderstood:
            return
        if isinstance(value, int | Fraction) and not isinstance(value, bool):
            tick = Fraction(value) / line.unit
            if line.dense and tick.denominator != 1:
                yield repr(float(value))
            for near in (int(tick), int(tick) - 1, int(tick) + 1):
                if line.low <= near <= line.high:
                    yield line.show(near)
        return
    if not isinstance(part, Const) or part.value is None or values.read is None:
        return
    text = part.value
    if values.texts is not None:
        if part.kind == "string":
            yield text
        elif text.isdigit() and int(text) <= _LONGEST:
            # it may be a length
            yield from ("a" * (int(text) + more) for more in (0, 1, -1) if int(text) + more >= 0)
        return
    try:
        values.read(text)
    except (ValueError, KeyError, IndexError, ArithmeticError):
        return
    yield text
