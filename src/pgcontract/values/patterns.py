"""Patterns: regular expressions and LIKE as PostgreSQL understands them, matched without it.

A text in which the server's locale matters is neither matched nor not: ``Pattern.matches`` returns None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Final

from hypothesis.strategies import SearchStrategy

from pgcontract.values import matches
from pgcontract.values.regexes import (
    Chars,
    Node,
    Parser,
    Repeat,
    Sequence,
    Untranslatable,
    Zero,
    in_doubt,
    nested,
    one,
    python_text,
)

MOST_VARIANTS: Final = 40
_LONGEST: Final = 20_000
_LONGEST_NESTED: Final = 16


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
            object.__setattr__(self, "_compiled", re.compile(python_text(self.node), flags))
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
        return any(c > "\x7f" and in_doubt(c, self.doubts, self.insensitive) for c in text)

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """A few matches: the simplest, then those that differ from it in one choice."""
        found = dict.fromkeys(islice(matches.variants(self.node), MOST_VARIANTS * 4))
        return tuple(islice((t for t in found if self.matches(t)), MOST_VARIANTS))

    def of_length(self, length: int) -> str | None:
        """Return a match of exactly so many characters, if one is found."""
        for text in matches.lengthened(self.node, length):
            if len(text) == length and self.matches(text):
                return text
        return None

    @cached_property
    def near_misses(self) -> tuple[str, ...]:
        """Texts that do not match, but nearly do."""
        found = dict.fromkeys(matches.spoilt(self.examples[:3]))
        return tuple(islice((t for t in found if self.matches(t) is False), MOST_VARIANTS))

    def words(self, low: int, high: int) -> Iterator[str]:
        """Yield distinct matches of ``low`` to ``high`` characters, short ones first, without those in doubt."""
        for slots in islice(matches.slots(self.node), MOST_VARIANTS):
            for found in matches.fillings(slots, low, high):
                if self.matches(found):
                    yield found

    def strategy(self, low: int, high: int) -> SearchStrategy[str]:
        """Texts that match, mostly, of about ``low`` to ``high`` characters: whoever draws must look again."""
        return matches.strategy(self.node, matches.Budget(low, high, matches.shortest(self.node)))


@lru_cache(maxsize=1024)
def regular(source: str, *, insensitive: bool = False) -> Pattern | None:
    """Read an advanced regular expression (``~``, ``~*``); None where only the server can judge it."""
    try:
        parser = Parser(source, insensitive)
        node = parser.parse()
        return Pattern(source, node, parser.insensitive, frozenset(parser.doubts), nested(node))
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
            parts.append(one(literal))
        elif c == "%":
            parts.append(Repeat(Chars("", negated=True), 0, None))
        else:
            parts.append(Chars("", negated=True) if c == "_" else one(c))
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
