"""Generated row classes, and whether values are what their annotations say."""

from __future__ import annotations

import itertools
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from pgcontract.model import Catalog
from pgcontract.models import source

_counter = itertools.count()


def module_of(catalog: Catalog, system: str = "test") -> types.ModuleType:
    """The generated module, executed."""
    return executed(source(system, catalog))


def executed(text: str) -> types.ModuleType:
    """A module from its source; dataclasses and annotations ask sys.modules for it."""
    module = types.ModuleType(f"generated_rows_{next(_counter)}")
    sys.modules[module.__name__] = module
    exec(compile(text, module.__name__, "exec"), module.__dict__)
    return module


def rows_of(module: types.ModuleType) -> Iterator[type[Any]]:
    """The classes of tables and views."""
    for thing in vars(module).values():
        if isinstance(thing, type) and hasattr(thing, "TABLE"):
            yield thing


def register(module: types.ModuleType, connection: psycopg.Connection[Any]) -> None:
    """Tell psycopg of the schema's types, where it has any."""
    if hasattr(module, "register"):
        module.register(connection)


def hints_of(row: type[Any]) -> Mapping[str, Any]:
    """The annotations of a class's fields."""
    hints = typing.get_type_hints(row)
    return {field.name: hints[field.name] for field in fields(row)}


def takes_none(hint: Any) -> bool:
    """Whether a field may be None."""
    return hint is Any or type(None) in typing.get_args(hint)


def choices_of(hint: Any) -> tuple[str, ...]:
    """The texts that a field may hold, where those are few."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in {typing.Union, types.UnionType} else (hint,)
    return next((typing.get_args(part) for part in parts if typing.get_origin(part) is typing.Literal), ())


def strays(value: object, hint: Any) -> list[str]:
    """What in a value is not as its annotation says; nothing where all is."""
    if hint is Any:
        return []
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType, typing.Literal}:
        fits = value in arguments if origin is typing.Literal else any(not strays(value, one) for one in arguments)
        return [] if fits else [f"{value!r} is no {hint}"]
    if origin is list and type(value) is list:
        # PostgreSQL does not say how many dimensions an array has, and neither do annotations
        inner = (strays(part, hint if isinstance(part, list) else arguments[0]) for part in value)
        return [stray for found in inner for stray in found]
    if origin is Range and isinstance(value, Range):
        return [s for bound in (value.lower, value.upper) if bound is not None for s in strays(bound, arguments[0])]
    if origin is Multirange and isinstance(value, Multirange):
        return [stray for one in value for stray in strays(one, types.GenericAlias(Range, arguments))]
    if isinstance(hint, type) and type(value) is hint:
        if issubclass(hint, StrEnum) or not hasattr(hint, "__dataclass_fields__"):
            return []
        return [s for name, inner in hints_of(hint).items() for s in strays(getattr(value, name), inner)]
    return [f"{value!r} is no {hint}"]
