"""What a branch's migrations touch: the schema as it was where the branch began, beside the schema as it is now."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pgcontract.commits import branched_off, committed
from pgcontract.contract import Contract, Touched, read, touched
from pgcontract.ephemeral import ServerChoice, Stage, ephemeral
from pgcontract.errors import ContractError, UsageError
from pgcontract.invariants import invariants_of
from pgcontract.model import Catalog
from pgcontract.system import System


@dataclass(frozen=True, slots=True)
class Then:
    """A system in ``commit``, where the branch left ``ref``; ``catalog`` is None where it was not there yet.

    ``contract`` is the one that was frozen then, if any; ``alike``: what makes the database is the same as now.
    """

    ref: str
    commit: str
    catalog: Catalog | None = None
    contract: Catalog | None = None
    alike: bool = False
    asked: bool = True
    """Whether invariants were added or changed since."""


@dataclass(frozen=True, slots=True)
class Since:
    """What was touched since then. ``ids`` are the promises and invariants that are to be tried again."""

    then: Then
    touched: Touched
    ids: frozenset[str]

    def __str__(self) -> str:
        since = f"since {self.then.ref} ({self.then.commit[:10]})"
        if self.then.catalog is None and not self.then.alike:
            return f"{since}: the whole system is new"
        if not self.touched.changed and not self.ids:
            return f"{since}: nothing is touched"
        changed = ", ".join(self.touched.changed) or "no table, view, type or function"
        reached = f"; they reach {', '.join(self.touched.reached)}" if self.touched.reached else ""
        return f"{since}: changed {changed}{reached}"


def then(ref: str, path: Path, system: System, choice: ServerChoice) -> Then:
    """The system as it was where the branch left ``ref``, made on a server that is gone afterwards.

    Raises UsageError for a commit that is not there, MigrationError where the migrations of then do not run.
    """
    commit = branched_off(path, ref)
    beside = [*system.sources(), system.contract, *([system.invariants] if system.invariants else [])]
    with committed(path, commit, beside=beside) as place:
        before = _loaded(place)
        if before is None:
            return Then(ref, commit)
        asked = _queries(before) != _queries(system)
        if before.kept and before.key() == system.key():
            return Then(ref, commit, None, _frozen(before), alike=True, asked=asked)
        with ephemeral(before, choice) as stage:
            return Then(ref, commit, stage.read_catalog(), _frozen(before), asked=asked)


def since(before: Then, stage: Stage, contract: Contract) -> Since:
    """What was touched since then, of the schema on the stage and of its contract.

    Where anything was, all invariants are asked again: a history changes all tables.
    """
    live = stage.read_catalog()
    was = live if before.alike else before.catalog or Catalog()
    found = touched(was, live, contract.catalog, before.contract)
    asks = bool(found.ids or found.changed or before.asked)
    invariants = [invariant.id for invariant in invariants_of(stage.system)] if asks else []
    return Since(before, found, found.ids.union(invariants))


def _loaded(path: Path | None) -> System | None:
    """The system of then; None where there was none yet."""
    if path is not None:
        with suppress(UsageError):
            return System.load(path)
    return None


def _frozen(before: System) -> Catalog | None:
    """The contract of then; None where there was none that can be read."""
    if before.contract.exists():
        with suppress(ContractError):
            return read(before.contract).catalog
    return None


def _queries(system: System) -> dict[str, bytes]:
    """The invariants' files."""
    folder = system.invariants
    return {} if folder is None else {file.name: file.read_bytes() for file in sorted(folder.glob("*.sql"))}
