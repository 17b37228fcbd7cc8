"""What was measured of a hot query, and what became of its promise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pgcontract.plans.tree import Line

Verdict = Literal["kept", "broken", "empty"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One execution.

    ``size`` is the parent's: large, middling, small; ``plan`` is custom, or the one that a session arrives at.
    ``bound`` is 0 for what writes. ``heap`` and ``indexes`` are the least pages of tables and of indexes of this very
    plan: another one may do with fewer, or be allowed more.
    """

    size: str
    plan: str
    rows: int
    pages: int
    bound: int
    heap: int
    indexes: int
    levels: int
    most: float
    milliseconds: float
    fingerprint: str
    wal: int = 0
    problems: tuple[str, ...] = ()
    shown: str = ""
    """The plan as text, where the promise is broken."""
    fastest: float | None = None
    slowest: float | None = None
    """Of the executions of which ``milliseconds`` is the median; None where it was executed once."""
    nodes: tuple[Line, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Pages by bound; None where none is computed."""
        return self.pages / self.bound if self.bound else None


@dataclass(frozen=True, slots=True)
class Checked:
    """One query on one filling of the database. ``rows`` is how many rows that was asked to have."""

    query: str
    file: str
    uses: tuple[str, ...]
    promise: str
    rows: int
    measured: tuple[Measured, ...] = ()
    limited: bool = False
    """Whether a limit of its own takes the place of the computed one."""
    estimated: bool = False
    """Whether some index's levels are estimated from its size."""
    meaning: str = ""
    """What the query is for, in its header's words."""
    sql: str = ""
    unanswered: bool = False
    """Whether no number of rows that was tried had it return a row."""

    @property
    def verdict(self) -> Verdict:
        """``empty``: no row was found, so that nothing is shown."""
        if self.unanswered or any(one.problems for one in self.measured):
            return "broken"
        return "kept" if any(one.rows for one in self.measured) else "empty"

    @property
    def worst(self) -> Measured | None:
        """The execution to show: a broken one, else the one that came nearest to its limit."""
        return max(self.measured, key=lambda m: (bool(m.problems), m.pages / max(m.most, 1)), default=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "verdict": self.verdict}
