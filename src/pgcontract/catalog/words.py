"""The catalog's one-letter codes, in the model's words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pgcontract.model import Action

ACTIONS: Mapping[str, Action] = MappingProxyType(
    {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
)
COMMANDS: Mapping[str, Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]] = MappingProxyType(
    {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
)
COMPRESSIONS = MappingProxyType({"p": "pglz", "l": "lz4"})
DEFAULT_KINDS: Mapping[str, Literal["TABLE", "SEQUENCE", "FUNCTION", "SCHEMA", "TYPE"]] = MappingProxyType(
    {"r": "TABLE", "S": "SEQUENCE", "f": "FUNCTION", "T": "TYPE", "n": "SCHEMA"}
)
ENABLED: Mapping[str, Literal["ORIGIN", "DISABLED", "REPLICA", "ALWAYS"]] = MappingProxyType(
    {"O": "ORIGIN", "D": "DISABLED", "R": "REPLICA", "A": "ALWAYS"}
)
FINAL_MODIFY = MappingProxyType({"r": "READ_ONLY", "s": "SHAREABLE", "w": "READ_WRITE"})
FUNCTION_KINDS: Mapping[str, Literal["FUNCTION", "PROCEDURE", "AGGREGATE", "WINDOW"]] = MappingProxyType(
    {"f": "FUNCTION", "p": "PROCEDURE", "a": "AGGREGATE", "w": "WINDOW"}
)
IDENTITIES: Mapping[str, Literal["ALWAYS", "BY DEFAULT"]] = MappingProxyType({"a": "ALWAYS", "d": "BY DEFAULT"})
PARALLEL: Mapping[str, Literal["UNSAFE", "RESTRICTED", "SAFE"]] = MappingProxyType(
    {"u": "UNSAFE", "r": "RESTRICTED", "s": "SAFE"}
)
PROVIDERS: Mapping[str, Literal["libc", "icu", "builtin"]] = MappingProxyType({"c": "libc", "i": "icu", "b": "builtin"})
STORAGES = MappingProxyType({"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"})
VOLATILITIES: Mapping[str, Literal["VOLATILE", "STABLE", "IMMUTABLE"]] = MappingProxyType(
    {"v": "VOLATILE", "s": "STABLE", "i": "IMMUTABLE"}
)
