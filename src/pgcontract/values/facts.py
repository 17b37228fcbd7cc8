"""What conditions over one column say of the shape of its values: bounds, lengths, members, patterns.

Facts guide the making of values; every value that is made is judged by its conditions' meaning. Only where bounds
or lengths leave no room at all are they a proof, so these are noted only where they hold without exception.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from pgcontract.values import patterns
from pgcontract.values.arrays import split
from pgcontract.values.meaning import Meaning, NotUnderstood
from pgcontract.values.naming import family, parse_type
from pgcontract.values.operators import INTEGERS, MOMENTS, NUMBERS, TEXTS
from pgcontract.values.patterns import Pattern
from pgcontract.values.space import Extreme, Space
from pgcontract.values.terms import Call, Cast, Col, Const, Items, Logic, Op, Quantified, Term, Test, walk

_NEGATED: Final = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED: Final = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_CHARACTERS: Final = frozenset({"char_length", "character_length", "length"})
_COUNTS: Final = frozenset({"cardinality", "array_length", "jsonb_array_length", "json_array_length"})
_TRIMS: Final = frozenset({"btrim", "ltrim", "rtrim"})
_CASES: Final = frozenset({"lower", "upper"})
_JSON_TYPES: Final = frozenset({"jsonb_typeof", "json_typeof"})
_REGULAR: Final = {"~": (True, False), "~*": (True, True), "!~": (False, False), "!~*": (False, True)}
_LIKE: Final = {"~~": (True, False), "~~*": (True, True), "!~~": (False, False), "!~~*": (False, True)}
_UTF8: Final = 4
"""Most bytes of a character."""


@dataclass
class Facts:
    """Collected of all literals. ``low`` and ``high`` count ticks of the type's line, inclusive.

    ``members`` are all that the value can be; ``favourites`` are worth a try, and so are matches of ``suggested``
    patterns, ``lists`` of elements, and texts no longer than ``roughly``.
    """

    low: int | None = None
    high: int | None = None
    shortest: int = 0
    longest: int | None = None
    roughly: int | None = None
    members: list[str] | None = None
    favourites: list[str] = field(default_factory=list)
    elements: list[str] | None = None
    lists: list[list[str]] = field(default_factory=list)
    matched: list[Pattern] = field(default_factory=list)
    missed: list[Pattern] = field(default_factory=list)
    suggested: list[Pattern] = field(default_factory=list)
    json_kind: str | None = None
    lower: bool = False
    upper: bool = False
    null_required: bool = False


class Reader:
    """Reads facts out of terms."""

    def __init__(self, space: Space, meaning: Meaning) -> None:
        self._space = space
        self._meaning = meaning
        self._family = family(meaning.type)
        self.facts = Facts()

    def read(self, tree: Term, truth: bool) -> None:
        """Note what ``tree`` being true (or false) says."""
        match tree:
            case Logic(name="NOT", args=(arg,)):
                self.read(arg, not truth)
            case Logic(name=name, args=args) if (name == "AND") is truth:
                for arg in args:
                    self.read(arg, truth)
            case Test(arg=arg, what="NULL", negated=negated) if _bare(arg):
                self.facts.null_required |= negated is not truth
            case Quantified(name=name, left=left, right=right, every=every):
                self._quantified(self._own_name(name), left, right, every, truth)
            case Op(name=name, left=left, right=right) if left is not None:
                self._operation(self._own_name(name), left, right, truth)
            case _:
                pass

    def _own_name(self, name: str) -> str:
        """Drop the schema of citext's operators."""
        return name.rpartition(".")[2] if self._space.texts is not None and self._space.texts.folded else name

    def _is_column(self, tree: Term) -> bool:
        """Whether it is the column itself, as it is, whatever it is cast to."""
        while isinstance(tree, Cast) or (isinstance(tree, Call) and tree.name.startswith("COLLATE ")):
            if isinstance(tree, Cast) and not self._keeps(tree.type):
                return False
            tree = tree.arg if isinstance(tree, Cast) else tree.args[0]
        return isinstance(tree, Col)

    def _keeps(self, type_text: str) -> bool:
        """Whether a cast to this type changes no value and no order."""
        target, mine = family(self._meaning.base(type_text)), self._family
        if parse_type(type_text).modifiers:
            return False
        if mine in TEXTS and target in TEXTS:
            return True
        if mine in INTEGERS:
            return target in NUMBERS - INTEGERS - {"real", "money"} or target in {"bigint", mine}
        if mine in MOMENTS:
            return target in MOMENTS and (target != "date" or mine == "date")
        return target == mine

    def _is_reached(self, tree: Term) -> bool:
        """Whether it is the column, or something that is the column itself for some values, such as lower(x)."""
        if isinstance(tree, Call) and tree.name in _CASES | _TRIMS and tree.args:
            return _bare(tree.args[0])
        return _bare(tree)

    def _operation(self, name: str, left: Term, right: Term, truth: bool) -> None:
        if name in _NEGATED:
            if not _speaks(left):
                left, right, name = right, left, _TURNED[name]
            self._comparison(name if truth else _NEGATED[name], left, right)
        elif name in _REGULAR or name in _LIKE:
            self._match(name, left, right, truth)
        elif name in {"<@", "@>", "&&"} and (items := self._literals(right)) is not None:
            self.facts.lists.append(items)
            if name == "<@" and truth and self._is_column(left):
                self.facts.elements = items

    def _comparison(self, name: str, left: Term, right: Term) -> None:
        if _speaks(right):
            self._fixed_point(name, left, right)
        elif self._is_column(left) and name not in {"=", "<>"}:
            self._bound(name, right)
        elif name == "=" and self._is_reached(left):
            self._one_of(left, [self._constant_text(right)])
        elif isinstance(left, Call) and left.args:
            self._of_call(name, left, right)

    def _of_call(self, name: str, left: Call, right: Term) -> None:
        if left.name in _CHARACTERS | _COUNTS | {"octet_length"}:
            self._length(name, left, right)
        elif left.name in _TRIMS and name == "<>" and _text(right) == "" and _bare(left.args[0]):
            self._at_least(1)
        elif left.name in _JSON_TYPES and name == "=" and _bare(left.args[0]):
            self.facts.json_kind = _text(right)

    def _fixed_point(self, name: str, left: Term, right: Term) -> None:
        """``x = lower(x)``: the function changes nothing."""
        if isinstance(right, Call):
            left, right = right, left
        if name == "=" and isinstance(left, Call) and left.name in _CASES and _bare(left.args[0]) and _bare(right):
            self.facts.lower |= left.name == "lower"
            self.facts.upper |= left.name == "upper"

    def _literals(self, tree: Term) -> list[str] | None:
        """The literals of an ARRAY[…], as they are written."""
        while isinstance(tree, Cast):
            tree = tree.arg
        if isinstance(tree, Const) and tree.value is not None and tree.value.startswith("{"):
            try:
                return [i for i in split(tree.value) if isinstance(i, str)]
            except (ValueError, IndexError):
                return None
        if not isinstance(tree, Items):
            return None
        texts = [self._constant_text(i) for i in tree.items]
        return [t for t in texts if t is not None]

    def _quantified(self, name: str, left: Term, right: Term, every: bool, truth: bool) -> None:
        if _bare(right) and (element := _text(left)) is not None:
            self.facts.lists.append([element])
        one_of = (name, every) == (("=", False) if truth else ("<>", True))
        if one_of and self._is_reached(left) and (literals := self._literals(right)) is not None:
            self._one_of(left, list(literals))

    def _constant_text(self, tree: Term) -> str | None:
        text = _text(tree)
        if text is not None:
            return text
        value, line = self._number(tree), self._space.line
        if value is None or line is None or (value / line.unit).denominator != 1:
            return None
        return line.show(int(value / line.unit))

    def _one_of(self, left: Term, constants: list[str | None]) -> None:
        """The value is one of these, or becomes one of them by what ``left`` does to it."""
        texts = [c for c in constants if c is not None]
        compared = self._space.texts is not None and (self._space.texts.folded or self._space.texts.padded)
        if compared or not self._is_column(left) or len(texts) < len(constants):
            self.facts.favourites += texts
            return
        known = self.facts.members
        if known is None:
            self.facts.members = list(dict.fromkeys(texts))
        else:
            keys = {self._key(t) for t in texts}
            self.facts.members = [m for m in known if self._key(m) in keys]

    def _key(self, literal: str) -> object:
        """What two literals of one value have in common: 1 and 1.0."""
        if self._space.read is None:
            return literal
        try:
            value = self._space.read(literal)
        except (ValueError, KeyError, IndexError, ArithmeticError):
            return literal
        return repr(value) if isinstance(value, list | dict) else value

    def _value(self, tree: Term) -> Any:
        try:
            return self._meaning.constant(tree, self._meaning.type)
        except NotUnderstood:
            return None

    def _number(self, tree: Term) -> Fraction | None:
        value = self._value(tree)
        return Fraction(value) if isinstance(value, int | Fraction) and not isinstance(value, bool) else None

    def _bound(self, name: str, right: Term) -> None:
        line, value = self._space.line, self._value(right)
        facts = self.facts
        if line is None or not isinstance(value, int | Fraction | Extreme) or isinstance(value, bool):
            return
        if isinstance(value, Extreme):
            # all that is finite lies on one side of it
            if (value.rank > 0) is not name.startswith("<"):
                facts.low, facts.high = 1, 0
            return
        ticks = Fraction(value) / line.unit
        if name in {">", ">="}:
            low = math.ceil(ticks) if name == ">=" else math.floor(ticks) + 1
            facts.low = low if facts.low is None else max(facts.low, low)
        else:
            high = math.floor(ticks) if name == "<=" else math.ceil(ticks) - 1
            facts.high = high if facts.high is None else min(facts.high, high)

    def _at_least(self, length: int) -> None:
        self.facts.shortest = max(self.facts.shortest, length)

    def _at_most(self, length: int, *, roughly: bool) -> None:
        facts = self.facts
        if roughly:
            facts.roughly = length if facts.roughly is None else min(facts.roughly, length)
        else:
            facts.longest = length if facts.longest is None else min(facts.longest, length)

    def _length(self, name: str, left: Call, right: Term) -> None:
        """Bounds of a length. What is trimmed may be longer before; a byte is no character."""
        value, inner = self._number(right), left.args[0]
        trimmed = isinstance(inner, Call) and inner.name in _TRIMS and _bare(inner.args[0])
        cased = isinstance(inner, Call) and inner.name in _CASES and _bare(inner.args[0])
        if value is None or not (trimmed or cased or self._is_column(inner)):
            return
        bytes_of_text = left.name == "octet_length" and self._space.texts is not None
        low = {"=": math.ceil(value), ">=": math.ceil(value), ">": math.floor(value) + 1}.get(name)
        high = {"=": math.floor(value), "<=": math.floor(value), "<": math.ceil(value) - 1}.get(name)
        if name == "<>" and value == 0:
            low = 1
        if low is not None:
            self._at_least(-(-low // _UTF8) if bytes_of_text else low)
        if high is not None:
            self._at_most(high, roughly=trimmed)

    def _match(self, name: str, left: Term, right: Term, truth: bool) -> None:
        source = self._value(right)
        if not isinstance(source, str):
            return
        positive, insensitive = (_REGULAR | _LIKE)[name]
        read = patterns.regular if name in _REGULAR else patterns.like
        pattern = read(source, insensitive=insensitive or bool(self._space.texts and self._space.texts.folded))
        if pattern is None:
            return
        if not self._is_reached(left):
            self.facts.suggested.append(pattern)
        elif positive is truth:
            self.facts.matched.append(pattern)
        else:
            self.facts.missed.append(pattern)


def _bare(tree: Term) -> bool:
    """Whether it is the column under any casts."""
    while isinstance(tree, Cast) or (isinstance(tree, Call) and tree.name.startswith("COLLATE ")):
        tree = tree.arg if isinstance(tree, Cast) else tree.args[0]
    return isinstance(tree, Col)


def _speaks(tree: Term) -> bool:
    return any(isinstance(t, Col) for t in walk(tree))


def _text(tree: Term) -> str | None:
    while isinstance(tree, Cast):
        tree = tree.arg
    return tree.value if isinstance(tree, Const) else None
