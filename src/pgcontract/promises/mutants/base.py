"""What a mutant is, and the words of DDL that all kinds of them use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from pgcontract.model import Name
from pgcontract.rows.statements import Statement, identifier


@dataclass(frozen=True, slots=True)
class Detour:
    """A function that raises an error where it takes a way of its own.

    ``mutated``: with a defect, too, that may keep rows from it; None where the defect leaves no such way.
    """

    sound: Statement
    mutated: Statement | None


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change that weakens or tightens one promise.

    ``operator`` is the kind of change, ``what`` tells it from others of its kind. ``equivalent`` is the reason why
    nothing could ever tell it from the sound schema, if there is one. ``committed``: the change cannot be used, or
    not be taken back, before it is committed. ``shown_by`` are the ids of the promises whose proofs show what the
    change does, where its own promise's does not. ``detours``: short cuts of a function that the change may close.
    """

    operator: str
    what: str
    ddl: tuple[Statement, ...]
    equivalent: str | None = None
    committed: bool = False
    shown_by: tuple[str, ...] = ()
    detours: tuple[Detour, ...] = ()

    def __str__(self) -> str:
        return f"{self.operator} {self.what}".strip()


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return sql.Identifier(name).as_string()


def listed(names: Iterable[str]) -> str:
    """``("a", "b")``."""
    return "(" + ", ".join(map(quoted, names)) + ")"


def alter(table: Name, *actions: str) -> Statement:
    """ALTER TABLE with all of these actions at once."""
    return Statement(f"ALTER TABLE {identifier(table).as_string()} {', '.join(actions)}")


def alter_column(table: Name, name: str, *actions: str) -> Statement:
    """ALTER COLUMN, several actions on one column."""
    return alter(table, *(f"ALTER COLUMN {quoted(name)} {action}" for action in actions))


def replaced(table: Name, name: str, definition: str) -> tuple[Statement, ...]:
    """Another constraint in place of the one of this name."""
    return (alter(table, f"DROP CONSTRAINT {quoted(name)}", f"ADD CONSTRAINT {quoted(name)} {definition}"),)
