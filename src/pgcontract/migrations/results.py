"""What the runner tells: events while it works, a result at the end, and the status of all migrations.

Tuples, because a dataclass takes five times as long to make, and the command runs at every deployment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

from pgcontract.migrations.reading import gaps, number_in

EventKind: TypeAlias = Literal["initialised", "applying", "applied", "undoing", "undone", "waiting", "gap"]
State: TypeAlias = Literal["applied", "baseline", "started", "undoing", "pending", "edited", "missing", "renamed"]
Override: TypeAlias = Literal["edited", "missing", "out-of-order"]


class Event(NamedTuple):
    """What a runner has just done. ``seconds`` is 0 for a start; ``name`` is the migration's or the init file's.

    ``waiting`` says that a statement has been waiting for a lock; ``detail`` names who holds it. ``gap`` says that
    numbers before the migration's are left out; ``detail`` names them.
    """

    kind: EventKind
    name: str
    seconds: float = 0.0
    detail: str = ""


class Result(NamedTuple):
    """What `up` has applied or `down` undone, in that order, with the seconds that each took; and the totals after."""

    done: tuple[tuple[str, float], ...]
    total: int
    executed: int

    @property
    def pending(self) -> int:
        """How many files are still to be applied."""
        return self.total - self.executed


class Entry(NamedTuple):
    """One migration as `status` shows it. What belongs to its record is None where it has not been applied.

    ``unchanged``: whether the file's checksum is the recorded one; None where there is no file, or no record.
    ``recorded_as``: the name under which it was applied, where its file was renamed since.
    """

    name: str
    state: State
    applied_at: datetime | None = None
    applied_by: str | None = None
    duration: timedelta | None = None
    unchanged: bool | None = None
    recorded_as: str | None = None


class Status(NamedTuple):
    """All migrations, by number: those of the files, and those that were applied and have no file any more."""

    entries: tuple[Entry, ...]

    @property
    def total(self) -> int:
        """How many migrations there are, in files or applied."""
        return len(self.entries)

    @property
    def executed(self) -> int:
        """How many of them have been applied."""
        return self.total - self.pending

    @property
    def pending(self) -> int:
        """How many of them have not, or not to their end."""
        return sum(entry.state in {"pending", "started"} for entry in self.entries)

    @property
    def sound(self) -> bool:
        """Whether the database is what files say: no migration is edited, missing, renamed, or half there."""
        return all(entry.state in {"applied", "baseline", "pending"} for entry in self.entries)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The migrations before which numbers are left out, with the words for those."""
        names = {number_in(entry.name): entry.name for entry in self.entries}
        return tuple((names[number], told) for number, told in gaps(n for n in names if n >= 0))
