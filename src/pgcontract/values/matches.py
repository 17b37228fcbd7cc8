"""Texts that match a pattern, and texts that nearly do: made from its tree, simple ones first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.values.regexes import Chars, Choice, Group, Node, Repeat, Sequence, Untranslatable, Zero, in_doubt

PREFERRED: Final = (
    "aA0"
    "bcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ123456789"
    "-_. @/:+,;=!?#$%&'*()<>[]^`{|}~\"\\\t\n\r\x01"
    "é中ß😀\u00a0\U0010ffff"
)
"""Characters as a person would pick them: a match is made of the first that fits."""
_SPARE: Final = 12
"""How many more repetitions than the least are drawn where there is no upper bound."""


@lru_cache(maxsize=4096)
def alphabet(chars: Chars) -> str:
    """Return the preferred characters that fit, none of which is the locale's business. Raises Untranslatable."""
    compiled = re.compile(chars.python, re.ASCII)
    found = "".join(
        c for c in PREFERRED if compiled.match(c) and (c.isascii() or not in_doubt(c, chars.classes, insensitive=False))
    )
    if found:
        return found
    other = next((chr(n) for n in (*range(1, 0xD800), *range(0xE000, 0x11000)) if compiled.match(chr(n))), None)
    if other is None:
        raise Untranslatable(chars.python)
    return other


_Choices: TypeAlias = dict[tuple[int, ...], int]


def _render(node: Node, choices: _Choices, path: tuple[int, ...], points: dict[tuple[int, ...], int]) -> str:
    """A match by the choices made at some places, elsewhere the first. ``points`` gets each place's count of them."""
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


def variants(node: Node) -> Iterator[str]:
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


def shortest(node: Node) -> int:
    match node:
        case Chars():
            return 1
        case Zero():
            return 0
        case Group(part=part):
            return shortest(part)
        case Sequence(parts=parts):
            return sum(shortest(p) for p in parts)
        case Choice(options=options):
            return min(shortest(o) for o in options)
        case Repeat(part=part, least=least):
            return least * shortest(part)


def lengthened(node: Node, length: int) -> Iterator[str]:
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


def spoilt(examples: tuple[str, ...]) -> Iterator[str]:
    """Texts one step away from a match; then short ones."""
    for text in examples:
        # the case first: what ignores it is a step away as well
        yield from (text.upper(), text.lower(), text.swapcase())
        if len(text) <= 200:
            places = [n for n in range(len(text)) if n < 8 or n > len(text) - 4]
            yield from (text[:n] + text[n + 1 :] for n in places)
            yield from (text + c for c in (" ", "!", "a", "0", "\n", "A", "é"))
            yield from (c + text for c in (" ", "!", "a", "0", "\n"))
            yield from (text[:n] + c + text[n + 1 :] for n in places for c in (" ", "!", "A", "a", "0", "é"))
        yield from (text + text, text * 50, text[: len(text) // 2])
    yield from ("", "a", "A", "0", " ", "!", "\n", "é", "😀", "aa", "00", "a a")


_Slot: TypeAlias = tuple[str, int, int | None]


def slots(node: Node) -> Iterator[list[_Slot]]:
    """Yield a match's characters as slots, each with its letters and their number; a list for each alternative."""
    match node:
        case Zero():
            yield []
        case Chars():
            yield [(_plain(alphabet(node)), 1, 1)]
        case Repeat(part=Chars() as chars, least=least, most=most):
            yield [(_plain(alphabet(chars)), least, most)]
        case Repeat(part=part, least=least):
            for inner in slots(part):
                yield inner * least
        case Group(part=part):
            yield from slots(part)
        case Choice(options=options):
            for option in options:
                yield from slots(option)
        case Sequence(parts=parts):
            yield from _slots_of_all(parts)


def _slots_of_all(parts: tuple[Node, ...]) -> Iterator[list[_Slot]]:
    if not parts:
        yield []
        return
    for first in slots(parts[0]):
        for rest in _slots_of_all(parts[1:]):
            yield [*first, *rest]


def _plain(letters: str) -> str:
    """Letters that differ whatever their case, or all there are."""
    few = "".join(c for c in letters if c.isascii() and (c.islower() or c.isdigit()))
    return few or letters


def fillings(slots: list[_Slot], low: int, high: int) -> Iterator[str]:
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
class Budget:
    low: int
    high: int
    shortest: int

    def counts(self, repeat: Repeat) -> tuple[int, int]:
        """How often a repetition is drawn, so that the whole may reach its length and does not exceed it."""
        room = max(self.high - self.shortest, 0)
        wanted = repeat.least + min(max(self.low - self.shortest, 0), 1000)
        top = min(wanted + _SPARE, repeat.least + room)
        if repeat.most is not None:
            top = min(repeat.most, repeat.least + room, wanted + _SPARE * 4)
        return max(min(wanted, top), repeat.least), max(top, repeat.least)

    def spent(self, least: int, drawn: int) -> Budget:
        """What is left for those that follow."""
        return Budget(max(self.low - (drawn - least), 0), self.high, self.shortest)


def strategy(node: Node, budget: Budget) -> SearchStrategy[str]:
    match node:
        case Chars():
            letters = alphabet(node)
            return st.just(letters) if len(letters) == 1 else st.sampled_from(letters)
        case Zero():
            return st.just("")
        case Group(part=part):
            return strategy(part, budget)
        case Sequence(parts=parts):
            return _joined(_merged_parts(parts, budget))
        case Choice(options=options):
            return st.one_of([strategy(o, budget) for o in options])
        case Repeat(part=Chars() as chars):
            fewest, top = budget.counts(node)
            return st.text(alphabet(chars), min_size=fewest, max_size=top)
        case Repeat(part=part, least=least, most=most):
            inner = strategy(part, Budget(0, budget.high, budget.shortest))
            top = least + 3 if most is None else min(most, least + 3)
            return st.lists(inner, min_size=least, max_size=top).map("".join)


def _merged_parts(parts: tuple[Node, ...], budget: Budget) -> list[SearchStrategy[str] | str]:
    """Strategies of the parts, constants joined: each strategy costs time at every draw."""
    found: list[SearchStrategy[str] | str] = []
    for part in parts:
        if isinstance(part, Zero):
            continue
        if isinstance(part, Chars) and len(letters := alphabet(part)) == 1:
            last = found[-1] if found else None
            if isinstance(last, str):
                found[-1] = last + letters
            else:
                found.append(letters)
            continue
        found.append(strategy(part, budget))
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
