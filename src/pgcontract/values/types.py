"""From a type's text, as ``format_type`` prints it, to the space of its values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from hypothesis import strategies as st

from pgcontract.model import Catalog, Enum, Name
from pgcontract.values import arrays, documents, geometry, networks, numbers, ranges, texts, times
from pgcontract.values.space import Label, Refused, Space, Texts, UnknownType, nth

__all__ = ["Refused", "Space", "Texts", "TypeText", "UnknownType", "parse_type", "qualified", "space"]

BAD_LITERAL: Final = "22P02"
_MODIFIED: Final = re.compile(r"(?P<head>.*?)\((?P<modifiers>-?\d+(?:,-?\d+)*)\)(?P<tail>.*)")
_PART: Final = r'("(?:[^"]|"")*"|[^."\s]+)'
_QUALIFIED: Final = re.compile(rf"{_PART}\.{_PART}")


@dataclass(frozen=True, slots=True)
class TypeText:
    """``base`` without modifiers and brackets."""

    base: str
    modifiers: tuple[int, ...] = ()
    array: bool = False


def parse_type(text: str) -> TypeText:
    """Take ``format_type``'s text apart: ``timestamp(3) with time zone[]``."""
    base = text.strip()
    array = base.endswith("[]")
    base = base.removesuffix("[]")
    found = None if base.endswith('"') else _MODIFIED.fullmatch(base)
    if found is None:
        return TypeText(base, (), array)
    modifiers = tuple(int(m) for m in found["modifiers"].split(","))
    return TypeText((found["head"].rstrip() + found["tail"]).strip(), modifiers, array)


def qualified(text: str) -> Name | None:
    """Read ``public.job_status`` or ``"My schema"."T"``; None where it is not two parts."""
    found = _QUALIFIED.fullmatch(text)
    if found is None:
        return None
    parts = [p[1:-1].replace('""', '"') if p.startswith('"') else p for p in found.groups()]
    return Name(parts[0], parts[1])


def space(type: str, catalog: Catalog) -> Space:  # noqa: A002 - the column's own word for it
    """Return the values of a type.

    ``type`` is ``format_type``'s text under an empty search_path. Raises UnknownType.
    """
    found = _cached(type, catalog)
    if found is None:
        raise UnknownType(type)
    return found


# by the catalog's identity, since hashing a large one takes longer than making a space; it is kept so that its
# identity stays its own
_MOST_CACHED: Final = 4096
_cache: Final[dict[tuple[str, int], tuple[Catalog, Space | None]]] = {}


def _cached(type_text: str, catalog: Catalog) -> Space | None:
    key = (type_text, id(catalog))
    if key not in _cache:
        if len(_cache) >= _MOST_CACHED:
            _cache.clear()
        _cache[key] = catalog, _make(type_text, catalog)
    return _cache[key][1]


def _make(text: str, catalog: Catalog) -> Space | None:
    found = parse_type(text)
    if found.array:
        element = _cached(text.removesuffix("[]"), catalog)
        return None if element is None else arrays.array_of(text, element, ";" if found.base == "box" else ",")
    name = qualified(found.base)
    if name is not None:
        return _of_catalog(text, name, catalog) or _of_extension(text, name.name)
    return _built_in(text, found) or _of_extension(text, found.base)


_PLAIN: Final[dict[str, Callable[[str], Space]]] = {
    "smallint": numbers.integer,
    "integer": numbers.integer,
    "bigint": numbers.integer,
    "oid": numbers.oid,
    "xid": numbers.oid,
    "cid": numbers.oid,
    "real": numbers.floating,
    "double precision": numbers.floating,
    "money": numbers.money,
    "boolean": numbers.boolean,
    "text": texts.text,
    "name": texts.identifier,
    '"char"': texts.single,
    "bytea": texts.binary,
    "date": times.date,
    "json": documents.document,
    "jsonb": documents.document,
    "jsonpath": documents.jsonpath,
    "xml": documents.xml,
    "tsvector": documents.tsvector,
    "tsquery": documents.tsquery,
    "uuid": networks.uuid,
    "inet": networks.inet,
    "cidr": networks.cidr,
    "macaddr": lambda name: networks.macaddr(name, 6),
    "macaddr8": lambda name: networks.macaddr(name, 8),
    **dict.fromkeys(("point", "line", "lseg", "box", "path", "polygon", "circle"), geometry.figure),
}
_EXTENSION: Final[dict[str, Callable[[str], Space]]] = {
    "citext": texts.citext,
    "hstore": documents.hstore,
    "ltree": documents.ltree,
}


def _built_in(text: str, found: TypeText) -> Space | None:
    base, modifiers = found.base, found.modifiers
    first = modifiers[0] if modifiers else None
    precision = 6 if first is None else first
    if base in _PLAIN and not modifiers:
        return _PLAIN[base](text)
    match base:
        case "numeric":
            return numbers.numeric(text, modifiers)
        case "character varying":
            return texts.text(text) if first is None else texts.varchar(text, first)
        case "character" | "bpchar":
            return texts.text(text) if first is None and base == "bpchar" else texts.character(text, first or 1)
        case "bit":
            return texts.bits(text, first or 1, varying=False)
        case "bit varying":
            return texts.bits(text, first, varying=True)
        case "timestamp without time zone" | "timestamp with time zone":
            return times.timestamp(text, precision, zoned="with time" in base)
        case "time without time zone":
            return times.time(text, precision)
        case "time with time zone":
            return times.zoned_time(text, precision)
    if base.startswith("interval"):
        return times.interval(text, precision, base.removeprefix("interval").strip())
    return _built_in_range(text, base)


def _built_in_range(text: str, base: str) -> Space | None:
    name = base.replace("multirange", "range")
    if name not in ranges.BUILT_IN:
        return None
    bounds = _built_in(ranges.BUILT_IN[name], TypeText(ranges.BUILT_IN[name]))
    assert bounds is not None
    found = ranges.range_of(text, bounds)
    return ranges.multirange_of(text, found) if base != name else found


def _of_extension(text: str, name: str) -> Space | None:
    make = _EXTENSION.get(name)
    return None if make is None else make(text)


def _of_catalog(text: str, name: Name, catalog: Catalog) -> Space | None:
    for enum in catalog.enums:
        if enum.name == name:
            return _of_enum(text, enum)
    for domain in catalog.domains:
        if domain.name == name:
            found = _cached(domain.type, catalog)
            return None if found is None else replace(found, type=text)
    for composite in catalog.composites:
        if composite.name == name:
            attributes = [_cached(a.type, catalog) for a in composite.attributes]
            known = [a for a in attributes if a is not None]
            return arrays.composite_of(text, known) if len(known) == len(attributes) else None
    for kind in catalog.ranges:
        if name in {kind.name, kind.multirange}:
            bounds = _cached(kind.subtype, catalog)
            if bounds is None:
                return None
            found = ranges.range_of(text, bounds)
            return found if name == kind.name else ranges.multirange_of(text, found)
    return _of_table(text, name, catalog)


def _of_table(text: str, name: Name, catalog: Catalog) -> Space | None:
    table = catalog.table(name)
    if table is None:
        return None
    attributes = [_cached(c.type, catalog) for c in table.columns]
    known = [a for a in attributes if a is not None]
    return arrays.composite_of(text, known) if len(known) == len(attributes) else None


def _of_enum(text: str, enum: Enum) -> Space | None:
    if not enum.labels:
        return None
    places = {label: Label.at(n, label) for n, label in enumerate(enum.labels)}
    strange = next(s for s in ("no such label", "no such label either") if s not in places)
    first = enum.labels[0]
    case = [first.swapcase()] if first.swapcase() not in places else []
    return Space(
        type=text,
        simplest=first,
        boundaries=enum.labels,
        strategy=st.sampled_from(enum.labels),
        fresh=nth(enum.labels),
        refused=(
            Refused(strange, BAD_LITERAL, "no label of this type"),
            *(Refused(c, BAD_LITERAL, "a label in another case") for c in case),
            *((Refused("", BAD_LITERAL, "an empty text is no label"),) if "" not in places else ()),
        ),
        read=places.__getitem__,
    )
