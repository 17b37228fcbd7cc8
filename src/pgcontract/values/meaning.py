"""What an expression over one column makes of its value, as Python functions: the solver's own judge.

It answers for what it knows well and no more. ``NotUnderstood`` at compiling leaves the expression to the database;
``Doubt`` at evaluating leaves one value to it (what ``lower`` makes of a letter beyond ASCII is the locale's business).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NoReturn, TypeAlias

from pgcontract.model import Catalog
from pgcontract.values import numbers, patterns
from pgcontract.values.naming import domains_of, parse_type, qualified
from pgcontract.values.space import Extreme, Folded, Label, Moment, Padded, Space, UnknownType
from pgcontract.values.terms import (
    Call,
    Cast,
    Col,
    Const,
    Distinct,
    Items,
    Logic,
    Op,
    Opaque,
    Quantified,
    Term,
    Test,
    columns_of,
)

Evaluate: TypeAlias = Callable[[Any], Any]

UNKNOWN: Final = "unknown"
TEXTS: Final = frozenset({"text", "character varying", "character", "bpchar", "name", "citext"})
INTEGERS: Final = frozenset({"smallint", "integer", "bigint", "oid"})
FLOATS: Final = frozenset({"real", "double precision"})
NUMBERS: Final = INTEGERS | FLOATS | {"numeric", "money"}
MOMENTS: Final = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
JSON: Final = frozenset({"json", "jsonb"})
_DAY: Final = 86_400_000_000
_LONGEST: Final = 1_000_000


class NotUnderstood(Exception):  # noqa: N818 - it says what the expression is
    """Only the database can judge this expression."""


class Doubt(Exception):  # noqa: N818 - it says what the value is in
    """Only the database can judge this value."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A function from the column's value (as ``Space.read`` reads it) to the term's, and the term's type."""

    type: str
    evaluate: Evaluate
    constant: bool = False


class Meaning:
    """Compiles terms over one column of one type."""

    def __init__(self, column: str, type_text: str, catalog: Catalog, spaces: Callable[[str], Space]) -> None:
        self._column = column
        self._catalog = catalog
        self._spaces = spaces
        self.type = self.base(type_text)

    def base(self, type_text: str) -> str:
        """A domain's own type, and what else is only another name."""
        found = parse_type(type_text)
        domains = domains_of(found.base, self._catalog)
        if domains:
            return self.base(domains[-1].type + "[]" * found.array)
        name = qualified(found.base)
        if name is not None and name.name == "citext":
            return "citext" + "[]" * found.array
        return type_text

    def predicate(self, tree: Term) -> Evaluate:
        """True, False or None (NULL) for a value. Raises NotUnderstood."""
        if columns_of(tree) - {self._column}:
            raise NotUnderstood
        found = self.compile(tree)
        if found.type != "boolean":
            raise NotUnderstood
        return found.evaluate

    def compile(self, tree: Term) -> Typed:
        """Raises NotUnderstood."""
        match tree:
            case Col():
                return Typed(self.type, lambda v: v)
            case Const(value=value, kind=kind):
                return self._constant(value, kind)
            case Cast(arg=arg, type=wanted):
                return self._cast(self.compile(arg), self.base(wanted))
            case Test(arg=arg, what="NULL", negated=negated):
                return self._null_test(arg, negated)
            case Test(arg=arg, what=what, negated=negated):
                return self._truth_test(self.compile(arg), what, negated)
            case Logic(name=name, args=args):
                return self._logic(name, [self.compile(a) for a in args])
            case Distinct(left=left, right=right, negated=negated):
                return self._distinct(left, right, negated)
            case Quantified():
                return self._quantified(tree)
            case Op(name=name, left=None, right=right):
                return self._prefix(name, self.compile(right))
            case Op(name=name, left=left, right=right) if left is not None:
                return self._binary(name, self.compile(left), self.compile(right))
            case Call(name=name, args=args):
                return self._call(name, [self.compile(a) for a in args])
            case Items(items=items):
                return self._items([self.compile(i) for i in items])
            case Opaque() | _:
                raise NotUnderstood

    def constant(self, tree: Term, like: str | None = None) -> Any:
        """The value of a term without columns, read as ``like`` where its own type is unknown. Raises NotUnderstood."""
        if columns_of(tree):
            raise NotUnderstood
        found = self.compile(tree)
        if found.type == UNKNOWN and like is not None:
            found = self._cast(found, like)
        try:
            return found.evaluate(None)
        except Doubt as error:
            raise NotUnderstood from error

    @staticmethod
    def _constant(value: str | None, kind: str) -> Typed:
        match kind:
            case "number":
                assert value is not None
                number = numbers.read_number(value)
                if not set(value) & set(".eE"):
                    whole = int(number)
                    name = "integer" if abs(whole) < 2**31 else "bigint" if abs(whole) < 2**63 else "numeric"
                    return Typed(name, lambda _: whole, constant=True)
                return Typed("numeric", lambda _: number, constant=True)
            case "boolean":
                return Typed("boolean", lambda _: value == "true", constant=True)
            case "bits":
                raise NotUnderstood
            case _:
                return Typed(UNKNOWN, lambda _: value, constant=True)

    def _null_test(self, arg: Term, negated: bool) -> Typed:
        inner = arg
        while isinstance(inner, Cast):
            inner = inner.arg
        if isinstance(inner, Col):
            # whatever its type is: a cast gives NULL for NULL and nothing else
            return Typed("boolean", lambda v: (v is None) is not negated)
        evaluate = self.compile(arg).evaluate
        return Typed("boolean", lambda v: (evaluate(v) is None) is not negated)

    @staticmethod
    def _truth_test(arg: Typed, what: str, negated: bool) -> Typed:
        wanted = {"TRUE": True, "FALSE": False, "UNKNOWN": None}[what]
        return Typed("boolean", lambda v: (arg.evaluate(v) is wanted) is not negated)

    @staticmethod
    def _logic(name: str, args: Sequence[Typed]) -> Typed:
        evaluates = [a.evaluate for a in args]
        if name == "NOT":
            return Typed("boolean", lambda v: None if (found := evaluates[0](v)) is None else not found)
        decisive = name == "OR"

        def join(v: Any) -> bool | None:
            truths = [e(v) for e in evaluates]
            return decisive if decisive in truths else None if None in truths else not decisive

        return Typed("boolean", join)

    def _distinct(self, left: Term, right: Term, negated: bool) -> Typed:
        one, other = self._same_type(self.compile(left), self.compile(right))
        equal = _comparison("=", one.type, other.type)

        def compare(v: Any) -> bool:
            a, b = one.evaluate(v), other.evaluate(v)
            same = a is b if a is None or b is None else equal(a, b)
            return same is negated

        return Typed("boolean", compare)

    def _same_type(self, one: Typed, other: Typed) -> tuple[Typed, Typed]:
        if one.type == UNKNOWN and other.type == UNKNOWN:
            return self._cast(one, "text"), self._cast(other, "text")
        if one.type == UNKNOWN:
            return self._cast(one, _without_modifier(other.type)), other
        if other.type == UNKNOWN:
            return one, self._cast(other, _without_modifier(one.type))
        return one, other

    def _cast(self, arg: Typed, wanted: str) -> Typed:
        if arg.type == UNKNOWN:
            return self._read(arg, wanted)
        return Typed(wanted, _strict(_conversion(arg.type, wanted), arg.evaluate), arg.constant)

    def _read(self, arg: Typed, wanted: str) -> Typed:
        literal = arg.evaluate(None)
        if literal is None:
            return Typed(wanted, lambda _: None, constant=True)
        try:
            read = self._spaces(wanted).read
            if read is None:
                raise NotUnderstood
            value = read(literal)
        except (UnknownType, ValueError, KeyError, IndexError) as error:
            raise NotUnderstood from error
        return Typed(wanted, lambda _: value, constant=True)

    def _items(self, items: Sequence[Typed]) -> Typed:
        known = next((i.type for i in items if i.type != UNKNOWN), "text" if items else UNKNOWN)
        cast = [self._cast(i, known) if i.type == UNKNOWN else i for i in items]
        evaluates = [i.evaluate for i in cast]
        constant = all(i.constant for i in cast)
        return Typed(f"{_without_modifier(known)}[]", lambda v: tuple(e(v) for e in evaluates), constant)

    def _quantified(self, tree: Quantified) -> Typed:
        left, right = self.compile(tree.left), self._list(tree.right)
        if not right.type.endswith("[]"):
            raise NotUnderstood
        element = right.type.removesuffix("[]")
        if left.type == UNKNOWN:
            left = self._cast(left, element)
        if element == UNKNOWN:
            raise NotUnderstood
        apply = self._operator(tree.name, left, Typed(element, lambda v: v))
        decisive = not tree.every

        def decide(v: Any) -> bool | None:
            value, items = left.evaluate(v), right.evaluate(v)
            if items is None:
                return None
            if not items:
                return not decisive
            if value is None:
                return None
            truths = [None if i is None else apply(value, i) for i in items]
            return decisive if decisive in truths else None if None in truths else not decisive

        return Typed("boolean", decide)

    def _list(self, tree: Term) -> Typed:
        if isinstance(tree, Items) and all(isinstance(i, Const) and i.kind in {"string", "null"} for i in tree.items):
            # the members of IN ('a', 'b') are of the type of what stands before it
            return self._cast(self._items([self.compile(i) for i in tree.items]), self._element_of_column() + "[]")
        return self.compile(tree)

    def _element_of_column(self) -> str:
        return "text" if _family(self.type) in TEXTS else _without_modifier(self.type)

    @staticmethod
    def _prefix(name: str, arg: Typed) -> Typed:
        if name not in {"-", "+"} or _family(arg.type) not in NUMBERS:
            raise NotUnderstood
        if name == "+":
            return arg
        result = _without_modifier(arg.type)
        limit = _LIMITS.get(result)
        return Typed(result, _strict(lambda v: _within(_negated(v), limit), arg.evaluate), arg.constant)

    def _binary(self, name: str, one: Typed, other: Typed) -> Typed:
        left, right = self._same_type(one, other)
        apply = self._operator(name, left, right)
        a, b = left.evaluate, right.evaluate
        result = _RESULTS.get(name, "boolean")
        if name in _ARITHMETIC:
            result = _arithmetic_type(left.type, right.type)

        def evaluate(v: Any) -> Any:
            x, y = a(v), b(v)
            return None if x is None or y is None else apply(x, y)

        return Typed(result, evaluate, left.constant and right.constant)

    def _operator(self, name: str, left: Typed, right: Typed) -> Callable[[Any, Any], Any]:
        if "." in name and "citext" in {_family(left.type), _family(right.type)}:
            # the extension's own operators, which are qualified wherever it lives
            name = name.rpartition(".")[2]
        if name in _COMPARE:
            return _comparison(name, left.type, right.type)
        if name in _MATCH:
            return self._match(name, left, right)
        if name in _ARITHMETIC:
            return _arithmetic(name, left.type, right.type)
        families = _family(left.type), _family(right.type)
        if name == "||" and all(f in TEXTS - {"character", "bpchar"} for f in families):
            return lambda a, b: str(a) + str(b)
        if name == "^@" and all(f in TEXTS - {"citext"} for f in families):
            return lambda a, b: str(a).startswith(str(b))
        if name in {"<@", "@>", "&&"} and left.type.endswith("[]") and right.type.endswith("[]"):
            return _containment(name, _comparison("=", left.type[:-2], right.type[:-2]))
        if name == "?" and families[0] == "jsonb":
            return lambda a, b: (b in a if isinstance(a, dict | list) else a == b) if isinstance(b, str) else _doubt()
        if name in {"->", "->>"} and families[0] in JSON:
            raise NotUnderstood
        raise NotUnderstood

    def _match(self, name: str, left: Typed, right: Typed) -> Callable[[Any, Any], bool]:
        positive, operation = not name.startswith("!"), name.removeprefix("!")
        if _family(left.type) not in TEXTS or _family(right.type) not in TEXTS:
            raise NotUnderstood
        insensitive = operation.endswith("*") or _family(left.type) == "citext"
        compiled = patterns.regular if operation in {"~", "~*"} else patterns.like
        if right.constant:
            source = right.evaluate(None)
            if source is not None and compiled(str(source), insensitive=insensitive) is None:
                raise NotUnderstood

        def match(text: Any, source: Any) -> bool:
            pattern = compiled(str(source), insensitive=insensitive)
            found = None if pattern is None else pattern.matches(text.full if isinstance(text, Padded) else text)
            return _doubt() if found is None else found is positive

        return match

    def _call(self, name: str, args: Sequence[Typed]) -> Typed:
        types = [_family(a.type) for a in args]
        if name == "coalesce" and args:
            return self._coalesce(args)
        if name in {"num_nulls", "num_nonnulls"}:
            null = name == "num_nulls"
            return Typed("integer", lambda v: sum((a.evaluate(v) is None) is null for a in args))
        if name in {"similar_to_escape", "like_escape"}:
            return self._pattern_text(name, args)
        if name == "nullif" and len(args) == 2:
            left, right = self._same_type(*args)
            equal = self._operator("=", left, right)
            a, b = left.evaluate, right.evaluate
            return Typed(left.type, lambda v: None if _both_equal(a(v), b(v), equal) else a(v))
        found = _FUNCTIONS.get((name, len(args)))
        if found is None:
            raise NotUnderstood
        accepted, result, function = found
        prepared = [self._cast(a, "text") if t == UNKNOWN else a for a, t in zip(args, types, strict=True)]
        for arg, kinds in zip(prepared, accepted, strict=True):
            if not kinds(arg.type):
                raise NotUnderstood
        evaluates = [a.evaluate for a in prepared]
        strict = name not in _NOT_STRICT

        def evaluate(v: Any) -> Any:
            values = [e(v) for e in evaluates]
            return None if strict and None in values else function(*values)

        return Typed(result or prepared[0].type, evaluate, all(a.constant for a in prepared))

    @staticmethod
    def _pattern_text(name: str, args: Sequence[Typed]) -> Typed:
        if not all(a.constant for a in args):
            raise NotUnderstood
        texts = [str(a.evaluate(None)) for a in args]
        found = patterns.similar(*texts) if name == "similar_to_escape" else patterns.like_escaped(*texts)
        if found is None:
            raise NotUnderstood
        return Typed("text", lambda _: found, constant=True)

    def _coalesce(self, args: Sequence[Typed]) -> Typed:
        known = next((a.type for a in args if a.type != UNKNOWN), "text")
        cast = [self._cast(a, known) if a.type == UNKNOWN else a for a in args]
        evaluates = [a.evaluate for a in cast]
        return Typed(known, lambda v: next((f for e in evaluates if (f := e(v)) is not None), None))


def _doubt() -> NoReturn:
    raise Doubt


def _both_equal(a: Any, b: Any, equal: Callable[[Any, Any], bool]) -> bool:
    return a is not None and b is not None and equal(a, b)


def _strict(function: Callable[[Any], Any], inner: Evaluate) -> Evaluate:
    def evaluate(v: Any) -> Any:
        found = inner(v)
        return None if found is None else function(found)

    return evaluate


def _family(type_text: str) -> str:
    return type_text if type_text.endswith("[]") else parse_type(type_text).base


def _without_modifier(type_text: str) -> str:
    found = parse_type(type_text)
    base = "bpchar" if found.base == "character" else found.base
    return base + "[]" * found.array


def _negated(value: Any) -> Any:
    if isinstance(value, Extreme):
        return value if value.rank == 2 else Extreme(-value.rank)
    return -value


_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MATCH: Final = frozenset({"~", "!~", "~*", "!~*", "~~", "!~~", "~~*", "!~~*"})
_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%"})
_RESULTS: Final = {"||": "text"}
_COMPARABLE: Final = frozenset({"boolean", "bytea", "time without time zone", "uuid"})


def _comparison(name: str, left: str, right: str) -> Callable[[Any, Any], bool]:
    one, other = _family(left), _family(right)
    compare = _COMPARE[name]
    if one.endswith("[]") and other.endswith("[]"):
        if name not in {"=", "<>"}:
            raise NotUnderstood
        element = _comparison("=", one[:-2], other[:-2])
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
        return lambda a, b: compare(_as_float(a), _as_float(b))
    raise NotUnderstood


def _as_float(value: Any) -> Any:
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
            return (_json_type(value), value)


def _folded(value: str) -> str:
    if not value.isascii():
        _doubt()
    return value.lower()


def _containment(name: str, equal: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def within(part: tuple[Any, ...], whole: tuple[Any, ...]) -> bool:
        return all(p is not None and any(w is not None and equal(p, w) for w in whole) for p in part)

    match name:
        case "<@":
            return within
        case "@>":
            return lambda a, b: within(b, a)
        case _:
            return lambda a, b: any(within((x,), b) for x in a)


def _arithmetic_type(left: str, right: str) -> str:
    families = {_family(left), _family(right)}
    if families <= INTEGERS:
        return "bigint" if "bigint" in families else "smallint" if families == {"smallint"} else "integer"
    return "numeric"


def _arithmetic(name: str, left: str, right: str) -> Callable[[Any, Any], Any]:
    families = {_family(left), _family(right)}
    if not families <= INTEGERS | {"numeric"}:
        raise NotUnderstood
    whole = families <= INTEGERS
    limit = _LIMITS.get(_arithmetic_type(left, right))

    def calculate(a: Any, b: Any) -> Any:
        if isinstance(a, Extreme) or isinstance(b, Extreme) or (name in "/%" and b == 0):
            _doubt()
        match name:
            case "+":
                found = a + b
            case "-":
                found = a - b
            case "*":
                found = a * b
            case "%":
                found = a - b * _truncated(Fraction(a) / b)
            case _:
                if not whole:
                    _doubt()  # numeric division rounds to a scale of its own
                found = _truncated(Fraction(a) / b)
        return _within(found, limit)

    return calculate


_LIMITS: Final = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def _within(value: Any, limit: int | None) -> Any:
    """What is out of its type's range is an error, which no condition survives."""
    return value if limit is None or -limit <= value < limit else _doubt()


def _truncated(value: Fraction) -> int:
    return math.floor(value) if value >= 0 else -math.floor(-value)


def _conversion(source: str, target: str) -> Callable[[Any], Any]:
    """The function of a cast. Raises NotUnderstood."""
    one, other = _family(source), _family(target)
    modifiers = parse_type(target).modifiers
    if one.endswith("[]") and other.endswith("[]"):
        inner = _conversion(source.removesuffix("[]"), target.removesuffix("[]"))
        return lambda items: tuple(None if i is None else inner(i) for i in items)
    if one in TEXTS and other in TEXTS:
        return _to_text(other, modifiers)
    if one == "uuid" and other in TEXTS:
        return lambda v: (
            f"{v >> 96:08x}-{v >> 80 & 0xFFFF:04x}-{v >> 64 & 0xFFFF:04x}-{v >> 48 & 0xFFFF:04x}-{v & (1 << 48) - 1:012x}"
        )
    if one in INTEGERS and other == "text":
        return str
    if one == "boolean" and other == "text":
        return lambda v: "true" if v else "false"
    if one in NUMBERS and other in NUMBERS:
        return _to_number(one, other, modifiers)
    if one in MOMENTS and other in MOMENTS:
        if other == "date" and one != "date":
            return lambda v: Moment(v - v % _DAY) if isinstance(v, Moment) else v
        return _same if not modifiers else _no_conversion()
    if one == other and not modifiers:
        return _same
    if other == "text":
        return _label_text
    raise NotUnderstood


def _no_conversion() -> NoReturn:
    raise NotUnderstood


def _same(value: Any) -> Any:
    return value


def _label_text(value: Any) -> str:
    return value.text if isinstance(value, Label) else _doubt()


def _to_text(target: str, modifiers: tuple[int, ...]) -> Callable[[Any], Any]:
    match target:
        case "citext":
            return Folded
        case "character" | "bpchar" | "name":
            return _as_padded if not modifiers else _no_conversion()
        case _ if modifiers:
            return lambda v: str(v)[: modifiers[0]]
        case _:
            return lambda v: str(v)


def _as_padded(value: Any) -> Any:
    if isinstance(value, Padded):
        return value
    return Padded.of(str(value), len(value))


def _to_number(source: str, target: str, modifiers: tuple[int, ...]) -> Callable[[Any], Any]:
    if target in INTEGERS:
        if source in INTEGERS:
            return _same
        if source == "numeric":
            return lambda v: _doubt() if isinstance(v, Extreme) else int(numbers.rounded(Fraction(v), 0))
        raise NotUnderstood
    if target == "numeric" and source not in FLOATS | {"money"}:
        if not modifiers:
            return _same
        scale = modifiers[1] if len(modifiers) > 1 else 0
        return lambda v: numbers.rounded(Fraction(v), scale) if not isinstance(v, Extreme) else v
    if target == "double precision" and source != "money":
        return _as_float
    if target == "money" and source not in FLOATS:
        return lambda v: _doubt() if isinstance(v, Extreme) else numbers.rounded(Fraction(v), 2)
    if target == source and not modifiers:
        return _same
    raise NotUnderstood


def _is(*families: str) -> Callable[[str], bool]:
    return lambda type_text: _family(type_text) in families


_TEXT: Final = _is("text", "character varying", "citext", "name")
_BYTES: Final = _is("text", "character varying", "citext", "name", "bytea")
_INTEGER: Final = _is("smallint", "integer")
_NUMBER: Final = _is("smallint", "integer", "bigint", "numeric")


def _array(type_text: str) -> bool:
    return type_text.endswith("[]")


def _scalar(type_text: str) -> bool:
    return not type_text.endswith("[]")


def _cased(change: Callable[[str], str]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        if not text.isascii() and any(c.lower() != c or c.upper() != c for c in text):
            _doubt()
        return type(text)(change(text)) if isinstance(text, Folded) else change(str(text))

    return apply


def _trim(strip: Callable[..., str]) -> Callable[..., str]:
    return lambda text, characters=" ": strip(str(text), str(characters)) if characters else str(text)


def _json_type(value: Any) -> str:
    match value:
        case None:
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


def _json_length(value: Any) -> int:
    return len(value) if isinstance(value, list) else _doubt()


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
        _doubt()
    return str(text)[max(start - 1, 0) : None if end is None else max(end, 0)]


def _finite(value: Any) -> bool:
    return not isinstance(value, Extreme)


def _absolute(value: Any) -> Any:
    if isinstance(value, int) and value in {-(2**15), -(2**31), -(2**63)}:
        _doubt()  # it may be the least of its type, of which there is no opposite
    return value if isinstance(value, Extreme) and value.rank > 0 else _negated(value) if value < 0 else value


def _modulo(a: Any, b: Any) -> Any:
    if isinstance(a, Extreme) or isinstance(b, Extreme) or b == 0:
        _doubt()
    return a - b * _truncated(Fraction(a) / b)


def _whole(function: Callable[[Any], int]) -> Callable[[Any], Any]:
    return lambda v: v if isinstance(v, Extreme) else function(Fraction(v))


def _clock_or_moment(type_text: str) -> bool:
    return _family(type_text) in MOMENTS


_NOT_STRICT: Final = frozenset({"array_position"})
_Kinds: TypeAlias = tuple[Callable[[str], bool], ...]
# by name and number of arguments: what they accept, the type of the result (None: the first argument's), the function
_FUNCTIONS: Final[dict[tuple[str, int], tuple[_Kinds, str | None, Callable[..., Any]]]] = {
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
    ("jsonb_typeof", 1): ((_is("jsonb"),), "text", _json_type),
    ("json_typeof", 1): ((_is("json"),), "text", _json_type),
    ("jsonb_array_length", 1): ((_is("jsonb"),), "integer", _json_length),
    ("json_array_length", 1): ((_is("json"),), "integer", _json_length),
    ("cardinality", 1): ((_array,), "integer", len),
    ("array_length", 2): ((_array, _INTEGER), "integer", lambda a, n: len(a) or None if n == 1 else _doubt()),
    ("array_upper", 2): ((_array, _INTEGER), "integer", lambda a, n: len(a) or None if n == 1 else _doubt()),
    ("array_ndims", 1): ((_array,), "integer", lambda a: 1 if a else None),
    ("array_position", 2): ((_array, _scalar), "integer", _place),
    ("abs", 1): ((_NUMBER,), None, _absolute),
    ("mod", 2): ((_NUMBER, _NUMBER), None, _modulo),
    ("floor", 1): ((_is("numeric"),), "numeric", _whole(math.floor)),
    ("ceil", 1): ((_is("numeric"),), "numeric", _whole(math.ceil)),
    ("ceiling", 1): ((_is("numeric"),), "numeric", _whole(math.ceil)),
    ("trunc", 1): ((_is("numeric"),), "numeric", _whole(_truncated)),
    ("round", 1): ((_is("numeric"),), "numeric", lambda v: numbers.rounded(Fraction(v), 0) if _finite(v) else v),
    ("isfinite", 1): ((_clock_or_moment,), "boolean", _finite),
}
