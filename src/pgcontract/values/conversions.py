"""What casts make of values."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from pgcontract.values import numbers
from pgcontract.values.naming import family, parse_type
from pgcontract.values.networks import uuid_text
from pgcontract.values.operators import FLOATS, INTEGERS, MOMENTS, NUMBERS, TEXTS, NotUnderstood, as_float, doubt
from pgcontract.values.space import Extreme, Folded, Label, Moment, Padded

_DAY: Final = 86_400_000_000


def conversion(source: str, target: str) -> Callable[[Any], Any]:
    """The function of a cast. Raises NotUnderstood."""
    one, other = family(source), family(target)
    modifiers = parse_type(target).modifiers
    if one.endswith("[]") and other.endswith("[]"):
        inner = conversion(source.removesuffix("[]"), target.removesuffix("[]"))
        return lambda items: tuple(None if i is None else inner(i) for i in items)
    if one in TEXTS and other in TEXTS:
        return _to_text(other, modifiers)
    if one in NUMBERS and other in NUMBERS:
        return _to_number(one, other, modifiers)
    if one in MOMENTS and other in MOMENTS and not modifiers:
        return _to_day if other == "date" else _same
    if one == other and not modifiers:
        return _same
    if other == "text":
        return _printed(one)
    raise NotUnderstood


def _printed(source: str) -> Callable[[Any], str]:
    """How PostgreSQL prints a value, where that is known."""
    if source == "uuid":
        return uuid_text
    if source in INTEGERS:
        return str
    if source == "boolean":
        return lambda v: "true" if v else "false"
    return _label_text


def _to_day(value: Any) -> Any:
    return Moment(value - value % _DAY) if isinstance(value, Moment) else value


def _same(value: Any) -> Any:
    return value


def _label_text(value: Any) -> str:
    return value.text if isinstance(value, Label) else doubt()


def _to_text(target: str, modifiers: tuple[int, ...]) -> Callable[[Any], Any]:
    match target:
        case "citext":
            return Folded
        case "character" | "bpchar" | "name":
            if modifiers:
                raise NotUnderstood
            return _as_padded
        case _:
            return lambda v: str(v)[: modifiers[0] if modifiers else None]


def _as_padded(value: Any) -> Any:
    if isinstance(value, Padded):
        return value
    return Padded.of(str(value), len(value))


def _to_number(source: str, target: str, modifiers: tuple[int, ...]) -> Callable[[Any], Any]:
    if target in INTEGERS:
        if source in INTEGERS:
            return _same
        if source == "numeric":
            return lambda v: doubt() if isinstance(v, Extreme) else int(numbers.rounded(Fraction(v), 0))
        raise NotUnderstood
    if target == "numeric" and source not in FLOATS | {"money"}:
        if not modifiers:
            return _same
        scale = modifiers[1] if len(modifiers) > 1 else 0
        return lambda v: numbers.rounded(Fraction(v), scale) if not isinstance(v, Extreme) else v
    if target == "double precision" and source != "money":
        return as_float
    if target == "money" and source not in FLOATS:
        return lambda v: doubt() if isinstance(v, Extreme) else numbers.rounded(Fraction(v), 2)
    if target == source and not modifiers:
        return _same
    raise NotUnderstood
