"""What mutation analysis found, and the exchange format."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pgcontract.provenance import Provenance

FORMAT = 1

Fate = Literal["killed by proof", "killed by drift only", "survived", "equivalent", "impaired"]
ALIVE: Final[tuple[Fate, ...]] = ("survived", "killed by drift only")


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one mutant.

    ``killer`` is the promise or invariant whose proof noticed it, after ``examples`` that held; ``evidence`` is the
    counterexample; ``reason`` says why it is equivalent or impaired, or what differed. ``listed`` is the reason that
    people gave for letting it live.
    """

    promise: str
    kind: str
    operator: str
    what: str
    ddl: str
    fate: Fate
    reason: str = ""
    killer: str | None = None
    examples: int = 0
    evidence: str | None = None
    seconds: float = 0.0
    listed: str | None = None

    @property
    def id(self) -> str:
        """``messages.chk_sender_type drop_check chk_sender_type``: what survivors.toml names it by."""
        return f"{self.promise} {self.operator} {self.what}".strip()

    @property
    def counts(self) -> bool:
        """Whether it is to be killed at all."""
        return self.fate not in ("equivalent", "impaired")

    @property
    def alive(self) -> bool:
        """Whether no proof has killed it and nobody has given a reason for that."""
        return self.fate in ALIVE and self.listed is None

    def told(self, again: str) -> str:
        """What a survivor is, and what its details are."""
        return f"{self.fate} {self.id}\n{self.details(again)}"

    def details(self, again: str) -> str:
        """A survivor's DDL, what would have to differ, and how to try harder: ``again`` begins that command."""
        lines = [f"    {line}" for line in self.ddl.splitlines()]
        lines += [f"  to be noticed by behaviour: {self.reason}"] if self.reason else []
        return "\n".join([*lines, f"  try harder: {again} --only {shlex.quote(self.promise)}"])


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the mutants of one operator or kind, and how many seconds they took together."""

    name: str
    judged: tuple[Judged, ...]

    @classmethod
    def each(cls, judged: Sequence[Judged], name: Callable[[Judged], str]) -> list[Score]:
        """One for each name, in the order of names."""
        found: dict[str, list[Judged]] = {}
        for one in judged:
            found.setdefault(name(one), []).append(one)
        return [cls(of, tuple(those)) for of, those in sorted(found.items())]

    def count(self, fate: Fate) -> int:
        """How many met this fate."""
        return sum(j.fate == fate for j in self.judged)

    @property
    def part(self) -> float | None:
        """The part of those that count that proofs have killed; None where none counts."""
        counting = sum(j.counts for j in self.judged)
        return self.count("killed by proof") / counting if counting else None

    @property
    def seconds(self) -> float:
        """What judging them took, in all processes together."""
        return sum(j.seconds for j in self.judged)

    def as_json(self) -> dict[str, Any]:
        """``killed_by_proof`` and the like, as in the exchange format."""
        fates = {fate.replace(" ", "_"): self.count(fate) for fate in get_args(Fate)}
        part = None if self.part is None else round(self.part, 4)
        return {"mutants": len(self.judged), **fates, "score": part, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Result:
    """All mutants of one system, or a ``sample`` of so many; 0 for all.

    ``unjustified`` are the indexes whose loss nobody would notice.
    """

    postgresql: str
    system: str
    seconds: float
    judged: tuple[Judged, ...]
    seed: int = 0
    sample: int = 0
    unjustified: tuple[str, ...] = ()

    @property
    def stale(self) -> tuple[str, ...]:
        """The mutants that survivors.toml lists and that do not live."""
        return tuple(j.id for j in self.judged if j.listed is not None and j.fate not in ALIVE)

    def of(self, *fates: Fate) -> tuple[Judged, ...]:
        """The mutants of these fates."""
        return tuple(j for j in self.judged if j.fate in fates)

    @property
    def alive(self) -> tuple[Judged, ...]:
        """Those that no proof has killed and nobody has given a reason for."""
        return tuple(j for j in self.judged if j.alive)

    @property
    def score(self) -> float:
        """The part of those that count that proofs have killed; 1.0 where none counts."""
        part = Score("all", self.judged).part
        return 1.0 if part is None else part

    @property
    def by_operator(self) -> list[Score]:
        """What became of the mutants of each operator."""
        return Score.each(self.judged, lambda j: j.operator)

    @property
    def by_kind(self) -> list[Score]:
        """What became of the mutants of each kind of promise."""
        return Score.each(self.judged, lambda j: j.kind)

    def slowest(self, count: int) -> list[Judged]:
        """The kills that took longest."""
        return sorted(self.of("killed by proof"), key=lambda j: -j.seconds)[:count]

    def as_json(self, made: Provenance) -> str:
        """The exchange format, see docs/report.md."""

        def told(fate: Fate) -> list[dict[str, str | None]]:
            return [
                {
                    "id": j.id,
                    "operator": j.operator,
                    "what": j.what,
                    "promise": j.promise,
                    "kind": j.kind,
                    "ddl": j.ddl,
                    "reason": j.reason,
                    "listed": j.listed,
                }
                for j in self.of(fate)
            ]

        return json.dumps(
            {
                "format": FORMAT,
                **made.heading("mutate"),
                "seed": self.seed,
                "sample": self.sample,
                "postgresql": self.postgresql,
                "system": self.system,
                "seconds": round(self.seconds, 3),
                "mutants": len(self.judged),
                "killed_by_proof": len(self.of("killed by proof")),
                "killed_by_drift_only": len(self.of("killed by drift only")),
                "survived": told("survived"),
                "drift_only": told("killed by drift only"),
                "by_operator": {score.name: score.as_json() for score in self.by_operator},
                "by_kind": {score.name: score.as_json() for score in self.by_kind},
                "unjustified": list(self.unjustified),
                "equivalent": told("equivalent"),
                "impaired": told("impaired"),
                "killed": [
                    {
                        "id": j.id,
                        "operator": j.operator,
                        "what": j.what,
                        "promise": j.promise,
                        "kind": j.kind,
                        "killer": j.killer,
                        "examples": j.examples,
                        "evidence": j.evidence,
                        "seconds": round(j.seconds, 4),
                    }
                    for j in self.of("killed by proof")
                ],
            },
            indent=2,
            ensure_ascii=False,
        )
