"""For whom a difference may break: those who read rows, those who write them, both, or neither. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

Party = Literal["readers", "writers"]

NOBODY: tuple[Party, ...] = ()
READERS: tuple[Party, ...] = ("readers",)
WRITERS: tuple[Party, ...] = ("writers",)
BOTH: tuple[Party, ...] = ("readers", "writers")

# Rows that a writer could store and now cannot break the writer; rows that could not be there and now can break
# the reader who relied on it.
_RULES = ("check", "unique", "unique index", "primary key", "foreign key", "exclusion")

REMOVED: Mapping[str, tuple[Party, ...]] = MappingProxyType(
    {
        **dict.fromkeys(_RULES, READERS),
        "table": BOTH,
        "column type": BOTH,
        "view": BOTH,
        "materialised view": READERS,
        "enum": BOTH,
        "domain": BOTH,
        "composite type": BOTH,
        "range type": BOTH,
        "function": BOTH,
        "schema": BOTH,
        "extension": BOTH,
        "collation": BOTH,
        "sequence": WRITERS,
        "default": WRITERS,
        "generated": BOTH,
        "identity": WRITERS,
        "trigger": BOTH,
        "rule": BOTH,
        "row policy": BOTH,
        "referential action": WRITERS,
    }
)
ADDED: Mapping[str, tuple[Party, ...]] = MappingProxyType(
    {
        **dict.fromkeys(_RULES, WRITERS),
        "trigger": WRITERS,
        "rule": BOTH,
        "row policy": BOTH,
        "generated": WRITERS,
        "identity": WRITERS,
        "referential action": WRITERS,
    }
)
CHANGED: Mapping[str, tuple[Party, ...]] = MappingProxyType(
    {
        **dict.fromkeys(_RULES, BOTH),
        **dict.fromkeys(
            (
                "table",
                "column type",
                "view",
                "enum",
                "domain",
                "composite type",
                "range type",
                "function",
                "generated",
                "trigger",
                "rule",
                "row policy",
                "extension",
                "collation",
            ),
            BOTH,
        ),
        "materialised view": READERS,
        "not null": READERS,
        "null allowed": WRITERS,
        "default": WRITERS,
        "identity": WRITERS,
        "sequence": WRITERS,
        "referential action": WRITERS,
    }
)


# how rows are stored and plans are made: whoever reads or writes gets the same
_STORED: Mapping[str, object] = MappingProxyType({"options": ()})
_IDLE: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "table": _STORED,
        "materialised view": _STORED,
        "unique": _STORED,
        "primary key": _STORED,
        "exclusion": _STORED,
        "function": {"parallel": "UNSAFE", "leakproof": False, "cost": None, "rows": None},
        "sequence": {"unlogged": False},
    }
)


def idle(kind: str, frozen: Any, live: Any) -> bool:
    """Whether only what nobody notices is another; by the facts of both. A foreign table's options say what it is."""
    same = _IDLE.get(kind)
    if same is None or getattr(frozen, "foreign_server", None) is not None:
        return False
    return bool(replace(frozen, **same) == replace(live, **same))


def broken_for(kind: str, change: str, frozen: str | None, live: str | None) -> tuple[Party, ...]:
    """Who may be broken by a difference of this kind, with its clauses before and after."""
    if kind == "privilege":
        return _privilege(frozen or "", live or "")
    if kind == "enum" and change == "changed" and (live or "").startswith((frozen or "").removesuffix(")")):
        return READERS  # a label more: nobody must write it, anybody may read it
    by_kind = {"removed": REMOVED, "added": ADDED, "changed": CHANGED}[change]
    return by_kind.get(kind, NOBODY)


def _privilege(frozen: str, live: str) -> tuple[Party, ...]:
    """A privilege that was taken away: SELECT and the use of what reading needs breaks readers, all else writers."""
    lost = _granted(frozen) - _granted(live)
    if live.startswith("REVOKE"):
        lost |= _words(live) - _words(frozen)
    if not lost:
        return NOBODY
    reading = lost & {"SELECT", "USAGE", "EXECUTE", "CONNECT"}
    writing = lost - {"SELECT", "CONNECT"}
    return (READERS if reading else NOBODY) + (WRITERS if writing else NOBODY)


def _granted(clause: str) -> set[str]:
    return _words(clause) if clause.startswith("GRANT") else set()


def _words(clause: str) -> set[str]:
    head = clause.split(" ON ", 1)[0].partition(" ")[2]
    return {word for word in head.split(", ") if word}
