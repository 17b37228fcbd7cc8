"""All migrations of a system, one after the other: up, down, up again; on empty tables, and on full ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from pgcontract.ephemeral import ServerChoice, open_server
from pgcontract.errors import MigrationError
from pgcontract.migrations import MigrationFailed
from pgcontract.migrations.files import Migration, load_directory
from pgcontract.migrations.reading import read_text
from pgcontract.migrations.sending import run_whole
from pgcontract.migrations.session import reset_session
from pgcontract.rehearse.filling import OnRows, on_rows
from pgcontract.rehearse.locks import strongest
from pgcontract.rehearse.results import Failure, Rehearsal, Step
from pgcontract.rehearse.running import Ran, run, session
from pgcontract.rehearse.states import State, differences, read_state
from pgcontract.server import Clone, Server, Template
from pgcontract.system import System

_EMPTY: Final = Template("rehearsal: empty", lambda _dsn: None)
MOST_DETAILS: Final = 10


def rehearse(
    system: System,
    choice: ServerChoice,
    *,
    rows: int = 0,
    started: Callable[[int, str], None] = lambda _count, _version: None,
    found: Callable[[Step], None] = lambda _step: None,
) -> Rehearsal:
    """Rehearse on a server that is gone afterwards; ``started`` gets the number of migrations, ``found`` each step.

    Raises UsageError, ServerError, and MigrationError where a file or the folder is not as it must be.
    """
    # before any server is started
    migrations = _migrations(system)
    with open_server(choice) as server:
        started(len(migrations), server.version)
        return rehearse_on(server, system, rows=rows, found=found)


def rehearse_on(
    server: Server, system: System, *, rows: int = 0, found: Callable[[Step], None] = lambda _step: None
) -> Rehearsal:
    """Rehearse on a running server, in databases that are gone afterwards. Roles stay on it. Raises as ``rehearse``."""
    migrations = _migrations(system)
    began = time.perf_counter()
    steps: list[Step] = []
    with _Stage(server, system) as stage:
        for number in range(1, len(migrations) + 1):
            step, go_on = stage.step(migrations[:number], rows)
            steps.append(step)
            found(step)
            if not go_on:
                break
    left_out = tuple(migration.name for migration in migrations[len(steps) :])
    return Rehearsal(system.name, server.version, rows, time.perf_counter() - began, tuple(steps), left_out)


def _migrations(system: System) -> tuple[Migration, ...]:
    if system.migrations is None:
        raise system.not_ours()
    return load_directory(system.migrations)


@dataclass
class _Found:
    """What a step has found so far."""

    failures: list[Failure] = field(default_factory=list)

    def failed(self, what: str, *details: str) -> None:
        shown = details[:MOST_DETAILS]
        more = (f"… and {len(details) - MOST_DETAILS} more",) if len(details) > MOST_DETAILS else ()
        self.failures.append(Failure(what, (*shown, *more)))

    def broke(self, what: str, error: MigrationFailed) -> None:
        """What a statement's failure is told as: where, the statement, what the server said."""
        self.failed(what, *str(error).splitlines()[:3])


class _Stage:
    """The database that the migrations build up, and the copies that are used up on the way."""

    def __init__(self, server: Server, system: System) -> None:
        self._server = server
        self._system = system
        self._current = self._new()
        try:
            self._state = self._initialised(self._current)
        except BaseException:
            self._current.drop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._current.drop()

    def step(self, migrations: Sequence[Migration], rows: int) -> tuple[Step, bool]:
        """Rehearse the last of these, on what the others have made; False where no other can follow.

        The database before it is copied first: the copy goes on, and the original is what rows are put into.
        """
        migration, before = migrations[-1], self._state
        found = _Found()
        work = self._server.clone(self._current.name)
        with self._current as original:
            self._current = work
            up = run(work.dsn, migration)
            step = Step(migration.name, migration.transactional, locks=up.locks, rewritten=up.rewritten)
            if up.error is not None:
                found.broke("up fails", up.error)
                return replace(step, failures=tuple(found.failures)), False
            after = self._state = read_state(work.dsn, self._system)
            down = self._undone(found, migration, before)
            tried = None
            if rows:
                touched = {lock.table for ran in (up, down) if ran is not None for lock in ran.locks}
                if not migration.transactional:
                    # locks that are held for an instant may not have been seen
                    touched = {table.name for table in before.catalog.tables}
                tried = on_rows(original.dsn, self._system, migration, before.catalog, rows=rows, touched=touched)
                _tell(found, tried)
        again = self._again(found, migration, after) if down is not None and down.error is None else None
        go_on = True
        if found.failures and (down is not None or again is not None):
            go_on = self._rebuilt(migrations)
        # what holds on full tables is what matters, unless it failed and let go early
        full = [
            ran.locks if ran is not None and ran.error is None else ()
            for ran in ((tried.up, tried.down) if tried is not None else ())
        ] or [(), ()]
        step = replace(
            step,
            up_seconds=up.seconds,
            down_seconds=down.seconds if down is not None and down.error is None else None,
            again_seconds=again.seconds if again is not None and again.error is None else None,
            locks=strongest(full[0], up.locks),
            undo_locks=strongest(full[1], down.locks if down is not None else ()),
            filled=tried.filled if tried is not None else None,
            failures=tuple(found.failures),
        )
        return step, go_on

    def _undone(self, found: _Found, migration: Migration, before: State) -> Ran | None:
        if migration.down is None:
            found.failed("there is nothing in its rollback section", f"where: {migration.path}:{migration.down_line}")
            return None
        down = run(self._current.dsn, migration, down=True)
        if down.error is not None:
            found.broke("its rollback fails", down.error)
        elif told := differences(before, read_state(self._current.dsn, self._system)):
            found.failed("its rollback does not lead back to what was there before", *told)
        return down

    def _again(self, found: _Found, migration: Migration, after: State) -> Ran:
        again = run(self._current.dsn, migration)
        if again.error is not None:
            found.broke("up fails after its rollback", again.error)
        elif told := differences(after, read_state(self._current.dsn, self._system)):
            found.failed("up after its rollback makes something else", *told)
        return again

    def _rebuilt(self, migrations: Sequence[Migration]) -> bool:
        """Make anew what a rollback has spoilt, so that the next migration is not blamed for it."""
        fresh = self._new()
        try:
            self._initialised(fresh)
            done = all(run(fresh.dsn, migration).error is None for migration in migrations)
        except MigrationError:
            done = False
        except BaseException:
            fresh.drop()
            raise
        kept, gone = (fresh, self._current) if done else (self._current, fresh)
        gone.drop()
        self._current = kept
        return done

    def _new(self) -> Clone:
        return self._server.clone(self._server.template(_EMPTY))

    def _initialised(self, clone: Clone) -> State:
        for path in self._system.init:
            with session(clone.dsn) as connection:
                run_whole(connection, read_text(path), path)
                reset_session(connection)
        return read_state(clone.dsn, self._system)


def _tell(found: _Found, tried: OnRows) -> None:
    if tried.up.error is not None:
        found.broke("up fails on populated tables", tried.up.error)
    # one that fails on empty tables, too, is told already
    told = any(failure.what == "its rollback fails" for failure in found.failures)
    if tried.down is not None and tried.down.error is not None and not told:
        found.broke("its rollback fails on populated tables", tried.down.error)
    found.failures += tried.failures
