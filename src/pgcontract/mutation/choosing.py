"""Which mutants there are, which of them are asked for, and which are judged together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from pgcontract.model import Catalog, Name
from pgcontract.mutation.published import KINDS, PUBLISHED
from pgcontract.promises import promises
from pgcontract.promises.base import Mutable, Promise, Roled
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.trigger import TriggerPromise

BATCH = 48
"""About so many mutants of one table are taken by a worker at once; all of a promise, whose cases are made once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which mutants, and how they are tried. ``sample``: so many of them, spread evenly; 0 for all."""

    kinds: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    sample: int = 0
    examples: int = 25
    seed: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """One mutant of one promise; ``position`` is its place among all that are asked for, in the contract's order."""

    position: int
    id: str
    promise: Promise
    mutant: Mutant


def chosen(catalog: Catalog, plan: Plan, roles: Mapping[str, str]) -> list[Chosen]:
    """The mutants that are asked for; of roles as the server knows them."""
    published = plan.operators == ("schemaanalyst",)
    operators = PUBLISHED if published else frozenset(plan.operators)
    kinds: frozenset[str] = KINDS if published else frozenset()

    def asked(id_: str, kind: str) -> bool:
        return (not kinds or kind in kinds) and (not plan.kinds or kind in plan.kinds) and _wanted(id_, plan.only)

    every = [
        (id_, promise, mutant)
        for id_, promise in promises(catalog)
        if isinstance(promise, Mutable) and asked(id_, promise.kind)
        for mutant in _mutants(promise, catalog, roles)
        if not operators or mutant.operator in operators
    ]
    step = max(1, len(every) // plan.sample) if plan.sample else 1
    return [Chosen(n, *one) for n, one in enumerate(every[::step][: plan.sample or None])]


def _mutants(promise: Mutable, catalog: Catalog, roles: Mapping[str, str]) -> Iterable[Mutant]:
    live = promise.of_roles(roles) if isinstance(promise, Roled) else promise
    return live.mutants(catalog) if isinstance(live, Mutable) else ()


def _wanted(id_: str, only: Sequence[str]) -> bool:
    return not only or any(id_ == o or id_.startswith(f"{o}.") for o in only)


def together(mutants: Iterable[Chosen]) -> Iterator[tuple[Chosen, ...]]:
    """Those of a promise at once, and those of a function with those of the triggers that call it.

    The ones that take longest come first, so that no worker is left with them at the end.
    """
    families: dict[Name | str, list[Chosen]] = {}
    for one in mutants:
        function = _function(one.promise)
        families.setdefault(one.promise.table if function is None else f"function {function}", []).append(one)
    for family, those in sorted(families.items(), key=lambda item: _cost(*item), reverse=True):
        yield from [tuple(those)] if isinstance(family, str) else _parts(those)


def _function(promise: Promise) -> Name | None:
    """The function whose triggers' cases judge this promise's mutants."""
    if isinstance(promise, TriggerPromise):
        return promise.trigger.function
    return promise.table if promise.kind == "function" else None


def _cost(family: Name | str, those: Sequence[Chosen]) -> tuple[bool, int]:
    return isinstance(family, str), len(those)


def _parts(those: Sequence[Chosen]) -> Iterator[tuple[Chosen, ...]]:
    """A table's mutants, some promises' at a time."""
    part: list[Chosen] = []
    for _, of_promise in groupby(those, key=lambda one: one.id):
        part += of_promise
        if len(part) >= BATCH:
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)
