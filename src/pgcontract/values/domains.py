"""What values of one column satisfy the literals that speak of it alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Protocol

from pgcontract.model import Catalog
from pgcontract.values.expressions import Literal
from pgcontract.values.rules import rules_of
from pgcontract.values.solver import Domain, Nulls, Problem, solve
from pgcontract.values.types import Space, plain_space, space

__all__ = ["ColumnLike", "Domain", "Nulls", "apart_by_case", "domain"]


class ColumnLike(Protocol):
    """A column, an attribute, or anything else with a name and a type."""

    @property
    def name(self) -> str:
        """As the expressions call it."""

    @property
    def type(self) -> str:
        """``format_type``'s text."""


def domain(column: ColumnLike, literals: Sequence[Literal], catalog: Catalog, *, passing: bool = False) -> Domain:
    """Solve the literals for one column; those that do not speak of it are ignored.

    With ``passing`` a literal is satisfied by NULL as well, as CHECKs are. Raises UnknownType.
    """
    mine = tuple(dict.fromkeys(literal for literal in literals if column.name in literal.atom.columns))
    return _solved(column.name, column.type, mine, _Same(catalog), passing)


def apart_by_case(found: Domain) -> Domain:
    """The same values, of which fresh ones differ in more than upper and lower case."""
    return replace(found, fresh=_ApartByCase(found.fresh))


class _ApartByCase:
    """The n-th of a sequence's values that no earlier one equals in lower case."""

    __slots__ = ("_fresh", "_known", "_next")

    def __init__(self, fresh: Callable[[int], str | None]) -> None:
        self._fresh = fresh
        self._known: dict[str, str] = {}
        self._next = 0

    def __call__(self, n: int) -> str | None:
        while len(self._known) <= n:
            value = self._fresh(self._next)
            if value is None:
                return None
            self._known.setdefault(value.lower(), value)
            self._next += 1
        return next(islice(self._known.values(), n, None))


@dataclass(frozen=True, slots=True)
class _Same:
    """A catalog by its identity: to hash a large one takes longer than to solve."""

    catalog: Catalog

    def __hash__(self) -> int:
        return id(self.catalog)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.catalog is other.catalog


@lru_cache(maxsize=4096)
def _solved(name: str, type_text: str, literals: tuple[Literal, ...], same: _Same, passing: bool) -> Domain:
    catalog = same.catalog

    def spaces(inner: str) -> Space:
        return space(inner, catalog)

    rules = rules_of(type_text, catalog, spaces)
    return solve(Problem(name, plain_space(type_text, catalog), catalog, spaces, rules, literals, passing))
