"""What a comparison found, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pgcontract.compare.statistics import CONFIDENCE, Estimate, Verdict
from pgcontract.provenance import Provenance

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """One query or benchmark. Without an estimate, or where the answers are not ``alike``, it is not judged.

    ``note`` says why, or what else is to be known. ``a`` and ``b`` are typical milliseconds; ``blocks`` is 0 for what
    was not measured in turns.
    """

    name: str
    floor: float
    estimate: Estimate | None = None
    a: float | None = None
    b: float | None = None
    blocks: int = 0
    executions: int = 0
    note: str = ""
    alike: bool = True

    @property
    def verdict(self) -> Verdict | None:
        """What B is beside A."""
        return None if self.estimate is None or not self.alike else self.estimate.verdict(self.floor)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        estimate = self.estimate
        return {
            "name": self.name,
            "verdict": self.verdict,
            "floor": self.floor,
            "ratio": None if estimate is None else round(estimate.ratio, 4),
            "low": None if estimate is None else round(estimate.low, 4),
            "high": None if estimate is None else round(estimate.high, 4),
            "a_milliseconds": self.a,
            "b_milliseconds": self.b,
            "blocks": self.blocks,
            "executions": self.executions,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """All of them.

    ``paired``: A and B took turns; ``pinned``: on one core; ``net``: without waiting for that core; ``warnings``: what
    to doubt it for.
    """

    a: str
    b: str
    compared: tuple[Compared, ...]
    paired: bool
    pinned: bool
    net: bool
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: int | None = None
    versions: tuple[str, str] | None = field(default=None)
    system: str | None = None

    def having(self, verdict: Verdict | None) -> Sequence[Compared]:
        """Those with this verdict; None: those that were not judged."""
        return [one for one in self.compared if one.verdict == verdict]

    @property
    def verdict(self) -> Verdict:
        """Of all together: slower where anything is, else faster where anything is."""
        if self.having("slower"):
            return "slower"
        return "faster" if self.having("faster") else "same"

    def as_dict(self, made: Provenance) -> dict[str, Any]:
        """For programs, see docs/report.md."""
        return {
            "format": FORMAT,
            **made.heading("bench compare"),
            "system": self.system,
            "a": self.a,
            "b": self.b,
            "postgresql": None if self.versions is None else list(self.versions),
            "rows": self.rows,
            "paired": self.paired,
            "pinned": self.pinned,
            "net": self.net,
            "confidence": CONFIDENCE,
            "verdict": self.verdict,
            **{verdict: len(self.having(verdict)) for verdict in ("faster", "slower", "same")},
            "not_judged": len(self.having(None)),
            "compared": [one.as_dict() for one in self.compared],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "warnings": list(self.warnings),
        }

    def as_json(self, made: Provenance) -> str:
        """The same as text."""
        return json.dumps(self.as_dict(made), indent=2, ensure_ascii=False)
