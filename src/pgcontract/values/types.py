"""From a type's text, as ``format_type`` prints it, to the space of its values."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pgcontract.model import Catalog
from pgcontract.values import families
from pgcontract.values.naming import domains_of
from pgcontract.values.rules import rules_of
from pgcontract.values.solver import Problem, solve
from pgcontract.values.space import Refused, Space, UnknownType

__all__ = ["Refused", "Space", "UnknownType", "plain_space", "space"]


def space(type: str, catalog: Catalog) -> Space:  # noqa: A002 - the column's own word for it
    """Return the values of a type; of a domain, those that its own CHECKs let pass as far as they are understood.

    ``type`` is ``format_type``'s text under an empty search_path. Raises UnknownType.
    """
    found = _known(type, catalog)
    if found is None:
        raise UnknownType(type)
    return found


def plain_space(type: str, catalog: Catalog) -> Space:  # noqa: A002 - the column's own word for it
    """Return the values of what a domain is made of; of any other type, its own. Raises UnknownType."""
    domains = domains_of(type, catalog)
    return space(type, catalog) if not domains else replace(space(domains[-1].type, catalog), type=type)


# by the catalog's identity, since hashing a large one takes longer than making a space; it is kept so that its
# identity stays its own
_MOST_KNOWN: Final = 4096
_spaces: Final[dict[tuple[str, int], tuple[Catalog, Space | None]]] = {}


def _known(type_text: str, catalog: Catalog) -> Space | None:
    key = (type_text, id(catalog))
    if key not in _spaces:
        if len(_spaces) >= _MOST_KNOWN:
            _spaces.clear()
        _spaces[key] = catalog, _made(type_text, catalog)
    return _spaces[key][1]


def _made(type_text: str, catalog: Catalog) -> Space | None:
    if domains_of(type_text, catalog):
        return _of_domain(type_text, catalog)
    return families.make(type_text, catalog, lambda inner: _known(inner, catalog))


def _of_domain(type_text: str, catalog: Catalog) -> Space | None:
    try:
        plain = plain_space(type_text, catalog)
    except UnknownType:
        return None
    rules = rules_of(type_text, catalog, lambda inner: space(inner, catalog))
    nullable = plain.nullable and not rules.not_null
    solved = solve(Problem("value", plain, rules=rules, catalog=catalog, spaces=lambda inner: space(inner, catalog)))
    if solved.simplest is None:
        # nothing is known to pass: what is made of it is tried, and the database decides
        return replace(plain, nullable=nullable)
    return replace(
        plain,
        simplest=solved.simplest,
        boundaries=tuple(b for b in solved.boundaries if b is not None),
        strategy=solved.strategy.map(str),
        fresh=solved.fresh,
        nullable=nullable,
    )
