"""PostgreSQL's regular expressions as small trees, and what they are in Python's ``re``.

What a character class holds beyond ASCII is the server's locale's business: ``in_doubt`` says for which characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, TypeAlias

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


class Untranslatable(Exception):
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


def one(character: str) -> Chars:
    return Chars(_escaped(character))


def _escaped(character: str) -> str:
    return re.escape(character) if character.isascii() and not character.isalnum() else character


def in_doubt(character: str, classes: frozenset[str], insensitive: bool) -> bool:
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


def python_text(node: Node) -> str:
    match node:
        case Chars():
            return node.python
        case Zero(python=python):
            return python
        case Group(part=part):
            return f"({python_text(part)})"
        case Sequence(parts=parts):
            return "".join(python_text(p) for p in parts)
        case Choice(options=options):
            return "(?:" + "|".join(python_text(o) for o in options) + ")"
        case Repeat(part=part, least=least, most=most):
            return f"(?:{python_text(part)}){{{least},{'' if most is None else most}}}"


def nested(node: Node) -> bool:
    """Whether a repetition of nothing but a repetition makes matching take exponential time."""
    match node:
        case Repeat(part=part, most=most):
            inner = part
            while isinstance(inner, Group) or (isinstance(inner, Sequence) and len(inner.parts) == 1):
                inner = inner.part if isinstance(inner, Group) else inner.parts[0]
            wild = most is None or most > 1
            return (wild and isinstance(inner, Repeat) and inner.most != inner.least) or nested(part)
        case Group(part=part):
            return nested(part)
        case Sequence(parts=parts) | Choice(options=parts):
            return any(nested(p) for p in parts)
        case _:
            return False


class Parser:
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
            return Sequence(tuple(one(c) for c in self.source[4:]))
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
                    return Sequence(tuple(one(c) for c in self.source[self.at :]))
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
        return one(character)

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
        return Sequence((node,)) if kind == "?:" else Zero(f"({kind}{python_text(node)})")

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
            return Zero({"m": r"\b(?=\w)", "M": r"\b(?<=\w)", "y": r"\b", "Y": r"(?!\b)"}[c])
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
