"""Values that facts suggest: candidates in the order in which a person would think of them, draws, fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, product

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.values import arrays, documents, texts
from pgcontract.values.facts import Facts
from pgcontract.values.patterns import Pattern
from pgcontract.values.regexes import Untranslatable
from pgcontract.values.space import Line, Space

_NEAR = 1000
_LONGEST = 20_000
_WIDE = 255
_LONG_ARRAY = 2000
_SCRIPTS = ("é", "中", texts.BEYOND_BMP)


@dataclass(frozen=True, slots=True)
class Proposals:
    """``complete``: the candidates are all the values that there are. ``strategy`` None: draw from what holds.

    ``fresh`` are kinds of distinct values: of the first kind of which some hold, all are taken that do.
    """

    candidates: tuple[str, ...]
    strategy: SearchStrategy[str] | None
    fresh: tuple[Callable[[], Iterator[str]], ...]
    complete: bool = False


def proposals(space: Space, facts: Facts, hints: Sequence[str], base: str, asked: Sequence[str] = ()) -> Proposals:
    """Propose values of a type under facts; ``hints`` are constants met in the conditions, ``base`` is no domain.

    ``asked`` are values that the conditions ask for, and go first.
    """
    found = _proposals(space, facts, hints, base)
    suggested = [e for p in facts.suggested for e in (*p.examples, *p.near_misses)]
    suggested += [f(m) for m in facts.favourites for f in (str, str.lower, str.upper, _spaced)]
    if found.complete or not (suggested or hints or asked):
        return found
    first = suggested if facts.favourites else asked
    return replace(found, candidates=tuple(dict.fromkeys((*first, *found.candidates, *suggested, *hints))))


def either(always: Proposals, ways: Sequence[Proposals]) -> Proposals:
    """What is proposed for each of several ways, then what is proposed whichever it is."""
    # a way with few values comes last: the distinct ones are taken from the first that has any
    open_ = [way for way in ways if not way.complete]
    drawn = [way.strategy for way in open_ if way.strategy is not None]
    return Proposals(
        tuple(dict.fromkeys(c for way in (*ways, always) for c in way.candidates)),
        st.one_of(drawn) if drawn else always.strategy,
        tuple(f for way in (*open_, always, *(w for w in ways if w.complete)) for f in way.fresh),
        complete=always.complete or not open_,
    )


def _proposals(space: Space, facts: Facts, hints: Sequence[str], base: str) -> Proposals:
    if facts.members is not None:
        return _of_members(facts.members)
    if not _endless(space):
        return Proposals(space.boundaries, None, (lambda: iter(space.boundaries),), complete=True)
    if space.line is not None:
        return _on_line(space, space.line, facts)
    if space.texts is not None:
        return _of_texts(space, facts, hints)
    if base == "bytea":
        return _of_bytes(space, facts)
    if facts.json_kind in documents.JSON_KINDS:
        candidates, strategy = documents.JSON_KINDS[facts.json_kind]
        candidates = (*candidates, *_long_documents(facts))
        return Proposals(candidates, strategy, (lambda: _json_fresh(facts.json_kind or "", space),))
    if space.elements is not None:
        return _of_arrays(space, facts)
    others = (
        [partial(_json_fresh, k, space) for k in ("array", "string", "number")] if base in {"json", "jsonb"} else []
    )
    candidates = (space.simplest, *space.boundaries, *(_long_documents(facts) if others else ()))
    return Proposals(candidates, space.strategy, (lambda: _fresh(space), *others))


def _endless(space: Space) -> bool:
    return space.fresh(len(space.boundaries)) is not None


def _fresh(space: Space | None) -> Iterator[str]:
    for n in count():
        value = None if space is None else space.fresh(n)
        if value is None:
            return
        yield value


def _json_fresh(kind: str, space: Space) -> Iterator[str]:
    show = {"array": "[{}]", "string": '"{}"', "number": "{}"}.get(kind)
    return _fresh(space) if show is None else (show.format(n) for n in count())


def _of_members(members: list[str]) -> Proposals:
    unique = tuple(dict.fromkeys(members))
    return Proposals(unique, None, (lambda: iter(unique),), complete=True)


def _long_documents(facts: Facts) -> tuple[str, ...]:
    lengths = (facts.shortest, *(() if facts.longest is None else (facts.longest,)))
    return tuple("[" + ", ".join(map(str, range(length))) + "]" for length in lengths if 0 < length < _LONGEST)


def _of_bytes(space: Space, facts: Facts) -> Proposals:
    low = facts.shortest
    high = facts.longest if facts.longest is not None else low + 40
    lengths = dict.fromkeys(n for n in (low, high, low + 1, high - 1) if low <= n <= high <= _LONGEST)
    made = [f"\\x{byte * n}" for n in lengths for byte in ("00", "ff")]
    strategy = st.binary(min_size=low, max_size=max(low, min(high, low + 40))).map(lambda b: "\\x" + b.hex())
    bounded = low > 0 or facts.longest is not None

    def fresh() -> Iterator[str]:
        for n in count():
            yield "\\x" + n.to_bytes(max((n.bit_length() + 7) // 8, low, 1), "big").hex()

    candidates = (*made, *space.boundaries) if bounded else space.boundaries
    return Proposals(candidates, strategy if bounded else space.strategy, (fresh,))


def _on_line(space: Space, line: Line, facts: Facts) -> Proposals:
    low = line.low if facts.low is None else max(line.low, facts.low)
    high = line.high if facts.high is None else min(line.high, facts.high)
    free = facts.low is None and facts.high is None
    inside = low <= high
    ends: list[int] = []
    if inside:
        ends = [*_simple(line, low, high), low, high, *(e for e in (low + 1, high - 1) if low < e < high)]
        ends += [t for t in (line.origin, line.origin + 1, line.origin - 1) if low <= t <= high]
    shown = [line.show(t) for t in dict.fromkeys(ends)]
    boundaries = [*shown[:1], *space.boundaries, *shown[1:]] if free else [*shown, *space.boundaries]
    strategy = (
        space.strategy
        if free
        else st.one_of(
            st.integers(max(low, _first(line, low, high)), min(high, _last(line, low, high))), st.integers(low, high)
        ).map(line.show)
        if inside
        else None
    )
    complete = not inside and not line.dense
    return Proposals(
        tuple(dict.fromkeys((*boundaries, *line.specials))),
        strategy,
        (lambda: _along(space, line, low, high),),
        complete,
    )


def _first(line: Line, low: int, high: int) -> int:
    return min(max(low, line.origin - _NEAR), high)


def _last(line: Line, low: int, high: int) -> int:
    return max(min(high, line.origin + _NEAR), low)


def _simple(line: Line, low: int, high: int) -> list[int]:
    """What a person would write first: zero, else the roundest number near it."""
    if low <= line.origin <= high:
        return [line.origin]
    found = []
    for step in line.steps:
        near = -(-low // step) * step if low > line.origin else high // step * step
        if low <= near <= high:
            found.append(near)
    return found[:1]


def _along(space: Space, line: Line, low: int, high: int) -> Iterator[str]:
    """Distinct values between two ticks: the type's own while they fit, then tick by tick."""
    if low > high:
        return
    seen: set[str] = set()
    misses = 0
    for value in _fresh(space):
        tick = _tick(space, line, value)
        if tick is not None and low <= tick <= high:
            misses = 0
            seen.add(value)
            yield value
        else:
            misses += 1
            if misses > _NEAR:
                break
    down = low < line.origin and high <= line.origin
    for step in line.steps:
        start = high // step * step if down else -(-low // step) * step
        ticks = range(start, low - 1, -step) if down else range(start, high + 1, step)
        for tick in ticks:
            value = line.show(tick)
            if value not in seen:
                seen.add(value)
                yield value


def _tick(space: Space, line: Line, value: str) -> int | None:
    if space.read is None:
        return None
    found = space.read(value)
    return int(found / line.unit) if isinstance(found, int) or hasattr(found, "denominator") else None


def _of_arrays(space: Space, facts: Facts) -> Proposals:
    assert space.elements is not None
    low, high = facts.shortest, facts.longest
    most = max(low, low + 5 if high is None else min(high, low + 50))
    lengths = [n for n in (low, high, low + 1, None if high is None else high + 1) if n is not None and n < _LONG_ARRAY]
    elements = facts.elements or [space.elements.simplest]
    made = [[elements[n % len(elements)] for n in range(length)] for length in lengths]
    made += [[e] for e in elements] + facts.lists + [[i] for items in facts.lists for i in items]
    with_null: list[list[str | None]] = [[None] * max(n, 1) for n in (low, low + 1) if n < _LONG_ARRAY]
    strategy: SearchStrategy[str] = space.strategy
    if facts.elements or low or high is not None:
        inner = st.sampled_from(facts.elements) if facts.elements else space.elements.strategy
        strategy = st.lists(inner, min_size=low, max_size=most).map(arrays.literal)
    candidates = [arrays.literal(items) for items in made] + [arrays.literal(items) for items in with_null]
    fresh = partial(_fresh_arrays, space.elements, facts, low, high)
    return Proposals(
        tuple(dict.fromkeys((*candidates, *space.boundaries))),
        strategy,
        (fresh, lambda: (arrays.literal([*([None] * max(low - 1, 1)), e]) for e in _fresh(space.elements))),
    )


def _fresh_arrays(elements: Space, facts: Facts, low: int, high: int | None) -> Iterator[str]:
    if facts.elements:
        for length in range(low, 64 if high is None else high + 1):
            yield from map(arrays.literal, product(facts.elements, repeat=length))
        return
    if low == 0:
        yield "{}"
    for value in _fresh(elements):
        yield arrays.literal([value] + [elements.simplest] * (max(low, 1) - 1))


def _of_texts(space: Space, facts: Facts, hints: Sequence[str]) -> Proposals:
    assert space.texts is not None
    limit = space.texts.limit
    low = facts.shortest
    high = facts.longest if facts.longest is not None else limit if limit is not None else max(_WIDE, low)
    high = high if limit is None else min(high, limit)
    hard = high
    # a text that may be longer only by the spaces around it
    if facts.roughly is not None and facts.roughly >= low:
        high = min(high, facts.roughly)
    case = str.lower if facts.lower else str.upper if facts.upper else str
    bounded = facts.longest is not None or facts.shortest > 0 or facts.roughly is not None
    if low > high:
        return Proposals((), None, (), complete=True)
    if facts.matched:
        return _of_pattern(facts, low, high, case)
    fill = "A" if facts.upper else "a"
    lengths = [n for n in dict.fromkeys((max(low, 1), low, high, low + 1, high - 1)) if low <= n <= high <= _LONGEST]
    if bounded or facts.lower or facts.upper:
        made = [fill * n for n in lengths]
        made += [s * n for n in lengths[:3] for s in _SCRIPTS]
        made += [fill + " " * (hard - 1)] if 1 < hard <= _LONGEST else []
        made += [" " * n for n in (low, hard) if n <= _LONGEST]
    else:
        made = [fill * max(low, 1)]
    near = [m for p in facts.missed for m in p.near_misses]
    near += [case(c) for c in hints]
    short = [c for c in hints if 0 < len(c) <= _WIDE]
    near += [f(c) for c in short for f in (str.upper, str.lower, str.swapcase, _more, _less, _around)]
    near += [a + b for a in short[:4] for b in short[:4] if a != b]
    strategy = texts.drawn(low, high) if bounded else space.strategy
    if facts.lower or facts.upper:
        strategy = strategy.map(
            lambda s: (
                case(s) if s.isascii() else "".join(c for c in s if case(c) == c and c.isascii()) or fill * max(low, 1)
            )
        )

    def words(before: str = "", after: str = "", change: Callable[[str], str] = case) -> Iterator[str]:
        width = max(low - len(before) - len(after), 1)
        room = high - len(before) - len(after)
        for n in count():
            found = texts.word(n, room) if room > 0 else None
            if found is None:
                return
            # the filling is a letter that no word begins with
            yield before + change(found if len(found) >= width else "_" * (width - len(found)) + found) + after

    # the first kind of which some satisfy the literals goes on: what no word matches may match one with a digit
    kinds: tuple[Callable[[], Iterator[str]], ...] = (
        words,
        lambda: words(change=str.upper),
        lambda: words(before="!"),
        lambda: words(after="1"),
        lambda: words(before=" "),
        lambda: words(after=" a"),
        lambda: words(before="é"),
    )

    ordered = (*near, *made, *space.boundaries) if facts.missed else (*made, *space.boundaries, *near)
    return Proposals(tuple(dict.fromkeys(ordered)), strategy, kinds)


def _more(text: str) -> str:
    return text + "a"


def _spaced(text: str) -> str:
    return f" {text} "


def _around(text: str) -> str:
    return "a" + text + "a"


def _less(text: str) -> str:
    return text[:-1]


def _of_pattern(facts: Facts, low: int, high: int, case: Callable[[str], str]) -> Proposals:
    patterns: list[Pattern] = facts.matched
    examples = [case(e) for p in patterns for e in p.examples]
    ends = [n for n in dict.fromkeys((low, high, low + 1, high - 1)) if n <= _LONGEST and (n or not low)]
    stretched = [case(t) for p in patterns for n in ends if (t := p.of_length(n)) is not None]
    fitting = [e for e in examples if low <= len(e) <= high]
    candidates = [*fitting[:1], *stretched, *fitting[1:]] if fitting else [*stretched, *examples]
    candidates += [m for p in facts.missed for m in p.near_misses]
    first = patterns[0]
    try:
        strategy: SearchStrategy[str] | None = first.strategy(low, high).map(case)
    except Untranslatable:
        strategy = None
    # a pattern without anchors has few matches of its own, and takes them in any text
    one = fitting[0] if fitting else ""
    kinds = [partial(_fresh_matches, patterns, low, high, case)]
    kinds += [partial(_around_words, before, after, high, case) for before, after in ((one, ""), ("", one))]
    return Proposals(tuple(dict.fromkeys(candidates)), strategy, tuple(kinds))


def _around_words(before: str, after: str, high: int, case: Callable[[str], str]) -> Iterator[str]:
    room = high - len(before) - len(after)
    for n in count():
        found = texts.word(n, room) if room > 0 else None
        if found is None:
            return
        yield before + case(found) + after


def _fresh_matches(patterns: list[Pattern], low: int, high: int, case: Callable[[str], str]) -> Iterator[str]:
    """Distinct matches of the first pattern, simple ones first."""
    seen: set[str] = set()
    for text in patterns[0].words(low, high):
        found = case(text)
        if found not in seen:
            seen.add(found)
            yield found
