"""What a domain type demands of its values by itself: its own CHECKs and NOT NULL, and those of what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pgcontract.errors import PgContractError
from pgcontract.model import Catalog
from pgcontract.values.expressions import All, AnyOf, Atom, Condition, Not, branches, parse_check
from pgcontract.values.meaning import Doubt, Meaning, NotUnderstood
from pgcontract.values.naming import domains_of
from pgcontract.values.space import Space
from pgcontract.values.terms import Term

VALUE: Final = "value"
MOST_WAYS: Final = 8


@dataclass(frozen=True, slots=True)
class Rules:
    """``terms`` hold in every value; ``tests`` judge one: True, False, or None for NULL, which passes.

    ``ways``: where there are several to pass, what holds in each of them, besides ``terms``.
    """

    terms: tuple[tuple[Term, bool], ...] = ()
    tests: tuple[Callable[[Any], bool | None], ...] = ()
    not_null: bool = False
    exact: bool = True
    ways: tuple[tuple[tuple[Term, bool], ...], ...] = ()

    def hold(self, value: Any) -> bool:
        """Whether a value is known to pass."""
        try:
            return all(test(value) is not False for test in self.tests)
        except Doubt:
            return False


def rules_of(type_text: str, catalog: Catalog, spaces: Callable[[str], Space]) -> Rules:
    """Collect the rules of a type: none unless it is a domain. ``spaces`` finds those of constants' types."""
    terms: list[tuple[Term, bool]] = []
    tests: list[Callable[[Any], bool | None]] = []
    conditions: list[Condition] = []
    not_null = False
    exact = True
    for domain in domains_of(type_text, catalog):
        not_null |= domain.not_null
        for check in domain.checks:
            try:
                condition = parse_check(check.expression, [VALUE])
                terms += _certain(condition)
                conditions.append(condition)
                tests.append(_test(condition, Meaning(VALUE, domain.type, catalog, spaces)))
            except (NotUnderstood, PgContractError):
                exact = False
    found = branches(All(tuple(conditions)), True, MOST_WAYS)
    ways = tuple(tuple((literal.atom.term, literal.truth) for literal in way) for way in found)
    return Rules(tuple(terms), tuple(tests), not_null, exact, ways if len(ways) > 1 else ())


def _certain(condition: Condition) -> list[tuple[Term, bool]]:
    match condition:
        case Atom():
            return [(condition.term, True)]
        case Not(part=part):
            return [(part.term, False)]
        case All(parts=parts):
            return [t for p in parts for t in _certain(p)]
        case _:
            return []


def _test(condition: Condition, meaning: Meaning) -> Callable[[Any], bool | None]:
    match condition:
        case Atom():
            return meaning.predicate(condition.term)
        case Not(part=part):
            inner = meaning.predicate(part.term)
            return lambda v: None if (found := inner(v)) is None else not found
        case All(parts=parts) | AnyOf(parts=parts):
            decisive = isinstance(condition, AnyOf)
            tests = [_test(p, meaning) for p in parts]

            def join(value: Any) -> bool | None:
                truths = [t(value) for t in tests]
                return decisive if decisive in truths else None if None in truths else not decisive

            return join
