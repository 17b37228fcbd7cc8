"""The fields of the model's dataclasses as TOML values, and back: by their types, so that none can be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from pgcontract.contract.names import column_of, dotted, key_of, key_text, name_of, parts_of, qualified
from pgcontract.contract.toml import Plain
from pgcontract.model import IndexKey, Name


class Mismatch(Exception):
    """A value is not of the type that is wanted there."""

    def __init__(self, wanted: str, seen: object) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Field:
    """How one field of a dataclass stands in the file. ``default`` is MISSING where it must stand there."""

    name: str
    default: Any
    encode: Callable[[Any], Plain]
    decode: Callable[[Any], Any]


_KNOWN: dict[type, dict[str, Field]] = {}


def fields_of(cls: type) -> dict[str, Field]:
    """The fields of a dataclass of the model, by name."""
    if cls not in _KNOWN:
        hints = get_type_hints(cls)
        _KNOWN[cls] = {f.name: Field(f.name, f.default, *_codec(hints[f.name])) for f in fields(cls) if f.init}
    return _KNOWN[cls]


def encode(
    thing: Any, *, leave_out: frozenset[str] = frozenset(), always: frozenset[str] = frozenset()
) -> dict[str, Plain]:
    """The fields that are not as by default, and those of ``always``."""
    found: dict[str, Plain] = {}
    for name, field in fields_of(type(thing)).items():
        if name in leave_out:
            continue
        held = getattr(thing, name)
        if held is not None and (name in always or field.default is MISSING or held != field.default):
            found[name] = field.encode(held)
    return found


def _codec(hint: Any) -> tuple[Callable[[Any], Plain], Callable[[Any], Any]]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _codec(next(a for a in arguments if a is not NoneType))
    if origin is Literal:
        return _same, lambda plain: _one_of(plain, arguments)
    if hint == tuple[Name, str]:
        return _encode_column, _decode_column
    if origin is tuple:
        encode_item, decode_item = _codec(arguments[0])
        return (
            lambda items: [encode_item(item) for item in items],
            lambda plain: tuple(decode_item(item) for item in _typed(plain, list, "a list")),
        )
    # Parts with sections of their own (a table's columns) have no text here: who forgets to lay them out is told.
    return _SCALARS.get(hint, (_no_text, _no_text))


def _no_text(held: Any) -> NoReturn:
    raise TypeError(f"{type(held).__name__} stands in a section of its own")


def _same(held: Any) -> Plain:
    plain: Plain = held
    return plain


def _typed(plain: Any, wanted: type, words: str) -> Any:
    # bool is an int to Python, and not to anybody else
    if not isinstance(plain, wanted) or (wanted is int and isinstance(plain, bool)):
        raise Mismatch(words, plain)
    return plain


def _one_of(plain: Any, words: tuple[str, ...]) -> str:
    if plain not in words:
        raise Mismatch("one of " + ", ".join(words), plain)
    return str(plain)


def _decode_name(plain: Any) -> Name:
    try:
        return name_of(_typed(plain, str, "a text"))
    except ValueError as error:
        raise Mismatch("a qualified name like public.messages", plain) from error


def _encode_column(held: tuple[Name, str]) -> Plain:
    name, column = held
    return dotted(name.namespace, name.name, column)


def _decode_column(plain: Any) -> tuple[Name, str]:
    try:
        namespace, table, column = parts_of(_typed(plain, str, "a text"))
    except ValueError as error:
        raise Mismatch("a column like public.messages.id", plain) from error
    return Name(namespace, table), column


def _encode_key(held: IndexKey) -> Plain:
    text = key_text(held)
    if text is not None:
        return text
    found = encode(held, leave_out=frozenset({"column"}))
    if held.column != column_of(held.expression):
        # An empty name is none that PostgreSQL accepts: it stands for "no column, though it looks like one".
        found["column"] = held.column or ""
    return found


def _decode_key(plain: Any) -> IndexKey:
    if isinstance(plain, str):
        return key_of(plain)
    known = fields_of(IndexKey)
    given = _typed(plain, dict, "a text or a table")
    if unknown := sorted(given.keys() - known.keys()):
        raise Mismatch("a key of an index with " + ", ".join(known), unknown[0])
    if "expression" not in given:
        raise Mismatch("a key of an index with an expression", plain)
    found = {name: known[name].decode(item) for name, item in given.items()}
    found["column"] = (found["column"] or None) if "column" in found else column_of(found["expression"])
    return IndexKey(**found)


_SCALARS: dict[Any, tuple[Callable[[Any], Plain], Callable[[Any], Any]]] = {
    str: (_same, lambda plain: _typed(plain, str, "a text")),
    bool: (_same, lambda plain: _typed(plain, bool, "true or false")),
    int: (_same, lambda plain: _typed(plain, int, "a whole number")),
    Name: (qualified, _decode_name),
    IndexKey: (_encode_key, _decode_key),
}
