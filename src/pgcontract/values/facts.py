"""What conditions over one column say of the shape of its values: bounds, lengths, members, patterns.

Facts guide the making of values; they prove nothing. Every value that is made is judged by its conditions' meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from pgcontract.values import patterns
from pgcontract.values.arrays import split
from pgcontract.values.meaning import Meaning, NotUnderstood
from pgcontract.values.patterns import Pattern
from pgcontract.values.space import Extreme, Space
from pgcontract.values.terms import Call, Cast, Col, Const, Items, Logic, Op, Quantified, Term, Test, walk

_NEGATED: Final = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED: Final = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_LENGTHS: Final = frozenset(
    {"char_length", "character_length", "length", "octet_length", "cardinality", "array_length", "jsonb_array_length"}
)
_TRIMS: Final = frozenset({"btrim", "ltrim", "rtrim"})
_MATCHES: Final = {"~": (True, False), "~*": (True, True), "!~": (False, False), "!~*": (False, True)}
_LIKES: Final = {"~~": (True, False), "~~*": (True, True), "!~~": (False, False), "!~~*": (False, True)}


@dataclass
class Facts:
    """Collected of all literals; ``low`` and ``high`` count ticks of the type's line, inclusive."""

    low: int | None = None
    high: int | None = None
    shortest: int = 0
    longest: int | None = None
    members: list[str] | None = None
    elements: list[str] | None = None
    matched: list[Pattern] = field(default_factory=list)
    missed: list[Pattern] = field(default_factory=list)
    suggested: list[Pattern] = field(default_factory=list)
    """Patterns of something else than the column: their matches are worth a try."""
    lists: list[list[str]] = field(default_factory=list)
    json_kind: str | None = None
    lower: bool = False
    upper: bool = False
    contradiction: bool = False
    null_required: bool = False
    guided: int = 0
    """How many literals are met by construction, so that what is drawn need hardly be looked at again."""


class Reader:
    """Reads facts out of terms."""

    def __init__(self, space: Space, meaning: Meaning) -> None:
        self._space = space
        self._meaning = meaning
        self.facts = Facts()

    def read(self, tree: Term, truth: bool) -> None:
        """Note what ``tree`` being true (or false) says."""
        if self._note(tree, truth):
            self.facts.guided += 1

    def _note(self, tree: Term, truth: bool) -> bool:
        match tree:
            case Logic(name="NOT", args=(arg,)):
                return self._note(arg, not truth)
            case Logic(name=name, args=args) if (name == "AND") is truth:
                return all([self._note(a, truth) for a in args])
            case Test(arg=arg, what="NULL", negated=negated) if self._is_column(arg):
                self.facts.null_required |= negated is not truth
                return True
            case Quantified(left=left, right=right):
                return self._quantified(tree.name, left, right, tree.every, truth)
            case Op(name=name, left=left, right=right) if left is not None:
                return self._operation(name, left, right, truth)
            case _:
                return False

    def _own_name(self, name: str) -> str:
        """Drop the schema of citext's operators."""
        return name.rpartition(".")[2] if self._space.texts is not None and self._space.texts.folded else name

    def _is_column(self, tree: Term) -> bool:
        while isinstance(tree, Cast) or (isinstance(tree, Call) and tree.name.startswith("COLLATE ")):
            tree = tree.arg if isinstance(tree, Cast) else tree.args[0]
        return isinstance(tree, Col)

    def _operation(self, name: str, left: Term, right: Term, truth: bool) -> bool:
        name = self._own_name(name)
        if name in _NEGATED:
            if not self._speaks(left) and self._speaks(right):
                left, right, name = right, left, _TURNED[name]
            return self._comparison(name if truth else _NEGATED[name], left, right)
        if name in _MATCHES or name in _LIKES:
            return self._match(name, left, right, truth)
        if name in {"<@", "@>", "&&"} and (items := self._literals(right)) is not None:
            self.facts.lists.append(items)
            if name == "<@" and truth and self._is_column(left):
                self.facts.elements = items
                return True
        return False

    def _speaks(self, tree: Term) -> bool:
        return any(isinstance(t, Col) for t in walk(tree))

    def _comparison(self, name: str, left: Term, right: Term) -> bool:
        if self._speaks(right):
            return self._fixed_point(name, left, right)
        if self._is_column(left):
            if name == "=":
                return self._members([right])
            return name == "<>" or self._bound(name, right)
        if isinstance(left, Call) and left.name in _LENGTHS and left.args:
            return self._length(name, left, right)
        if isinstance(left, Call) and left.name in _TRIMS and name == "<>":
            self._at_least(1)
            return True
        if isinstance(left, Call) and left.name in {"jsonb_typeof", "json_typeof"} and name == "=":
            self.facts.json_kind = self._text(right)
            return True
        if isinstance(left, Call) and left.name in {"lower", "upper"} and name == "=" and self._is_column(left.args[0]):
            return self._members([right])
        return False

    def _fixed_point(self, name: str, left: Term, right: Term) -> bool:
        """``x = lower(x)``: the function changes nothing."""
        if isinstance(right, Call):
            left, right = right, left
        if name != "=" or not self._is_column(right) or not isinstance(left, Call):
            return False
        if left.name in {"lower", "upper"} and self._is_column(left.args[0]):
            self.facts.lower |= left.name == "lower"
            self.facts.upper |= left.name == "upper"
            return True
        return False

    def _text(self, tree: Term) -> str | None:
        while isinstance(tree, Cast):
            tree = tree.arg
        return tree.value if isinstance(tree, Const) else None

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
        texts = [self._text(i) for i in tree.items]
        return [t for t in texts if t is not None]

    def _quantified(self, name: str, left: Term, right: Term, every: bool, truth: bool) -> bool:
        if self._is_column(right) and (element := self._text(left)) is not None:
            self.facts.lists.append([element])
        name = self._own_name(name)
        one_of = (name, every) == ("=", False) if truth else (name, every) == ("<>", True)
        if one_of and self._is_reached(left):
            literals = self._literals(right)
            if literals is not None:
                self._restrict(literals)
                return True
        return self._is_reached(left) and (name, every) in {("=", False), ("<>", True)}

    def _is_reached(self, tree: Term) -> bool:
        """Whether it is the column, or lower(x), upper(x), btrim(x) of it, which members satisfy as well."""
        if isinstance(tree, Call) and tree.name in {"lower", "upper", "btrim"} and len(tree.args) == 1:
            return self._is_column(tree.args[0])
        return self._is_column(tree)

    def _members(self, constants: list[Term]) -> bool:
        texts = [self._constant_text(c) for c in constants]
        if None in texts:
            return False
        self._restrict([t for t in texts if t is not None])
        return True

    def _constant_text(self, tree: Term) -> str | None:
        text = self._text(tree)
        if text is None:
            value = self._number(tree)
            line = self._space.line
            if value is not None and line is not None and (value / line.unit).denominator == 1:
                return line.show(int(value / line.unit))
        return text

    def _restrict(self, members: list[str]) -> None:
        known = self.facts.members
        self.facts.members = list(dict.fromkeys(members)) if known is None else [m for m in known if m in members]

    def _value(self, tree: Term) -> Any:
        try:
            return self._meaning.constant(tree, self._meaning.type)
        except NotUnderstood:
            return None

    def _number(self, tree: Term) -> Fraction | None:
        value = self._value(tree)
        return Fraction(value) if isinstance(value, int | Fraction) and not isinstance(value, bool) else None

    def _bound(self, name: str, right: Term) -> bool:
        line, value = self._space.line, self._value(right)
        if line is None or value is None or isinstance(value, str | bytes | tuple | bool):
            return False
        facts = self.facts
        if isinstance(value, Extreme):
            # all that is finite lies on one side of it
            holds = {"<": value.rank > 0, "<=": value.rank > 0, ">": value.rank < 0, ">=": value.rank < 0}[name]
            if not holds:
                facts.low, facts.high = 1, 0
            return True
        ticks = Fraction(value) / line.unit
        if name in {">", ">="}:
            low = math.ceil(ticks) if name == ">=" else math.floor(ticks) + 1
            facts.low = low if facts.low is None else max(facts.low, low)
        else:
            high = math.floor(ticks) if name == "<=" else math.ceil(ticks) - 1
            facts.high = high if facts.high is None else min(facts.high, high)
        return True

    def _at_least(self, length: int) -> None:
        self.facts.shortest = max(self.facts.shortest, length)

    def _at_most(self, length: int) -> None:
        longest = self.facts.longest
        self.facts.longest = length if longest is None else min(longest, length)

    def _length(self, name: str, left: Call, right: Term) -> bool:
        value = self._number(right)
        if value is None:
            return False
        match name:
            case "=":
                self._at_least(math.ceil(value))
                self._at_most(math.floor(value))
            case ">=" | ">":
                self._at_least(math.floor(value) + 1 if name == ">" else math.ceil(value))
            case "<=" | "<":
                self._at_most(math.ceil(value) - 1 if name == "<" else math.floor(value))
            case _:
                if value == 0:
                    self._at_least(1)
        return self._is_column(left.args[0])

    def _match(self, name: str, left: Term, right: Term, truth: bool) -> bool:
        source = self._value(right)
        if not isinstance(source, str):
            return False
        positive, insensitive = (_MATCHES | _LIKES)[name]
        read = patterns.regular if name in _MATCHES else patterns.like
        pattern = read(source, insensitive=insensitive or bool(self._space.texts and self._space.texts.folded))
        if pattern is None:
            return False
        if not self._is_reached(left):
            self.facts.suggested.append(pattern)
            return False
        (self.facts.matched if positive is truth else self.facts.missed).append(pattern)
        return len(self.facts.matched) <= 1 and positive is truth
