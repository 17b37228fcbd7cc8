"""What PostgreSQL's functions make of values, by name and number of arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, TypeAlias

from pgcontract.values import numbers
from pgcontract.values.naming import family
from pgcontract.values.operators import MOMENTS, TEXTS, doubt, json_type, negated_number, truncated
from pgcontract.values.space import Extreme, Folded


def _is(*families: str) -> Callable[[str], bool]:
    return lambda type_text: family(type_text) in families


_TEXT: Final = _is("text", "character varying", "citext", "name")
_BYTES: Final = _is("text", "character varying", "citext", "name", "bytea")
_INTEGER: Final = _is("smallint", "integer")
_NUMBER: Final = _is("smallint", "integer", "bigint", "numeric")


def _array(type_text: str) -> bool:
    return type_text.endswith("[]")


def _texts(type_text: str) -> bool:
    return _array(type_text) and _TEXT(type_text.removesuffix("[]"))


def _joined(items: tuple[str | None, ...], between: str) -> str:
    return str(between).join(i for i in items if i is not None)


def _scalar(type_text: str) -> bool:
    return not type_text.endswith("[]")


def _cased(change: Callable[[str], str]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        if not text.isascii() and any(c.lower() != c or c.upper() != c for c in text):
            doubt()
        return type(text)(change(text)) if isinstance(text, Folded) else change(str(text))

    return apply


def _trim(strip: Callable[..., str]) -> Callable[..., str]:
    return lambda text, characters=" ": strip(str(text), str(characters)) if characters else str(text)


def _json_length(value: Any) -> int:
    return len(value) if isinstance(value, list) else doubt()


def _place(items: Any, value: Any) -> int | None:
    if items is None:
        return None
    return next((n for n, i in enumerate(items, 1) if (i is None if value is None else i == value)), None)


def _left(text: str, count: int) -> str:
    return str(text)[:count]


def _right(text: str, count: int) -> str:
    return str(text)[len(text) - count if 0 <= count <= len(text) else 0 if count > 0 else -count :]


def _part(text: str, start: int, count: int | None = None) -> str:
    end = None if count is None else start + count - 1
    if count is not None and count < 0:
        doubt()
    return str(text)[max(start - 1, 0) : None if end is None else max(end, 0)]


def _finite(value: Any) -> bool:
    return not isinstance(value, Extreme)


def _absolute(value: Any) -> Any:
    if isinstance(value, int) and value in {-(2**15), -(2**31), -(2**63)}:
        doubt()  # it may be the least of its type, of which there is no opposite
    return value if isinstance(value, Extreme) and value.rank > 0 else negated_number(value) if value < 0 else value


def _modulo(a: Any, b: Any) -> Any:
    if isinstance(a, Extreme) or isinstance(b, Extreme) or b == 0:
        doubt()
    return a - b * truncated(Fraction(a) / b)


def _whole(function: Callable[[Any], int]) -> Callable[[Any], Any]:
    return lambda v: v if isinstance(v, Extreme) else function(Fraction(v))


def _clock_or_moment(type_text: str) -> bool:
    return family(type_text) in MOMENTS


NOT_STRICT: Final = frozenset({"array_position"})
_Kinds: TypeAlias = tuple[Callable[[str], bool], ...]
# by name and number of arguments: what they accept, the type of the result (None: the first argument's), the function
FUNCTIONS: Final[dict[tuple[str, int], tuple[_Kinds, str | None, Callable[..., Any]]]] = {
    **{(n, 1): ((_is(*TEXTS, "bytea"),), "integer", len) for n in ("char_length", "character_length", "length")},
    ("octet_length", 1): ((_BYTES,), "integer", lambda t: len(t if isinstance(t, bytes) else t.encode())),
    ("bit_length", 1): ((_TEXT,), "integer", lambda t: 8 * len(t.encode())),
    ("lower", 1): ((_TEXT,), "text", _cased(str.lower)),
    ("upper", 1): ((_TEXT,), "text", _cased(str.upper)),
    ("btrim", 1): ((_TEXT,), "text", _trim(str.strip)),
    ("ltrim", 1): ((_TEXT,), "text", _trim(str.lstrip)),
    ("rtrim", 1): ((_TEXT,), "text", _trim(str.rstrip)),
    ("btrim", 2): ((_TEXT, _TEXT), "text", _trim(str.strip)),
    ("ltrim", 2): ((_TEXT, _TEXT), "text", _trim(str.lstrip)),
    ("rtrim", 2): ((_TEXT, _TEXT), "text", _trim(str.rstrip)),
    ("left", 2): ((_TEXT, _INTEGER), "text", _left),
    ("right", 2): ((_TEXT, _INTEGER), "text", _right),
    **{(n, 2): ((_TEXT, _INTEGER), "text", _part) for n in ("substr", "substring")},
    **{(n, 3): ((_TEXT, _INTEGER, _INTEGER), "text", _part) for n in ("substr", "substring")},
    ("strpos", 2): ((_TEXT, _TEXT), "integer", lambda t, p: str(t).find(str(p)) + 1),
    ("position", 2): ((_TEXT, _TEXT), "integer", lambda t, p: str(t).find(str(p)) + 1),
    ("starts_with", 2): ((_is("text"), _is("text")), "boolean", lambda t, p: str(t).startswith(str(p))),
    ("reverse", 1): ((_TEXT,), "text", lambda t: str(t)[::-1]),
    ("replace", 3): ((_is("text"),) * 3, "text", lambda t, a, b: t.replace(a, b) if a else t),
    ("jsonb_typeof", 1): ((_is("jsonb"),), "text", json_type),
    ("json_typeof", 1): ((_is("json"),), "text", json_type),
    ("jsonb_array_length", 1): ((_is("jsonb"),), "integer", _json_length),
    ("json_array_length", 1): ((_is("json"),), "integer", _json_length),
    ("array_to_string", 2): ((_texts, _TEXT), "text", _joined),
    ("cardinality", 1): ((_array,), "integer", len),
    ("array_length", 2): ((_array, _INTEGER), "integer", lambda a, n: len(a) or None if n == 1 else doubt()),
    ("array_upper", 2): ((_array, _INTEGER), "integer", lambda a, n: len(a) or None if n == 1 else doubt()),
    ("array_ndims", 1): ((_array,), "integer", lambda a: 1 if a else None),
    ("array_position", 2): ((_array, _scalar), "integer", _place),
    ("abs", 1): ((_NUMBER,), None, _absolute),
    ("mod", 2): ((_NUMBER, _NUMBER), None, _modulo),
    ("floor", 1): ((_is("numeric"),), "numeric", _whole(math.floor)),
    ("ceil", 1): ((_is("numeric"),), "numeric", _whole(math.ceil)),
    ("ceiling", 1): ((_is("numeric"),), "numeric", _whole(math.ceil)),
    ("trunc", 1): ((_is("numeric"),), "numeric", _whole(truncated)),
    ("round", 1): ((_is("numeric"),), "numeric", lambda v: numbers.rounded(Fraction(v), 0) if _finite(v) else v),
    ("isfinite", 1): ((_clock_or_moment,), "boolean", _finite),
}
