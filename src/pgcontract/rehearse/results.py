"""What a rehearsal found, in words and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pgcontract.model import Name
from pgcontract.rehearse.locks import Lock

JSON_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that must not happen: what, and the details, a line each."""

    what: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """A migration on populated tables: how many rows each table had, how long it took, what became of the rows.

    ``not_filled`` says why a table got no rows. ``lost`` is what did not survive, ``changed`` what has other values.
    ``up_seconds`` and ``down_seconds`` are None where it did not come to that, or failed.
    """

    rows: Mapping[Name, int]
    not_filled: Mapping[Name, str] = field(default_factory=dict)
    up_seconds: float | None = None
    down_seconds: float | None = None
    lost: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One migration: seconds on empty tables, the strongest lock on each table that was there, and what failed.

    ``rewritten`` are the tables of which every row was written anew, or all were taken away. ``undo_locks`` are those
    of its rollback.
    """

    name: str
    in_transaction: bool
    up_seconds: float | None = None
    down_seconds: float | None = None
    again_seconds: float | None = None
    locks: tuple[Lock, ...] = ()
    undo_locks: tuple[Lock, ...] = ()
    rewritten: tuple[Name, ...] = ()
    filled: Filled | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All steps. ``left_out`` are the migrations after one that could not be applied."""

    system: str
    postgresql: str
    rows: int
    seconds: float
    steps: tuple[Step, ...]
    left_out: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing failed and nothing was left out."""
        return not self.left_out and not any(step.failures for step in self.steps)

    def as_json(self) -> str:
        """The result for programs."""
        shown = {
            "format": JSON_FORMAT,
            "system": self.system,
            "postgresql": self.postgresql,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "clean": self.clean,
            "migrations": [_step(step) for step in self.steps],
            "left_out": list(self.left_out),
        }
        return json.dumps(shown, indent=2, ensure_ascii=False)


def _step(step: Step) -> dict[str, Any]:
    filled = None
    if step.filled is not None:
        filled = {
            "rows": {str(name): count for name, count in step.filled.rows.items()},
            "not_filled": {str(name): reason for name, reason in step.filled.not_filled.items()},
            "up_seconds": step.filled.up_seconds,
            "down_seconds": step.filled.down_seconds,
            "lost": list(step.filled.lost),
            "changed": list(step.filled.changed),
        }
    return {
        "name": step.name,
        "in_transaction": step.in_transaction,
        "up_seconds": step.up_seconds,
        "down_seconds": step.down_seconds,
        "again_seconds": step.again_seconds,
        "locks": [_lock(lock) for lock in step.locks],
        "undo_locks": [_lock(lock) for lock in step.undo_locks],
        "rewritten": [str(name) for name in step.rewritten],
        "populated": filled,
        "failures": [asdict(failure) for failure in step.failures],
    }


def _lock(lock: Lock) -> dict[str, Any]:
    return {
        "table": str(lock.table),
        "mode": lock.mode,
        "blocks": lock.blocks,
        "seconds": lock.seconds,
        "line": lock.line,
    }
