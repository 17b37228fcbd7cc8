"""Promises, one module a kind. Each has ``promises(catalog)``, which makes them from a frozen catalog."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from pgcontract.contract import collisions
from pgcontract.model import Catalog
from pgcontract.promises.base import Promise


@cache
def _modules() -> tuple[object, ...]:
    found = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    return tuple(module for module in found if hasattr(module, "promises"))


def promises(catalog: Catalog) -> Iterator[tuple[str, Promise]]:
    """Every promise of a frozen catalog whose kind has a module, with its unique id; kind by kind.

    The id is the promise's own, but where two promises of one contract would bear the same.
    """
    unique = collisions(catalog)
    for module in _modules():
        for promise in module.promises(catalog):  # type: ignore[attr-defined]
            yield unique.get((promise.id, promise.kind), promise.id), promise
