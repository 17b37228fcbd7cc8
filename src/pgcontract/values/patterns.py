"""PostgreSQL's regular expressions and LIKE, read into small trees: matched by Python's ``re``, and matches made.

What a character class holds beyond ASCII is the server's locale's business. A text in which that matters is neither
matched nor not: ``Pattern.matches`` returns None.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice, product
from typing import Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t-\\r",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_SHORT: Final = {"d": "digit", "s": "space", "w": "word"}
_CONTROL: Final = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NO_DOUBT: Final = frozenset({"ascii", "xdigit"})

PREFERRED: Final = (
    "aA0"
    "bcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ123456789"
    "-_. @/:+,;=!?#$%&'*()<>[]^`{|}~\"\\\t\n\r\x01"
    "é中ß😀\u00a0\U0010ffff"
)
"""Characters as a person would pick them: a match is made of the first that fits."""
_SPARE: Final = 12
"""How many more repetitions than the least are drawn where there is no upper bound."""
_MOST_VARIANTS: Final = 40
_LONGEST: Final = 20_000
_LONGEST_NESTED: Final = 16


class Untranslatable(Exception):  # noqa: N818 - it says what the expression is
    """A regular expression that only the server can judge."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character: ``inside`` is the inside of a Python bracket expression; ``classes`` are its locale's business."""

    inside: str
    negated: bool = False
    classes: frozenset[str] = frozenset()

    @property
    def python(self) -> str:
        """As Python's ``re`` writes it."""
        if not self.inside:
            return "(?s:.)" if self.negated else "(?!)"
        return f"[{'^' * self.negated}{self.inside}]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """``most`` None is without bound."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What stands in parentheses that count."""

    part: Node


@dataclass(frozen=True, slots=True)
class Zero:
    """An anchor, a look-around or a back reference: Python's text for it; it makes no characters of its own."""

    python: str


Node: TypeAlias = Chars | Repeat | Sequence | Choice | Group | Zero


@dataclass(frozen=True)
class Pattern:
    """A regular expression (or LIKE pattern) that can be matched and that matches can be made for."""

    source: str
    node: Node
    insensitive: bool = False
    doubts: frozenset[str] = frozenset()
    nested: bool = False
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        flags = re.ASCII | re.IGNORECASE if self.insensitive else re.ASCII
        try:
            object.__setattr__(self, "_compiled", re.compile(_python(self.node), flags))
        except (re.error, OverflowError, RecursionError) as error:
            raise Untranslatable(self.source) from error

    def matches(self, text: str) -> bool | None:
        """Whether PostgreSQL finds the pattern in the text; None where that depends on its locale."""
        if len(text) > (_LONGEST_NESTED if self.nested else _LONGEST):
            return None
        if not text.isascii() and self._doubtful(text):
            return None
        return self._compiled.search(text) is not None

    def _doubtful(self, text: str) -> bool:
        return any(c > "\x7f" and _in_doubt(c, self.doubts, self.insensitive) for c in text)

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """A few matches: the simplest, then those that differ from it in one choice."""
        found = dict.fromkeys(islice(_variants(self.node), _MOST_VARIANTS * 4))
        return tuple(islice((t for t in found if self.matches(t)), _MOST_VARIANTS))

    def of_length(self, length: int) -> str | None:
        """Return a match of exactly so many characters, if one is found."""
        for text in _lengthened(self.node, length):
            if len(text) == length and self.matches(text):
                return text
        return None

    @cached_property
    def near_misses(self) -> tuple[str, ...]:
        """Texts that do not match, but nearly do."""
        found = dict.fromkeys(_spoilt(self.examples[:3]))
        return tuple(islice((t for t in found if self.matches(t) is False), _MOST_VARIANTS))

    def words(self, low: int, high: int) -> Iterator[str]:
        """Distinct matches of ``low`` to ``high`` characters, short and simple ones first; those in doubt are left out."""
        for slots in islice(_slots(self.node), _MOST_VARIANTS):
            for found in _fillings(slots, low, high):
                if self.matches(found):
                    yield found

    def strategy(self, low: int, high: int) -> SearchStrategy[str]:
        """Texts that match, mostly, of about ``low`` to ``high`` characters: whoever draws must look again."""
        return _strategy(self.node, _Budget(low, high, _shortest(self.node)))


@lru_cache(maxsize=1024)
def regular(source: str, *, insensitive: bool = False) -> Pattern | None:
    """Read an advanced regular expression (``~``, ``~*``); None where only the server can judge it."""
    try:
        parser = _Parser(source, insensitive)
        node = parser.parse()
        return Pattern(source, node, parser.insensitive, frozenset(parser.doubts), _nested(node))
    except (Untranslatable, IndexError):
        return None


@lru_cache(maxsize=1024)
def like(source: str, *, insensitive: bool = False, escape: str = "\\") -> Pattern | None:
    """Read a LIKE pattern; None where it is not valid."""
    parts: list[Node] = [Zero(r"\A")]
    characters = iter(source)
    for c in characters:
        if c == escape:
            literal = next(characters, None)
            if literal is None:
                return None
            parts.append(_one(literal))
        elif c == "%":
            parts.append(Repeat(Chars("", negated=True), 0, None))
        else:
            parts.append(Chars("", negated=True) if c == "_" else _one(c))
    return Pattern(source, Sequence((*parts, Zero(r"\Z"))), insensitive)


def similar(source: str, escape: str = "\\") -> str | None:
    """Turn a SIMILAR TO pattern into a regular expression, as PostgreSQL's similar_to_escape does."""
    found: list[str] = []
    in_class = escaped = False
    for c in source:
        if escaped:
            if c == '"' and not in_class:
                return None
            found.append("\\" + c)
            escaped = False
        elif c == escape:
            escaped = True
        elif in_class:
            found.append("\\\\" if c == "\\" else c)
            in_class = c != "]"
        else:
            in_class = c == "["
            found.append({"%": ".*", "_": ".", "(": "(?:"}.get(c, "\\" + c if c in "\\.^$" else c))
    return f"^(?:{''.join(found)})$"


def like_escaped(source: str, escape: str) -> str | None:
    """Turn a LIKE pattern with another escape character into one with a backslash."""
    if len(escape) > 1:
        return None
    found: list[str] = []
    characters = iter(source)
    for c in characters:
        if c == escape:
            literal = next(characters, None)
            if literal is None:
                return None
            found.append("\\" + literal)
        else:
            found.append("\\\\" if c == "\\" else c)
    return "".join(found)


def _one(character: str) -> Chars:
    return Chars(_escaped(character))


def _escaped(character: str) -> str:
    return re.escape(character) if character.isascii() and not character.isalnum() else character


def _in_doubt(character: str, classes: frozenset[str], insensitive: bool) -> bool:
    if insensitive and (character.lower() != character or character.upper() != character):
        return True
    category = unicodedata.category(character)
    for name in classes - _NO_DOUBT:
        match name:
            case "space" | "blank":
                if category[0] in "ZC" or character.isspace():
                    return True
            case "digit":
                if category[0] == "N":
                    return True
            case _:
                return True
    return False


def _python(node: Node) -> str:
    match node:
        case Chars():
            return node.python
        case Zero(python=python):
            return python
        case Group(part=part):
            return f"({_python(part)})"
        case Sequence(parts=parts):
            return "".join(_python(p) for p in parts)
        case Choice(options=options):
            return "(?:" + "|".join(_python(o) for o in options) + ")"
        case Repeat(part=part, least=least, most=most):
            return f"(?:{_python(part)}){{{least},{'' if most is None else most}}}"


def _nested(node: Node) -> bool:
    """Whether a repetition of nothing but a repetition makes matching take exponential time."""
    match node:
        case Repeat(part=part, most=most):
            inner = part
            while isinstance(inner, Group) or (isinstance(inner, Sequence) and len(inner.parts) == 1):
                inner = inner.part if isinstance(inner, Group) else inner.parts[0]
            wild = most is None or most > 1
            return (wild and isinstance(inner, Repeat) and inner.most != inner.least) or _nested(part)
        case Group(part=part):
            return _nested(part)
        case Sequence(parts=parts) | Choice(options=parts):
            return any(_nested(p) for p in parts)
        case _:
            return False


class _Parser:
    """PostgreSQL manual, section 9.7.3: advanced regular expressions."""

    def __init__(self, source: str, insensitive: bool) -> None:
        self.source = source
        self.at = 0
        self.insensitive = insensitive
        self.doubts: set[str] = set()
        self.lines = False
        self.dot_all = True
        self.groups = 0

    def parse(self) -> Node:
        if self.source.startswith("***="):
            return Sequence(tuple(_one(c) for c in self.source[4:]))
        if self.source.startswith("***"):
            if not self.source.startswith("***:"):
                raise Untranslatable(self.source)
            self.at = 4
        if (found := re.match(r"\(\?([a-z]+)\)", self.source[self.at :])) is not None:
            self.at += found.end()
            if (literal := self._options(found[1])) is not None:
                return literal
        node = self._choice()
        if self.at < len(self.source):
            raise Untranslatable(self.source)
        return node

    def _options(self, letters: str) -> Node | None:
        for letter in letters:
            match letter:
                case "i":
                    self.insensitive = True
                case "c":
                    self.insensitive = False
                case "n" | "m":
                    self.lines, self.dot_all = True, False
                case "p":
                    self.lines, self.dot_all = False, False
                case "w":
                    self.lines, self.dot_all = True, True
                case "s":
                    self.lines, self.dot_all = False, True
                case "t":
                    pass
                case "q":
                    return Sequence(tuple(_one(c) for c in self.source[self.at :]))
                case _:
                    raise Untranslatable(self.source)
        return None

    def _peek(self, text: str) -> bool:
        return self.source.startswith(text, self.at)

    def _take(self, text: str) -> bool:
        if not self._peek(text):
            return False
        self.at += len(text)
        return True

    def _choice(self) -> Node:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.source) and not self._peek("|") and not self._peek(")"):
            node = self._atom()
            if node is not None:
                parts.append(self._quantified(node))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quantified(self, node: Node) -> Node:
        if (found := re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}").match(self.source, self.at)) is None:
            return node
        self.at = found.end()
        match found[0]:
            case "*":
                bounds: tuple[int, int | None] = 0, None
            case "+":
                bounds = 1, None
            case "?":
                bounds = 0, 1
            case _:
                least = int(found[1])
                bounds = least, least if found[2] is None else int(found[3]) if found[3] else None
        self._take("?")  # which match is found first makes no difference to whether there is one
        if isinstance(node, Zero) or re.compile(r"[*+?]|\{\d").match(self.source, self.at):
            raise Untranslatable(self.source)
        return Repeat(node, *bounds)

    def _atom(self) -> Node | None:
        c = self.source[self.at]
        self.at += 1
        match c:
            case "^":
                return Zero(r"(?:\A|(?<=\n))" if self.lines else r"\A")
            case "$":
                return Zero(r"(?:\Z|(?=\n))" if self.lines else r"\Z")
            case ".":
                return Chars("", negated=True) if self.dot_all else Chars("\\n", negated=True)
            case "(":
                return self._group()
            case "[":
                return self._bracket()
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise Untranslatable(self.source)
            case "{" if self.source[self.at : self.at + 1].isdigit():
                raise Untranslatable(self.source)
            case _:
                return self._literal(c)

    def _literal(self, character: str) -> Chars:
        return _one(character)

    def _group(self) -> Node | None:
        if self._take("?#"):
            self.at = self.source.index(")", self.at) + 1 if ")" in self.source[self.at :] else self._fail()
            return None
        kind = next((k for k in ("?:", "?=", "?!", "?<=", "?<!") if self._take(k)), "")
        if not kind:
            self.groups += 1
        node = self._choice()
        if not self._take(")"):
            raise Untranslatable(self.source)
        if not kind:
            return Group(node)
        return Sequence((node,)) if kind == "?:" else Zero(f"({kind}{_python(node)})")

    def _fail(self) -> int:
        raise Untranslatable(self.source)

    def _escape(self) -> Node:
        c = self.source[self.at]
        self.at += 1
        if c.lower() in _SHORT:
            name = _SHORT[c.lower()]
            self.doubts.add(name)
            return Chars(_CLASSES[name], negated=c.isupper(), classes=frozenset([name]))
        if c in "AZ":
            return Zero("\\" + c)
        if c in "mMyY":
            self.doubts.add("word")
            return Zero({"m": r"\b(?=\w)", "M": r"\b(?<=\w)", "y": r"\b", "Y": r"\B"}[c])
        if c in "123456789":
            if self.source[self.at : self.at + 1].isdigit() or int(c) > self.groups:
                raise Untranslatable(self.source)
            return Zero(f"(?:\\{c})")
        return self._literal(self._character(c))

    def _character(self, c: str) -> str:
        """The character that an escape stands for; ``c`` follows the backslash."""
        if not c.isascii() or not c.isalnum():
            return c
        if c in _CONTROL:
            return _CONTROL[c]
        if c == "B":
            return "\\"
        width = {"u": 4, "U": 8}.get(c)
        digits = re.compile(rf"[0-9A-Fa-f]{{{width}}}" if width else r"[0-9A-Fa-f]+").match(self.source, self.at)
        if c in "uUx" and digits is not None:
            self.at = digits.end()
            code = int(digits[0], 16)
            if 0 < code <= 0x10FFFF:
                return chr(code)
        raise Untranslatable(self.source)

    def _bracket(self) -> Chars:
        negated = self._take("^")
        inside: list[str] = ["\\n"] if negated and not self.dot_all else []
        classes: set[str] = set()
        first = True
        while first or not self._peek("]"):
            first = False
            item = self._item(classes)
            if len(item) > 1:
                inside.append(item[1:])
            elif self._peek("-") and not self._peek("-]"):
                self.at += 1
                end = self._item(classes)
                if len(end) > 1 or end < item:
                    raise Untranslatable(self.source)
                inside.append(f"{_escaped(item)}-{_escaped(end)}")
            else:
                inside.append(_escaped(item))
        self.at += 1
        self.doubts |= classes
        return Chars("".join(inside), negated, frozenset(classes))

    def _item(self, classes: set[str]) -> str:
        """One character, or a NUL and then the inside of a class."""
        if (found := re.compile(r"\[:(\w+):\]").match(self.source, self.at)) is not None and found[1] in _CLASSES:
            self.at = found.end()
            classes.add(found[1])
            return "\0" + _CLASSES[found[1]]
        if (found := re.compile(r"\[([.=])(.)\1\]").match(self.source, self.at)) is not None:
            self.at = found.end()
            return found[2]
        if self._peek("[:") or self._peek("[.") or self._peek("[="):
            raise Untranslatable(self.source)
        c = self.source[self.at]
        self.at += 1
        if c != "\\":
            return c
        c = self.source[self.at]
        self.at += 1
        if c in _SHORT:
            classes.add(_SHORT[c])
            return "\0" + _CLASSES[_SHORT[c]]
        if c.lower() in _SHORT:
            raise Untranslatable(self.source)
        return self._character(c)


@lru_cache(maxsize=4096)
def alphabet(chars: Chars) -> str:
    """Return the preferred characters that fit, none of which is the locale's business. Raises Untranslatable."""
    compiled = re.compile(chars.python, re.ASCII)
    found = "".join(
        c
        for c in PREFERRED
        if compiled.match(c) and (c.isascii() or not _in_doubt(c, chars.classes, insensitive=False))
    )
    if found:
        return found
    other = next((chr(n) for n in (*range(1, 0xD800), *range(0xE000, 0x11000)) if compiled.match(chr(n))), None)
    if other is None:
        raise Untranslatable(chars.python)
    return other


_Choices: TypeAlias = dict[tuple[int, ...], int]


def _render(node: Node, choices: _Choices, path: tuple[int, ...], points: dict[tuple[int, ...], int]) -> str:
    """A match by the choices made at some places; elsewhere the first. ``points`` gets each place's count of options."""
    match node:
        case Chars():
            letters = alphabet(node)
            options = [letters[0], *(c for c in ("A", "0", "z", "9", " ", "\n", "é", "😀") if c in letters[1:])]
            points[path] = len(options)
            return options[choices.get(path, 0)]
        case Zero():
            return ""
        case Group(part=part):
            return _render(part, choices, (*path, 0), points)
        case Sequence(parts=parts):
            return "".join(_render(p, choices, (*path, n), points) for n, p in enumerate(parts))
        case Choice(options=found):
            points[path] = len(found)
            chosen = choices.get(path, 0)
            return _render(found[chosen], choices, (*path, chosen), points)
        case Repeat(part=part, least=least, most=most):
            counts = [least, *([least + 1] if most is None or most > least else [])]
            if most is not None and least + 1 < most <= 1000:
                counts.append(most)
            points[path] = len(counts)
            return _render(part, choices, (*path, 0), points) * counts[choices.get(path, 0)]


def _variants(node: Node) -> Iterator[str]:
    points: dict[tuple[int, ...], int] = {}
    try:
        yield _render(node, {}, (), points)
        for path, count in list(points.items()):
            for option in range(1, count):
                more: dict[tuple[int, ...], int] = {}
                yield _render(node, {path: option}, (), more)
                # what only appears by this choice is chosen, too: an optional group's own repetition
                for inner in [p for p in more if p not in points][:4]:
                    for other in range(1, more[inner]):
                        yield _render(node, {path: option, inner: other}, (), {})
    except Untranslatable:
        return


def _shortest(node: Node) -> int:
    match node:
        case Chars():
            return 1
        case Zero():
            return 0
        case Group(part=part):
            return _shortest(part)
        case Sequence(parts=parts):
            return sum(_shortest(p) for p in parts)
        case Choice(options=options):
            return min(_shortest(o) for o in options)
        case Repeat(part=part, least=least):
            return least * _shortest(part)


def _lengthened(node: Node, length: int) -> Iterator[str]:
    """Matches in which one or more repetitions of a character are stretched until the whole is that long."""
    points: dict[tuple[int, ...], int] = {}
    try:
        for choices in _one_choice(node, points):
            missing = length - len(_render(node, choices, (), {}))
            if missing >= 0:
                yield _stretched(node, choices, (), _Missing(missing))
    except Untranslatable:
        return


def _one_choice(node: Node, points: dict[tuple[int, ...], int]) -> Iterator[_Choices]:
    _render(node, {}, (), points)
    yield {}
    for path, count in points.items():
        for option in range(1, count):
            yield {path: option}


@dataclass(slots=True)
class _Missing:
    count: int


def _stretched(node: Node, choices: _Choices, path: tuple[int, ...], missing: _Missing) -> str:
    match node:
        case Repeat(part=part, most=most):
            text = _render(node, choices, path, {})
            unit = _render(part, choices, (*path, 0), {})
            if not unit:
                return text
            count = len(text) // len(unit)
            more = missing.count // len(unit)
            more = more if most is None else min(more, most - count)
            missing.count -= more * len(unit)
            return text + unit * more
        case Group(part=part):
            return _stretched(part, choices, (*path, 0), missing)
        case Sequence(parts=parts):
            return "".join(_stretched(p, choices, (*path, n), missing) for n, p in enumerate(parts))
        case Choice(options=options):
            chosen = choices.get(path, 0)
            return _stretched(options[chosen], choices, (*path, chosen), missing)
        case _:
            return _render(node, choices, path, {})


def _spoilt(examples: tuple[str, ...]) -> Iterator[str]:
    """Texts one step away from a match; then short ones."""
    for text in examples:
        if len(text) <= 200:
            places = [n for n in range(len(text)) if n < 8 or n > len(text) - 4]
            yield from (text[:n] + text[n + 1 :] for n in places)
            yield from (text + c for c in (" ", "!", "a", "0", "\n", "A", "é"))
            yield from (c + text for c in (" ", "!", "a", "0", "\n"))
            yield from (text[:n] + c + text[n + 1 :] for n in places for c in (" ", "!", "A", "a", "0", "é"))
        yield from (text.upper(), text.lower(), text.swapcase(), text + text, text * 50, text[: len(text) // 2])
    yield from ("", "a", "A", "0", " ", "!", "\n", "é", "😀", "aa", "00", "a a")


_Slot: TypeAlias = tuple[str, int, int | None]


def _slots(node: Node) -> Iterator[list[_Slot]]:
    """The characters of a match as slots, each with its letters and how many of them; one list for each alternative."""
    match node:
        case Zero():
            yield []
        case Chars():
            yield [(_plain(alphabet(node)), 1, 1)]
        case Repeat(part=Chars() as chars, least=least, most=most):
            yield [(_plain(alphabet(chars)), least, most)]
        case Repeat(part=part, least=least):
            for inner in _slots(part):
                yield inner * least
        case Group(part=part):
            yield from _slots(part)
        case Choice(options=options):
            for option in options:
                yield from _slots(option)
        case Sequence(parts=parts):
            if not parts:
                yield []
                return
            for first in _slots(parts[0]):
                for rest in _slots(Sequence(parts[1:])):
                    yield [*first, *rest]


def _plain(letters: str) -> str:
    """Letters that differ whatever their case, or all there are."""
    few = "".join(c for c in letters if c.isascii() and (c.islower() or c.isdigit()))
    return few or letters


def _fillings(slots: list[_Slot], low: int, high: int) -> Iterator[str]:
    shortest = sum(least for _, least, _ in slots)
    longest: int = sum(high if most is None else most for _, _, most in slots)
    for length in range(max(shortest, low), min(longest, high, max(shortest, low) + _SPARE * 4) + 1):
        missing = length - shortest
        pools: list[str] = []
        for letters, least, most in slots:
            more = missing if most is None else min(missing, most - least)
            missing -= more
            pools += [letters] * (least + more)
        # the first character changes fastest
        for reversed_characters in product(*reversed(pools)):
            yield "".join(reversed(reversed_characters))


@dataclass(frozen=True, slots=True)
class _Budget:
    low: int
    high: int
    shortest: int

    def counts(self, repeat: Repeat) -> tuple[int, int]:
        """How often a repetition is drawn, so that the whole may reach its length and does not exceed it."""
        room = max(self.high - self.shortest, 0)
        wanted = repeat.least + min(max(self.low - self.shortest, 0), 1000)
        most = repeat.least + min(room, _SPARE) if repeat.most is None else repeat.most
        most = max(min(most, repeat.least + room), repeat.least)
        if repeat.most is None or repeat.most >= wanted:
            most = max(most, min(wanted + _SPARE, repeat.least + room))
            return min(wanted, most), most
        return min(repeat.most, wanted), max(most, min(repeat.most, wanted))

    def spent(self, least: int, drawn: int) -> _Budget:
        """What is left for those that follow."""
        return _Budget(max(self.low - (drawn - least), 0), self.high, self.shortest)


def _strategy(node: Node, budget: _Budget) -> SearchStrategy[str]:
    match node:
        case Chars():
            letters = alphabet(node)
            return st.just(letters) if len(letters) == 1 else st.sampled_from(letters)
        case Zero():
            return st.just("")
        case Group(part=part):
            return _strategy(part, budget)
        case Sequence(parts=parts):
            return _joined(_merged_parts(parts, budget))
        case Choice(options=options):
            return st.one_of([_strategy(o, budget) for o in options])
        case Repeat(part=Chars() as chars):
            least, most = budget.counts(node)
            return st.text(alphabet(chars), min_size=least, max_size=most)
        case Repeat(part=part, least=least, most=most):
            inner = _strategy(part, _Budget(0, budget.high, budget.shortest))
            top = least + 3 if most is None else min(most, least + 3)
            return st.lists(inner, min_size=least, max_size=top).map("".join)


def _merged_parts(parts: tuple[Node, ...], budget: _Budget) -> list[SearchStrategy[str] | str]:
    """Strategies of the parts, constants joined: each strategy costs time at every draw."""
    found: list[SearchStrategy[str] | str] = []
    for part in parts:
        if isinstance(part, Zero):
            continue
        if isinstance(part, Chars) and len(letters := alphabet(part)) == 1:
            if found and isinstance(found[-1], str):
                found[-1] += letters
            else:
                found.append(letters)
            continue
        found.append(_strategy(part, budget))
        if isinstance(part, Repeat) and isinstance(part.part, Chars):
            budget = budget.spent(part.least, budget.counts(part)[0])
    return found


def _joined(parts: list[SearchStrategy[str] | str]) -> SearchStrategy[str]:
    drawn = [p for p in parts if not isinstance(p, str)]
    if not drawn:
        return st.just("".join(p for p in parts if isinstance(p, str)))
    constants = tuple(p if isinstance(p, str) else None for p in parts)

    def join(values: tuple[str, ...]) -> str:
        rest = iter(values)
        return "".join(next(rest) if c is None else c for c in constants)

    return st.tuples(*drawn).map(join)
