"""One space for each family of types: what ``types`` looks up by a type's text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from hypothesis import strategies as st

from pgcontract.model import Catalog, Enum, Name
from pgcontract.values import arrays, documents, geometry, networks, numbers, objects, ranges, texts, times
from pgcontract.values.naming import TypeText, parse_type, qualified
from pgcontract.values.space import Label, Refused, Space, nth

SpaceOf: TypeAlias = Callable[[str], Space | None]

BAD_LITERAL: Final = "22P02"


def make(text: str, catalog: Catalog, inner: SpaceOf) -> Space | None:
    """Return the space of a type that is no domain; ``inner`` knows those that it is made of. None where unknown."""
    found = parse_type(text)
    if found.array:
        element = inner(text.removesuffix("[]"))
        return None if element is None else arrays.array_of(text, element, ";" if found.base == "box" else ",")
    name = qualified(found.base)
    if name is not None:
        return _of_catalog(text, name, catalog, inner) or _of_extension(text, name.name)
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
    "pg_lsn": objects.lsn,
    "pg_snapshot": objects.snapshot,
    "txid_snapshot": objects.snapshot,
    "refcursor": objects.cursor,
    "tid": objects.place,
    "xid8": objects.transaction,
    **dict.fromkeys(objects.NAMES, objects.named),
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
    if base == "numeric":
        return numbers.numeric(text, modifiers)
    if base.startswith("interval"):
        return times.interval(text, precision, base.removeprefix("interval").strip())
    if base.startswith("time"):
        return _of_time(text, base, precision)
    return _of_length(text, base, first) or _built_in_range(text, base)


def _of_length(text: str, base: str, limit: int | None) -> Space | None:
    match base:
        case "character varying":
            return texts.text(text) if limit is None else texts.varchar(text, limit)
        case "bpchar" if limit is None:
            return texts.blank_padded(text)
        case "character" | "bpchar":
            return texts.character(text, limit or 1)
        case "bit":
            return texts.bits(text, limit or 1, varying=False)
        case "bit varying":
            return texts.bits(text, limit, varying=True)
        case _:
            return None


def _of_time(text: str, base: str, precision: int) -> Space | None:
    zoned = base.endswith("with time zone")
    if base.startswith("timestamp"):
        return times.timestamp(text, precision, zoned=zoned)
    return times.zoned_time(text, precision) if zoned else times.time(text, precision)


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


def _of_catalog(text: str, name: Name, catalog: Catalog, inner: SpaceOf) -> Space | None:
    for enum in catalog.enums:
        if enum.name == name:
            return _of_enum(text, enum)
    for composite in catalog.composites:
        if composite.name == name:
            return _of_row(text, [a.type for a in composite.attributes], inner)
    for kind in catalog.ranges:
        if name in {kind.name, kind.multirange}:
            bounds = inner(kind.subtype)
            if bounds is None:
                return None
            found = ranges.range_of(text, bounds)
            return found if name == kind.name else ranges.multirange_of(text, found)
    table = catalog.table(name)
    return None if table is None else _of_row(text, [c.type for c in table.columns], inner)


def _of_row(text: str, attributes: Sequence[str], inner: SpaceOf) -> Space | None:
    known = [found for a in attributes if (found := inner(a)) is not None]
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
