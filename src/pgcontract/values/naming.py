"""Types' texts, as ``format_type`` prints them under an empty search_path, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pgcontract.model import Catalog, Name
from pgcontract.model import Domain as DomainType

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


def domains_of(text: str, catalog: Catalog) -> tuple[DomainType, ...]:
    """The domain that a type's text names, and those that it is made of, outermost first."""
    found: list[DomainType] = []
    name = qualified(text)
    while name is not None:
        domain = next((d for d in catalog.domains if d.name == name), None)
        if domain is None:
            break
        found.append(domain)
        name = qualified(domain.type)
    return tuple(found)


def refusing(text: str, catalog: Catalog) -> DomainType | None:
    """The domain that refuses NULL for a column of this type, whatever the column says itself."""
    return next((domain for domain in domains_of(text, catalog) if domain.not_null), None)


def family(type_text: str) -> str:
    return type_text if type_text.endswith("[]") else parse_type(type_text).base


def without_modifier(type_text: str) -> str:
    found = parse_type(type_text)
    base = "bpchar" if found.base == "character" else found.base
    return base + "[]" * found.array
