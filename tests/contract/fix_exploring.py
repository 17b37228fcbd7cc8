"""Databases in which functions are replaced by defective ones, and histories are tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.ephemeral import template_of
from pgcontract.invariants import Exploration, invariants_of
from pgcontract.rows.statements import Statement, paste
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System
from tests.integration.fix_migrations import SOCIAL_SELLING


@dataclass
class Laboratory:
    """A database of a system: ``administrator`` changes its schema, ``exploration`` tries histories on it."""

    administrator: psycopg.Connection
    session: Session
    exploration: Exploration
    sound: psycopg.Connection
    """Another database, whose schema nobody changes."""

    @contextmanager
    def changed(self, ddl: str) -> Iterator[None]:
        """Another schema for as long as this lasts; the text may hold many statements."""
        # an open transaction would hold locks on what is to be changed
        self.session.set("application_name", "laboratory")
        restore = self._definitions()
        # what was rolled back for the last one would make reading slower for every one that follows
        self.administrator.execute("VACUUM")
        self.administrator.execute(ddl.encode())
        try:
            yield
        finally:
            self.session.set("application_name", "laboratory")
            self.administrator.execute("\n".join(restore).encode())

    def _definitions(self) -> list[str]:
        """What makes the triggers and their functions what they are now; other triggers are dropped by it."""
        triggers = self.administrator.execute(
            "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
        functions = self.administrator.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid IN (SELECT tgfoid FROM pg_trigger)"
        ).fetchall()
        drop = (
            "DO $$ DECLARE one RECORD; BEGIN FOR one IN SELECT tgname, tgrelid::regclass AS tab FROM pg_trigger"
            " WHERE NOT tgisinternal LOOP EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.tab); END LOOP;"
            " END $$;"
        )
        return [drop, *(f"{text};" for (text,) in functions), *(f"{text};" for _, _, text in triggers)]

    def replayed(self, statements: tuple[Statement, ...]) -> list[tuple[object, ...]]:
        """What the last statement returns on the sound schema, after all the others."""
        with self.sound.transaction(force_rollback=True):
            *done, last = (paste(one).encode() for one in statements)
            for one in done:
                self.sound.execute(one)
            return self.sound.execute(last).fetchall()


@pytest.fixture(scope="module")
def laboratory(pgcontract_server: Server) -> Iterator[Laboratory]:
    """Two databases of social_selling, one of them to be spoilt."""
    system = System.load(SOCIAL_SELLING)
    template = pgcontract_server.template(template_of(system))
    with ExitStack() as stack:
        first, second = (stack.enter_context(pgcontract_server.clone(template)) for _ in range(2))
        administrator, sound = (
            stack.enter_context(psycopg.connect(clone.dsn, autocommit=True)) for clone in (first, second)
        )
        catalog = read_catalog(administrator, ignore=[system.tracking_table])
        administrator.execute("RESET search_path")
        session = Session(psycopg.connect(first.dsn, autocommit=True))
        stack.callback(session.close)
        invariants = invariants_of(system)
        exploration = Exploration(session, catalog, {}, invariants, invariants, system.invariant_seconds)
        # rows are planned once: now, while they can be made
        exploration.histories(range(1), 0)
        yield Laboratory(administrator, session, exploration, sound)
