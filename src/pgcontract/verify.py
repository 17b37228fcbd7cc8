"""The main job: every promise of a frozen contract, tried against a live database, by a worker a core."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from pgcontract.contract import Baseline, Contract, Difference, drift, promises_of
from pgcontract.contract.outline import outline
from pgcontract.ephemeral import Stage
from pgcontract.errors import UsageError
from pgcontract.invariants import Explored, invariants_of, merged, verdicts
from pgcontract.model import Catalog, Name, Reason, Verdict
from pgcontract.promises import promises
from pgcontract.promises.base import Promise
from pgcontract.promises.trigger import meeting
from pgcontract.provenance import Provenance
from pgcontract.prover import DEFAULT_EXAMPLES, TIME_LIMIT
from pgcontract.system import System
from pgcontract.workers import Known, Task, Worker, worked

FORMAT = 1
NO_PROMISE_OF_ITS_OWN = ("schema", "extension", "privilege", "default privilege")
BATCH = 6
"""Promises of one table that a worker takes at once, so that it plans the table's world once for them."""
HISTORIES = 25
"""Histories that a worker tries at once."""


@dataclass(frozen=True, slots=True)
class Result:
    """What ``verify`` found. ``drift`` lists how the live catalog differs from the frozen one.

    ``explored`` is what the histories came to in which invariants were asked; ``catalog`` is the frozen one.
    ``baseline`` lists what is known to be broken or unproven, and ``gone`` those ids in it that no promise has.
    """

    postgresql: str
    system: str
    seconds: float
    verdicts: tuple[Verdict, ...]
    drift: tuple[Difference, ...] = ()
    explored: Explored | None = None
    catalog: Catalog = field(default_factory=Catalog)
    examples: int = DEFAULT_EXAMPLES
    seed: int = 0
    baseline: Baseline = field(default_factory=Baseline)
    gone: tuple[str, ...] = ()

    def of(self, verdict: str) -> tuple[Verdict, ...]:
        """The verdicts of one kind: ``proven``, ``broken``, ``unproven`` or ``not covered``."""
        return tuple(v for v in self.verdicts if v.verdict == verdict)

    def reasons(self) -> list[tuple[Reason, int]]:
        """How many are unproven for each kind of reason, the most frequent first."""
        return Counter(v.because or Reason.NO_ROW for v in self.of("unproven")).most_common()

    @property
    def kept(self) -> bool:
        """Whether nothing is broken or unproven but what is listed, and no difference breaks users of the contract.

        What was frozen and is gone or changed does, and so does what was added and refuses what was promised to pass:
        a new CHECK, a NOT NULL column without a default. An addition that breaks nobody is told, and no failure.
        """
        return not self.new and all(d.change == "added" and not d.breaks for d in self.drift)

    @property
    def new(self) -> tuple[Verdict, ...]:
        """What is broken or unproven and not listed in the baseline."""
        return tuple(v for v in (*self.of("broken"), *self.of("unproven")) if self.known(v) is None)

    @property
    def mended(self) -> tuple[str, ...]:
        """What the baseline lists and is proven."""
        return self.baseline.mended(self.verdicts)

    def known(self, verdict: Verdict) -> str | None:
        """The reason that the baseline gives for a verdict; None where it gives none."""
        return self.baseline.reason(verdict.id, verdict.verdict)

    def as_json(self, made: Provenance) -> str:
        """The exchange format, see docs/report.md."""
        return json.dumps(
            {
                "format": FORMAT,
                **made.heading("verify"),
                "seed": self.seed,
                "examples": self.examples,
                "postgresql": self.postgresql,
                "system": self.system,
                "seconds": round(self.seconds, 3),
                "promises": len(self.verdicts),
                "proven": len(self.of("proven")),
                "not_covered": len(self.of("not covered")),
                "broken": [{"id": v.id, "kind": v.kind, "counterexample": v.counterexample} for v in self.of("broken")],
                "unproven": [
                    {"id": v.id, "kind": v.kind, "because": v.because, "reason": v.reason} for v in self.of("unproven")
                ],
                "reasons": {str(reason): count for reason, count in self.reasons()},
                "known": [
                    {"id": v.id, "verdict": v.verdict, "reason": r} for v in self.verdicts if (r := self.known(v))
                ],
                "proven_again": list(self.mended),
                "kept": self.kept,
                "drift": [str(d) for d in self.drift],
                "explored": None if self.explored is None else self.explored.as_dict(),
                "verdicts": [{**asdict(v), "seconds": round(v.seconds, 4)} for v in self.verdicts],
                "tables": outline(self.catalog),
            },
            indent=2,
            ensure_ascii=False,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How to verify. ``only`` keeps promises of these ids (or their tables); ``workers`` 0: one a core.

    ``touched`` keeps those of these ids, none of which need be there; None for all.
    ``seconds``: how long a direction of a promise may take before it is unproven.
    """

    examples: int = DEFAULT_EXAMPLES
    seed: int = 0
    only: tuple[str, ...] = ()
    workers: int = 0
    seconds: float = TIME_LIMIT
    touched: Collection[str] | None = None

    def wants(self, id_: str) -> bool:
        """Whether this promise is to be tried."""
        if self.touched is not None and id_ not in self.touched:
            return False
        return not self.only or any(id_ == o or id_.startswith(f"{o}.") for o in self.only)


def refuse_nothing(contract: Contract, system: System) -> None:
    """Raise UsageError where there is nothing to prove: it is more likely the wrong path than a schema of nothing."""
    if not any(kind not in NO_PROMISE_OF_ITS_OWN for _, kind, _ in promises_of(contract.catalog)):
        raise UsageError(
            "The schema promises nothing: it has no table, type, view or function.",
            where=str(system.sql_file or system.root),
            remedy="Is it the right path?",
        )


def verify(
    stage: Stage,
    contract: Contract,
    plan: Plan,
    *,
    baseline: Baseline | None = None,
    started: Callable[[int, Sequence[Difference]], None] = lambda _count, _drift: None,
    found: Callable[[Verdict], None] = lambda _verdict: None,
) -> Result:
    """Prove every promise of the contract on clones of the stage's template.

    ``started`` gets the number of promises and the drift before the first of them is tried; ``found`` each verdict.
    Raises ServerError when the server goes away, UsageError when ``only`` names nothing.
    """
    begun = time.perf_counter()
    all_invariants = invariants_of(stage.system)
    invariants = tuple(i for i in all_invariants if plan.wants(i.id))
    live = stage.read_catalog()
    differences = drift(contract.catalog, live)
    covered = dict(promises(contract.catalog))
    chosen = {id_: promise for id_, promise in covered.items() if plan.wants(id_)}
    uncovered = [
        Verdict(id_, kind, clause, "not covered", reason="this kind has no module yet")
        for id_, kind, clause in promises_of(contract.catalog)
        if id_ not in covered and plan.wants(id_)
    ]
    if plan.only and not chosen and not uncovered and not invariants:
        raise UsageError(
            "No promise has such an id.",
            seen=", ".join(plan.only),
            remedy="The ids stand in verify's JSON; a table's name takes all of its promises.",
        )
    refuse_nothing(contract, stage.system)
    started(len(chosen) + len(invariants), differences)
    by_id: dict[str, Verdict] = {}
    parts: dict[int, Explored] = {}
    histories = list(_histories(plan.examples)) if invariants else []
    asked = (all_invariants, invariants, stage.system.invariant_seconds)
    known = Known(live, stage.live_roles, *asked, plan.examples, plan.seed, plan.seconds, meeting(contract.catalog))
    tasks: list[Task[Explored | list[tuple[str, Verdict]]]] = [*histories, *_batches(chosen)]
    for task, outcome in worked(stage, known, tasks, plan.workers):
        if isinstance(outcome, Explored):
            assert isinstance(task, _Histories)
            parts[task.numbers.start] = outcome
            continue
        for id_, verdict in outcome:
            by_id[id_] = replace(verdict, id=id_)
            found(by_id[id_])
    # not in the order in which workers come to their ends, so that the same is found each time
    explored = merged(part for _, part in sorted(parts.items(), key=lambda one: one[0])) if parts else None
    of_invariants = verdicts(live, invariants, explored) if explored is not None else ()
    for verdict in of_invariants:
        found(verdict)
    ordered = (*(by_id[id_] for id_ in chosen), *of_invariants, *uncovered)
    took = time.perf_counter() - begun
    listed = baseline or Baseline()
    gone = listed.gone([*(id_ for id_, _, _ in promises_of(contract.catalog)), *(i.id for i in all_invariants)])
    return Result(
        stage.server.version,
        contract.system,
        took,
        ordered,
        tuple(differences),
        explored,
        contract.catalog,
        plan.examples,
        plan.seed,
        listed,
        gone,
    )


@dataclass(frozen=True, slots=True)
class _Histories:
    """Histories of these numbers."""

    numbers: range

    def done(self, worker: Worker) -> Explored:
        return worker.exploration.histories(self.numbers, worker.known.seed)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Promises with their ids."""

    promises: Sequence[tuple[str, Promise]]

    def done(self, worker: Worker) -> list[tuple[str, Verdict]]:
        return [(id_, worker.prover.verdict(promise)) for id_, promise in self.promises]


def _histories(examples: int) -> Iterator[_Histories]:
    """All histories, some at a time."""
    for start in range(0, examples, HISTORIES):
        yield _Histories(range(start, min(start + HISTORIES, examples)))


def _batches(chosen: Mapping[str, Promise]) -> Iterator[_Batch]:
    """Promises of one table next to each other, a few at a time, with their ids."""
    by_table: dict[Name, list[tuple[str, Promise]]] = {}
    for id_, promise in chosen.items():
        by_table.setdefault(promise.table, []).append((id_, promise))
    for together in by_table.values():
        for start in range(0, len(together), BATCH):
            yield _Batch(together[start : start + BATCH])
