"""The functions by which a generated module tells psycopg of its types. They need psycopg alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ENUM: Final = """
def _register_enum(
    connection: Connection[Any],
    name: str,
    enum: type[StrEnum],
) -> None:
    info = EnumInfo.fetch(connection, name)
    if info is None:
        raise LookupError(name)
    mapping = {member: member.value for member in enum}
    register_enum(info, connection, enum, mapping=mapping)
"""
_COMPOSITE: Final = """
def _register_composite(
    connection: Connection[Any],
    name: str,
    factory: Callable[..., Any],
) -> None:
    info = CompositeInfo.fetch(connection, name)
    if info is None:
        raise LookupError(name)

    # not the class itself, which psycopg would take for a sequence to send
    def made(*values: Any) -> Any:
        return factory(*values)

    register_composite(info, connection, made)
"""
_RANGE: Final = """
def _register_range(connection: Connection[Any], name: str) -> None:
    info = RangeInfo.fetch(connection, name)
    if info is None:
        raise LookupError(name)
    register_range(info, connection)
"""
_MULTIRANGE: Final = """
def _register_multirange(connection: Connection[Any], name: str) -> None:
    info = MultirangeInfo.fetch(connection, name)
    if info is None:
        raise LookupError(name)
    register_multirange(info, connection)
"""
_TEXT: Final = """
def _register_text(connection: Connection[Any], name: str) -> None:
    info = TypeInfo.fetch(connection, name)
    if info is None:
        raise LookupError(name)
    info.register(connection)
"""
_DOMAIN: Final = """
def _register_domain(
    connection: Connection[Any],
    name: str,
    base: str,
) -> None:
    info = TypeInfo.fetch(connection, name)
    made_of = TypeInfo.fetch(connection, base)
    if info is None or made_of is None:
        raise LookupError(name)
    info.register(connection)
    for form in (Format.TEXT, Format.BINARY):
        loader = connection.adapters.get_loader(made_of.oid, form)
        if loader is not None:
            connection.adapters.register_loader(info.oid, loader)
"""
HELPERS: Final[Mapping[str, str]] = {
    "enum": _ENUM,
    "composite": _COMPOSITE,
    "range": _RANGE,
    "multirange": _MULTIRANGE,
    "text": _TEXT,
    "domain": _DOMAIN,
}
IMPORTS: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "enum": frozenset({("psycopg.types.enum", "EnumInfo"), ("psycopg.types.enum", "register_enum")}),
    "composite": frozenset(
        {
            ("collections.abc", "Callable"),
            ("psycopg.types.composite", "CompositeInfo"),
            ("psycopg.types.composite", "register_composite"),
        }
    ),
    "range": frozenset({("psycopg.types.range", "RangeInfo"), ("psycopg.types.range", "register_range")}),
    "multirange": frozenset(
        {("psycopg.types.multirange", "MultirangeInfo"), ("psycopg.types.multirange", "register_multirange")}
    ),
    "text": frozenset({("psycopg.types", "TypeInfo")}),
    "domain": frozenset({("psycopg.types", "TypeInfo"), ("psycopg.pq", "Format")}),
}
