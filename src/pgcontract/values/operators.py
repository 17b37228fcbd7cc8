"""What PostgreSQL's operators make of values, as Python functions; what is in doubt is left to the database."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NoReturn

from pgcontract.values.naming import family, qualified
from pgcontract.values.space import Extreme, JsonNull

TEXTS: Final = frozenset({"text", "character varying", "character", "bpchar", "name", "citext"})
INTEGERS: Final = frozenset({"smallint", "integer", "bigint", "oid"})
FLOATS: Final = frozenset({"real", "double precision"})
NUMBERS: Final = INTEGERS | FLOATS | {"numeric", "money"}
MOMENTS: Final = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
JSON: Final = frozenset({"json", "jsonb"})


class NotUnderstood(Exception):
    """Only the database can judge this expression."""


class Doubt(Exception):
    """Only the database can judge this value."""


def doubt() -> NoReturn:
    raise Doubt


def negated_number(value: Any) -> Any:
    if isinstance(value, Extreme):
        return value if value.rank == 2 else Extreme(-value.rank)
    return -value


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MATCHES: Final = frozenset({"~", "!~", "~*", "!~*", "~~", "!~~", "~~*", "!~~*"})
ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%"})
RESULTS: Final = {"||": "text"}
_COMPARABLE: Final = frozenset({"boolean", "bytea", "time without time zone", "uuid"})


def comparison(name: str, left: str, right: str) -> Callable[[Any, Any], bool]:
    one, other = family(left), family(right)
    compare = COMPARISONS[name]
    if one.endswith("[]") and other.endswith("[]"):
        if name not in {"=", "<>"}:
            raise NotUnderstood
        element = comparison("=", one[:-2], other[:-2])
        return lambda a, b: _equal_items(a, b, element) is (name == "=")
    if one in TEXTS and other in TEXTS:
        if name not in {"=", "<>"}:
            raise NotUnderstood
        return (lambda a, b: compare(_folded(a), _folded(b))) if "citext" in {one, other} else compare
    if one == other == "jsonb" and name in {"=", "<>"}:
        return lambda a, b: compare(_json_key(a), _json_key(b))
    if one in NUMBERS and other in NUMBERS and (one in FLOATS) == (other in FLOATS):
        return compare
    if one in MOMENTS and other in MOMENTS:
        return compare
    if one == other and (one in _COMPARABLE or qualified(one) is not None):
        return compare
    if one in NUMBERS and other in NUMBERS:
        # a numeric constant becomes a float first
        return lambda a, b: compare(as_float(a), as_float(b))
    raise NotUnderstood


def as_float(value: Any) -> Any:
    return value if isinstance(value, Extreme) else Fraction(float(value))


def _equal_items(a: tuple[Any, ...], b: tuple[Any, ...], element: Callable[[Any, Any], bool]) -> bool:
    return len(a) == len(b) and all(
        x is y if x is None or y is None else element(x, y) for x, y in zip(a, b, strict=True)
    )


def _json_key(value: Any) -> Any:
    """Two documents are equal where these are: JSON's true is no number."""
    match value:
        case dict():
            return ("object", frozenset((k, _json_key(v)) for k, v in value.items()))
        case list():
            return ("array", tuple(_json_key(v) for v in value))
        case _:
            return (json_type(value), value)


def _folded(value: str) -> str:
    if not value.isascii():
        doubt()
    return value.lower()


def containment(name: str, equal: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def within(part: tuple[Any, ...], whole: tuple[Any, ...]) -> bool:
        return all(p is not None and any(w is not None and equal(p, w) for w in whole) for p in part)

    match name:
        case "<@":
            return within
        case "@>":
            return lambda a, b: within(b, a)
        case _:
            return lambda a, b: any(within((x,), b) for x in a)


def arithmetic_type(left: str, right: str) -> str:
    families = {family(left), family(right)}
    if families <= INTEGERS:
        return "bigint" if "bigint" in families else "smallint" if families == {"smallint"} else "integer"
    return "numeric"


def arithmetic(name: str, left: str, right: str) -> Callable[[Any, Any], Any]:
    families = {family(left), family(right)}
    if not families <= INTEGERS | {"numeric"}:
        raise NotUnderstood
    whole = families <= INTEGERS
    limit = LIMITS.get(arithmetic_type(left, right))

    def calculate(a: Any, b: Any) -> Any:
        if isinstance(a, Extreme) or isinstance(b, Extreme) or (name in "/%" and b == 0):
            doubt()
        match name:
            case "+":
                found = a + b
            case "-":
                found = a - b
            case "*":
                found = a * b
            case "%":
                found = a - b * truncated(Fraction(a) / b)
            case _:
                if not whole:
                    doubt()  # numeric division rounds to a scale of its own
                found = truncated(Fraction(a) / b)
        return within_range(found, limit)

    return calculate


LIMITS: Final = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def within_range(value: Any, limit: int | None) -> Any:
    """What is out of its type's range is an error, which no condition survives."""
    return value if limit is None or -limit <= value < limit else doubt()


def truncated(value: Fraction) -> int:
    return math.floor(value) if value >= 0 else -math.floor(-value)


def json_type(value: Any) -> str:
    match value:
        case None | JsonNull():
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "number"
