"""What an expression over one column makes of its value, as a Python function: the solver's own judge.

It answers for what it knows well and no more. ``NotUnderstood`` at compiling leaves the expression to the database;
``Doubt`` at evaluating leaves one value to it (what ``lower`` makes of a letter beyond ASCII is the locale's business).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pgcontract.model import Catalog
from pgcontract.values import numbers, patterns
from pgcontract.values.conversions import conversion
from pgcontract.values.functions import FUNCTIONS, NOT_STRICT
from pgcontract.values.naming import domains_of, family, parse_type, qualified, without_modifier
from pgcontract.values.operators import (
    ARITHMETIC,
    COMPARISONS,
    JSON,
    LIMITS,
    MATCHES,
    NUMBERS,
    RESULTS,
    TEXTS,
    Doubt,
    NotUnderstood,
    arithmetic,
    arithmetic_type,
    comparison,
    containment,
    doubt,
    negated_number,
    within_range,
)
from pgcontract.values.space import Padded, Space, UnknownType
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

__all__ = ["Doubt", "Evaluate", "Meaning", "NotUnderstood", "Typed"]

Evaluate: TypeAlias = Callable[[Any], Any]

UNKNOWN: Final = "unknown"


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

    def compile(self, tree: Term) -> Typed:  # noqa: C901, PLR0911 - one case for each kind of term
        """Raises NotUnderstood."""
        match tree:
            case Col():
                return Typed(self.type, lambda v: v)
            case Const(value=value, kind=kind):
                return self._constant(value, kind)
            case Cast(arg=arg, type=wanted):
                return self._cast(self.compile(arg), self.base(wanted))
            case Test():
                return self._test(tree)
            case Logic(name=name, args=args):
                return self._logic(name, [self.compile(a) for a in args])
            case Distinct(left=left, right=right, negated=negated):
                return self._distinct(left, right, negated)
            case Quantified():
                return self._quantified(tree)
            case Op(name=name, left=left, right=right):
                return self._operation(name, left, right)
            case Call(name=name, args=args):
                return self._call(name, [self.compile(a) for a in args])
            case Items(items=items):
                return self._items([self.compile(i) for i in items])
            case Opaque():
                raise NotUnderstood

    def _test(self, tree: Test) -> Typed:
        if tree.what == "NULL":
            return self._null_test(tree.arg, tree.negated)
        return self._truth_test(self.compile(tree.arg), tree.what, tree.negated)

    def _operation(self, name: str, left: Term | None, right: Term) -> Typed:
        if left is None:
            return self._prefix(name, self.compile(right))
        return self._binary(name, self.compile(left), self.compile(right))

    def constant(self, tree: Term, like: str | None = None) -> Any:
        """The value of a term without columns, read as ``like`` where its own type is unknown. Raises NotUnderstood."""
        if columns_of(tree):
            raise NotUnderstood
        found = self.compile(tree)
        if found.type == UNKNOWN and like is not None:
            found = self._cast(found, without_modifier(like))
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
        equal = comparison("=", one.type, other.type)

        def compare(v: Any) -> bool:
            a, b = one.evaluate(v), other.evaluate(v)
            same = a is b if a is None or b is None else equal(a, b)
            return same is negated

        return Typed("boolean", compare)

    def _same_type(self, one: Typed, other: Typed) -> tuple[Typed, Typed]:
        if one.type == UNKNOWN and other.type == UNKNOWN:
            return self._cast(one, "text"), self._cast(other, "text")
        if one.type == UNKNOWN:
            return self._cast(one, without_modifier(other.type)), other
        if other.type == UNKNOWN:
            return one, self._cast(other, without_modifier(one.type))
        return one, other

    def _cast(self, arg: Typed, wanted: str) -> Typed:
        if arg.type == UNKNOWN:
            return self._read(arg, wanted)
        return Typed(wanted, _strict(conversion(arg.type, wanted), arg.evaluate), arg.constant)

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
        return Typed(f"{without_modifier(known)}[]", lambda v: tuple(e(v) for e in evaluates), constant)

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
        return "text" if family(self.type) in TEXTS else without_modifier(self.type)

    @staticmethod
    def _prefix(name: str, arg: Typed) -> Typed:
        if name not in {"-", "+"} or family(arg.type) not in NUMBERS:
            raise NotUnderstood
        if name == "+":
            return arg
        result = without_modifier(arg.type)
        limit = LIMITS.get(result)
        return Typed(result, _strict(lambda v: within_range(negated_number(v), limit), arg.evaluate), arg.constant)

    def _binary(self, name: str, one: Typed, other: Typed) -> Typed:
        left, right = self._same_type(one, other)
        apply = self._operator(name, left, right)
        a, b = left.evaluate, right.evaluate
        result = RESULTS.get(name, "boolean")
        if name in ARITHMETIC:
            result = arithmetic_type(left.type, right.type)

        def evaluate(v: Any) -> Any:
            x, y = a(v), b(v)
            return None if x is None or y is None else apply(x, y)

        return Typed(result, evaluate, left.constant and right.constant)

    def _operator(self, name: str, left: Typed, right: Typed) -> Callable[[Any, Any], Any]:
        if "." in name and "citext" in {family(left.type), family(right.type)}:
            # the extension's own operators, which are qualified wherever it lives
            name = name.rpartition(".")[2]
        if name in COMPARISONS:
            return comparison(name, left.type, right.type)
        if name in MATCHES:
            return self._match(name, left, right)
        if name in ARITHMETIC:
            return arithmetic(name, left.type, right.type)
        families = family(left.type), family(right.type)
        if name == "||" and all(f in TEXTS - {"character", "bpchar"} for f in families):
            return lambda a, b: str(a) + str(b)
        if name == "^@" and all(f in TEXTS - {"citext"} for f in families):
            return lambda a, b: str(a).startswith(str(b))
        if name in {"<@", "@>", "&&"} and left.type.endswith("[]") and right.type.endswith("[]"):
            return containment(name, comparison("=", left.type[:-2], right.type[:-2]))
        if name == "?" and families[0] == "jsonb":
            return lambda a, b: (b in a if isinstance(a, dict | list) else a == b) if isinstance(b, str) else doubt()
        if name in {"->", "->>"} and families[0] in JSON:
            raise NotUnderstood
        raise NotUnderstood

    def _match(self, name: str, left: Typed, right: Typed) -> Callable[[Any, Any], bool]:
        positive, operation = not name.startswith("!"), name.removeprefix("!")
        if family(left.type) not in TEXTS or family(right.type) not in TEXTS:
            raise NotUnderstood
        insensitive = operation.endswith("*") or family(left.type) == "citext"
        compiled = patterns.regular if operation in {"~", "~*"} else patterns.like
        if right.constant:
            source = right.evaluate(None)
            if source is not None and compiled(str(source), insensitive=insensitive) is None:
                raise NotUnderstood

        def match(text: Any, source: Any) -> bool:
            pattern = compiled(str(source), insensitive=insensitive)
            found = None if pattern is None else pattern.matches(text.full if isinstance(text, Padded) else text)
            return doubt() if found is None else found is positive

        return match

    def _call(self, name: str, args: Sequence[Typed]) -> Typed:
        types = [family(a.type) for a in args]
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
        found = FUNCTIONS.get((name, len(args)))
        if found is None:
            raise NotUnderstood
        accepted, result, function = found
        prepared = [self._cast(a, "text") if t == UNKNOWN else a for a, t in zip(args, types, strict=True)]
        for arg, kinds in zip(prepared, accepted, strict=True):
            if not kinds(arg.type):
                raise NotUnderstood
        evaluates = [a.evaluate for a in prepared]
        strict = name not in NOT_STRICT

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


def _both_equal(a: Any, b: Any, equal: Callable[[Any, Any], bool]) -> bool:
    return a is not None and b is not None and equal(a, b)


def _strict(function: Callable[[Any], Any], inner: Evaluate) -> Evaluate:
    def evaluate(v: Any) -> Any:
        found = inner(v)
        return None if found is None else function(found)

    return evaluate
