"""What the commands found, as their JSON says it: one dataclass a command, each with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pgcontract.compare.benchmarks import Record
from pgcontract.model import Verdict


@dataclass(frozen=True, slots=True)
class Origin:
    """Which system, on which server, when, of which commit. ``file`` is the name of the file that says so."""

    file: str
    system: str
    postgresql: str
    date: str
    commit: str | None = None

    @property
    def major(self) -> int:
        """``18`` of ``18.4`` and of ``18beta1``."""
        digits = ""
        for character in self.postgresql:
            if not character.isdigit():
                break
            digits += character
        return int(digits or 0)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One line of the picture: ``table`` refers to ``references``."""

    table: str
    name: str
    columns: tuple[str, ...]
    references: str
    on_delete: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index that no constraint made."""

    table: str
    name: str
    clause: str
    columns: tuple[str | None, ...]
    unique: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """The tables of a schema; partitions with the table that they are a part of."""

    tables: tuple[str, ...] = ()
    part_of: Mapping[str, str] = field(default_factory=dict)
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """What ``verify --json`` writes."""

    origin: Origin
    examples: int
    seed: int
    verdicts: tuple[Verdict, ...]
    drift: tuple[str, ...]
    outline: Outline


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutant and what became of it; ``ddl`` only of those that no proof has killed."""

    promise: str
    kind: str
    operator: str
    what: str
    fate: str
    killer: str | None = None
    reason: str = ""
    listed: str | None = None
    ddl: str = ""


@dataclass(frozen=True, slots=True)
class Mutated:
    """What ``mutate --json`` writes."""

    origin: Origin
    sample: int
    mutants: tuple[Mutant, ...]


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A node of a plan."""

    depth: int
    what: str
    rows: int
    pages: int
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The execution of a query at one size of the database that came nearest to its limit."""

    rows: int
    verdict: str
    parent: str
    returned: int
    pages: int
    bound: int
    most: float
    milliseconds: float
    fastest: float | None
    slowest: float | None
    problems: tuple[str, ...]
    plan: tuple[PlanLine, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A hot query, its promise, and what was measured of it; ``read`` are the indexes that any execution read."""

    name: str
    meaning: str
    sql: str
    uses: tuple[str, ...]
    promise: str
    measured: tuple[Measured, ...]
    read: frozenset[str]


@dataclass(frozen=True, slots=True)
class Worth:
    """A query with one of its indexes and without it."""

    query: str
    index: str
    rows: int
    pages_with: int
    pages_without: int
    milliseconds_with: float
    milliseconds_without: float
    plan_with: tuple[PlanLine, ...]
    plan_without: tuple[PlanLine, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """What ``bench plans --json`` writes."""

    origin: Origin
    queries: tuple[Query, ...]
    worth: tuple[Worth, ...]
    outline: Outline


@dataclass(frozen=True, slots=True)
class Timed:
    """What ``bench compare --json`` writes; ``compared`` holds its own fields."""

    file: str
    system: str | None
    date: str
    a: str
    b: str
    paired: bool
    warnings: tuple[str, ...]
    compared: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Benchmarked:
    """What pytest-benchmark writes."""

    file: str
    date: str
    commit: str | None
    record: Record


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a report is made of, the oldest first."""

    verified: tuple[Verified, ...] = ()
    mutated: tuple[Mutated, ...] = ()
    planned: tuple[Planned, ...] = ()
    timed: tuple[Timed, ...] = ()
    benchmarked: tuple[Benchmarked, ...] = ()

    @property
    def systems(self) -> tuple[str, ...]:
        """Their names, in the order in which they were first met."""
        found: list[Verified | Planned | Mutated] = [*self.verified, *self.planned, *self.mutated]
        return tuple(dict.fromkeys(one.origin.system for one in found))
