"""A database to plant defects of triggers and of their functions in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.model import Catalog, Trigger
from pgcontract.promises.base import Cases, Direction
from pgcontract.promises.definitions import create_function, create_trigger, drop_trigger
from pgcontract.promises.trigger import TriggerPromise, promises
from pgcontract.prover import Evidence, Prover
from pgcontract.rows.statements import Statement
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System


@dataclass
class Rehearsed:
    """A promise whose cases are made already: they hang on the frozen trigger, not on what is planted."""

    promise: TriggerPromise
    cases: Cases

    def accepts(self, _worlds: Worlds) -> Cases:
        return self.cases

    def __getattr__(self, name: str) -> Any:
        return getattr(self.promise, name)


@dataclass
class Bench:
    """One clone of a system: a session that proves, and a connection that breaks what is proven."""

    stage: Stage
    session: Session
    other: psycopg.Connection
    frozen: Catalog
    sound: Worlds
    _rehearsed: dict[str, Rehearsed] = field(default_factory=dict)

    @property
    def promises(self) -> dict[str, TriggerPromise]:
        """The frozen triggers by their ids."""
        return {p.id: p for p in promises(self.frozen)}

    def prove(self, promise: TriggerPromise, *, seed: int = 0, examples: int = 1) -> Evidence:
        """Prove it against whatever the database is now."""
        # the session's transaction holds locks on what is to be read
        self.session.set("application_name", "bench")
        worlds = Worlds(self.stage.catalog(self.other), self.session)
        return Prover(self.session, worlds, examples, seed).prove(promise, Direction.ACCEPTS)

    def judge(self, promise: TriggerPromise, *, seed: int = 0, examples: int = 1) -> Evidence:
        """The same with cases that were made once: for defects that the catalog does not show.

        With no examples only what is tried always, whatever the seed.
        """
        rehearsed = self._rehearsed[promise.id]
        if not examples:
            rehearsed = replace(rehearsed, cases=replace(rehearsed.cases, drawn=None))
        return Prover(self.session, self.sound, examples, seed).prove(cast("Any", rehearsed), Direction.ACCEPTS)

    def rehearse(self, promise: TriggerPromise) -> None:
        """Make the cases, while all is sound; once is enough."""
        if promise.id not in self._rehearsed:
            self._rehearsed[promise.id] = Rehearsed(promise, promise.accepts(self.sound))

    def calling(self, function: str) -> list[TriggerPromise]:
        """The triggers that call a function of this name."""
        return [p for p in self.promises.values() if p.function is not None and p.function.name.name == function]

    @contextmanager
    def with_body(self, promise: TriggerPromise, body: str) -> Iterator[None]:
        """The trigger's function has another body. Raises psycopg.Error where that is no function."""
        function = promise.function
        assert function is not None
        with self._changed(
            lambda: self._run(create_function(replace(function, body=body))),
            lambda: self._run(create_function(function)),
        ):
            yield

    @contextmanager
    def with_trigger(self, promise: TriggerPromise, trigger: Trigger | None) -> Iterator[None]:
        """The trigger is another one, or gone. Raises psycopg.Error where there can be no such trigger."""

        def put(one: Trigger | None) -> None:
            made = () if one is None else create_trigger(promise.table, one)
            self._run(drop_trigger(promise.table, promise.trigger), *made)

        with self._changed(lambda: put(trigger), lambda: put(promise.trigger)):
            yield

    @contextmanager
    def _changed(self, change: Callable[[], None], back: Callable[[], None]) -> Iterator[None]:
        # the session's transaction holds locks on what is to be changed
        self.session.set("application_name", "bench")
        # what was rolled back for the last one would make reading slower for every one that follows
        self.other.execute("VACUUM")
        change()
        try:
            yield
        finally:
            self.session.set("application_name", "bench")
            back()

    def _run(self, *statements: Statement) -> None:
        with self.other.transaction():
            for statement in statements:
                self.other.execute(statement.text.encode())


@contextmanager
def bench(system: System, server: Server) -> Iterator[Bench]:
    """A bench for a system on a running server."""
    with (
        staged(system, server, ServerChoice()) as stage,
        stage.clone() as clone,
        closing(Session(psycopg.connect(clone.dsn, autocommit=True))) as session,
        psycopg.connect(clone.dsn, autocommit=True) as other,
    ):
        live = stage.catalog(other)
        yield Bench(stage, session, other, live, Worlds(live, session))


@pytest.fixture(scope="module")
def bench_of(pgcontract_server: Server) -> Iterator[Callable[[Path], Bench]]:
    """Make benches, one a system by its folder, which are sound again after each test."""
    with ExitStack() as stack:
        yield cache(lambda path: stack.enter_context(bench(System.load(path), pgcontract_server)))
