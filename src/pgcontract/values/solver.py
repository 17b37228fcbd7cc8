"""What values of one column satisfy the literals that speak of it alone, and its type's own rules.

Values are proposed by the facts that the literals state, and judged, one by one, by the literals' meaning. What is
not understood here is left to the database: the domain then says that it is not ``exact``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from typing import Literal as OneOf
from zlib import crc32

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.model import Catalog
from pgcontract.values.expressions import Literal
from pgcontract.values.facts import Reader
from pgcontract.values.hints import hints_of
from pgcontract.values.meaning import Doubt, Meaning, NotUnderstood
from pgcontract.values.operators import JSON
from pgcontract.values.paths import documents
from pgcontract.values.proposals import Proposals, either, proposals
from pgcontract.values.rules import Rules
from pgcontract.values.space import Space
from pgcontract.values.terms import Term

Nulls = OneOf["allowed", "required", "excluded"]

_MOST_BOUNDARIES = 60
_UNREADABLE = (ValueError, KeyError, IndexError, ArithmeticError, RecursionError)
_POOL = 24
_MOST_TRIES = 500


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """The values of one column under some literals.

    ``exact``: every value here satisfies every literal, and nothing that was left out of account could say otherwise.
    ``empty``: no value does, nor NULL; ``strategy`` must not be drawn from then. ``boundaries`` begin with the
    simplest, and end with None where NULL is allowed; ``hints`` are constants met in what could not be used.
    """

    type: str
    exact: bool
    empty: bool
    null: Nulls
    simplest: str | None
    boundaries: tuple[str | None, ...]
    strategy: SearchStrategy[str | None]
    fresh: Callable[[int], str | None]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """One column to be solved. ``space`` is its plain one; ``spaces`` finds those of constants' types.

    With ``passing`` a literal is satisfied by NULL as well, as CHECKs are.
    """

    name: str
    space: Space
    catalog: Catalog
    spaces: Callable[[str], Space]
    rules: Rules = field(default_factory=Rules)
    literals: tuple[Literal, ...] = ()
    passing: bool = False


def solve(problem: Problem) -> Domain:
    """Return the values that satisfy the literals and the rules."""
    return _Solver(problem).domain()


class _Solver:
    def __init__(self, problem: Problem) -> None:
        values, literals, mine = problem.space, problem.literals, {problem.name}
        self._space = values
        self._passing = problem.passing
        alone = [(literal.atom.term, literal.truth) for literal in literals if literal.atom.columns == mine]
        self.exact = len(alone) == len(literals) and problem.rules.exact
        meaning = Meaning(problem.name, values.type, problem.catalog, problem.spaces)
        reader = Reader(values, meaning)
        self._tests: list[tuple[Callable[[Any], Any], bool]] = []
        others: list[Term] = [literal.atom.term for literal in literals if literal.atom.columns != mine]
        for tree, truth in alone:
            reader.read(tree, truth)
            try:
                self._tests.append((meaning.predicate(tree), truth))
            except NotUnderstood:
                self.exact = False
                others.append(tree)
        self._own = problem.rules
        for tree, truth in self._own.terms:
            reader.read(tree, truth)
        self._facts = reader.facts
        self._hints = hints_of(values, others, meaning)
        certain = (*alone, *self._own.terms)
        terms = [tree for tree, _ in certain]
        asked = documents(problem.name, [*terms, *others]) if meaning.type in JSON else ()
        hints = hints_of(values, terms, meaning)
        self._proposed = proposals(values, self._facts, hints, meaning.type, asked)
        if self._own.ways:
            each = []
            for way in self._own.ways:
                reader = Reader(values, meaning)
                for tree, truth in (*certain, *way):
                    reader.read(tree, truth)
                each.append(proposals(values, reader.facts, hints, meaning.type, asked))
            self._proposed = either(self._proposed, each)

    def domain(self) -> Domain:
        null = self._null()
        proposed = self._proposed
        found = [] if null == "required" else self._boundaries(proposed, self.holds)
        if not found and null != "required":
            # what the database alone can judge may be right
            found = self._boundaries(proposed, self._may_hold)
            self.exact &= not found
        if not found:
            return self._without_values(null, proposed)
        pool = list(
            dict.fromkeys(
                (*(found if proposed.complete else found[:_POOL]), *islice(self._fresh_values(proposed, found), _POOL))
            )
        )
        boundaries: tuple[str | None, ...] = tuple(found)
        fresh = _Sequence(self._fresh_values(proposed, found))
        return Domain(
            type=self._space.type,
            exact=self.exact,
            empty=False,
            null=null,
            simplest=found[0],
            boundaries=(*boundaries, None) if null == "allowed" else boundaries,
            strategy=self._strategy(proposed, pool),
            fresh=fresh,
            hints=self._hints,
        )

    def _null(self) -> Nulls:
        if self._own.not_null or any(not self._satisfied(test, truth, None) for test, truth in self._tests):
            return "excluded"
        return "required" if self._facts.null_required and not self._passing else "allowed"

    def _without_values(self, null: Nulls, proposed: Proposals) -> Domain:
        """NULL alone, or nothing: proven where all values there are were looked at, else only not found."""
        possible = null != "excluded"
        proven = proposed.complete or self._facts.null_required
        return Domain(
            type=self._space.type,
            exact=self.exact and (proven or possible),
            empty=not possible,
            null="required" if possible else "excluded",
            simplest=None,
            boundaries=(None,) if possible else (),
            strategy=st.none() if possible else st.nothing(),
            fresh=lambda _: None,
            hints=self._hints,
        )

    def _satisfied(self, test: Callable[[Any], Any], truth: bool, value: Any) -> bool:
        try:
            found = test(value)
        except Doubt:
            return False
        return self._passing if found is None else found is truth

    def holds(self, literal: str) -> bool:
        """Whether this value is known to satisfy all that is understood."""
        read = self._space.read
        if self._too_long(literal):
            return False
        if not self._tests and not self._own.tests:
            return True
        if read is None:
            return self._holds_value(literal)
        try:
            return self._holds_value(read(literal))
        except _UNREADABLE:
            return False

    def _too_long(self, literal: str) -> bool:
        """Whether the column refuses it, although a condition holds for what a cast leaves of it."""
        texts = self._space.texts
        return texts is not None and texts.limit is not None and not texts.cut and len(literal) > texts.limit

    def _holds_value(self, value: Any) -> bool:
        return all(self._satisfied(test, truth, value) for test, truth in self._tests) and self._own.hold(value)

    def _may_hold(self, literal: str) -> bool:
        """Whether nothing that is understood says that this value does not satisfy it."""
        if self._too_long(literal):
            return False
        read = self._space.read
        try:
            value = literal if read is None else read(literal)
        except _UNREADABLE:
            return True
        for test, truth in (*self._tests, *((t, True) for t in self._own.tests)):
            try:
                if test(value) is (not truth):
                    return False
            except Doubt:
                pass
        return True

    @staticmethod
    def _boundaries(proposed: Proposals, good: Callable[[str], bool]) -> list[str]:
        seen = dict.fromkeys(proposed.candidates)
        return list(islice((c for c in seen if good(c)), None if proposed.complete else _MOST_BOUNDARIES))

    def _fresh_values(self, proposed: Proposals, boundaries: list[str]) -> Iterator[str]:
        seen = set[str]()
        for kind in proposed.fresh:
            # another kind goes on where this one ends
            for value in self._held(kind()):
                if value not in seen:
                    seen.add(value)
                    yield value
        if not seen:
            yield from self._apart(boundaries)

    def _held(self, values: Iterator[str]) -> Iterator[str]:
        misses = 0
        for value in values:
            if self.holds(value):
                misses = 0
                yield value
            else:
                misses += 1
                if misses > _MOST_TRIES:
                    return

    def _apart(self, boundaries: list[str]) -> Iterator[str]:
        """Those that PostgreSQL tells apart: '1.0' and '1' are one."""
        seen = set()
        for literal in boundaries:
            try:
                value = literal if self._space.read is None else self._space.read(literal)
            except _UNREADABLE:
                value = literal
            key = repr(value) if isinstance(value, list | dict) else value
            if key not in seen:
                seen.add(key)
                yield literal

    def _strategy(self, proposed: Proposals, pool: list[str]) -> SearchStrategy[str]:
        base = proposed.strategy
        if base is None:
            return st.sampled_from(pool)
        if not self._tests and not self._own.tests:
            return base
        holds = self.holds

        def kept(value: str) -> str:
            # a filter would try again and then give up: a value of the pool is as good, and costs nothing
            return value if holds(value) else pool[crc32(value.encode()) % len(pool)]

        return base.map(kept)


class _Sequence:
    """The n-th of an iterator's values, remembered."""

    __slots__ = ("_known", "_rest")

    def __init__(self, values: Iterator[str]) -> None:
        self._rest = values
        self._known: list[str] = []

    def __call__(self, n: int) -> str | None:
        while len(self._known) <= n:
            value = next(self._rest, None)
            if value is None:
                return None
            self._known.append(value)
        return self._known[n]
