"""What is laid over a world: it goes without a trace, and the world stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.rows.statements import Statement
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System

WORLD = (Statement("INSERT INTO public.things VALUES (1)"),)
COUNT = Statement("SELECT count(*) = 1 FROM public.things")
NEGATIVE = Statement("INSERT INTO public.things VALUES (-1)")
UNCHECKED = Statement("ALTER TABLE public.things DROP CONSTRAINT chk")


@pytest.fixture
def session(tmp_path: Path, pgcontract_server: Server) -> Iterator[Session]:
    """A session over a table with a CHECK."""
    file = tmp_path / "things.sql"
    file.write_text("CREATE TABLE things (id INTEGER PRIMARY KEY, CONSTRAINT chk CHECK (id > 0));")
    with (
        staged(System.load(file), pgcontract_server, ServerChoice()) as stage,
        stage.clone() as clone,
        closing(Session(psycopg.connect(clone.dsn, autocommit=True))) as session,
    ):
        assert session.enter(WORLD) is None
        yield session


def test_it_is_seen_until_it_is_taken_away(session: Session) -> None:
    """And the world with its rows is entered once."""
    before = session.entered
    assert session.run([NEGATIVE]).refusal is not None
    assert session.overlay([UNCHECKED]) is None
    assert session.run([NEGATIVE]).refusal is None
    assert session.ask(COUNT)
    assert session.overlay(()) is None
    assert session.run([NEGATIVE]).refusal is not None
    assert session.entered == before


def test_what_is_refused_leaves_the_world_alone(session: Session) -> None:
    """Also in the place of something else."""
    assert session.overlay([UNCHECKED]) is None
    refused = session.overlay([Statement("ALTER TABLE public.things DROP CONSTRAINT nothing")])
    assert refused is not None
    assert refused.sqlstate == "42704"
    assert session.run([NEGATIVE]).refusal is not None
    assert session.ask(COUNT)


def test_it_goes_with_the_world(session: Session) -> None:
    """Whoever enters another one has the database as it is."""
    assert session.overlay([UNCHECKED]) is None
    assert session.enter(()) is None
    assert session.enter(WORLD) is None
    assert session.run([NEGATIVE]).refusal is not None
