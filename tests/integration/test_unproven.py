"""What cannot be shown: each with one of the kinds of reasons, and none of it takes for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.model import Name, Reason
from pgcontract.promises import promises
from pgcontract.provenance import provenance
from pgcontract.prover import TIME_LIMIT, Prover
from pgcontract.report.terminal import Commands, show
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System
from pgcontract.verify import Plan, verify
from tests.integration.judging import template

SLOW = """
CREATE FUNCTION slow(n INTEGER) RETURNS BOOLEAN LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_sleep(0.2); RETURN n > 0; END';
CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CONSTRAINT chk CHECK (slow(n)), m INTEGER NOT NULL);
CREATE TABLE quick (id INTEGER CONSTRAINT pk PRIMARY KEY);
"""
CLOSED = """
CREATE FUNCTION "re;fuse"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never, %', 1; END $$;
CREATE TABLE closed (id INTEGER CONSTRAINT pk PRIMARY KEY);
CREATE TRIGGER "re fuse" BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION "re;fuse"();
"""
MADE_TWICE = """
CREATE TABLE roots (id INTEGER PRIMARY KEY);
CREATE TABLE leaves (
  id INTEGER PRIMARY KEY,
  root_id INTEGER NOT NULL REFERENCES roots (id),
  code TEXT NOT NULL CONSTRAINT uq UNIQUE CHECK (code ~ '^[a-z]{2,40}$')
);
CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO leaves VALUES (NEW.id, NEW.root_id, NEW.code); RETURN NEW; END';
CREATE TRIGGER twice BEFORE INSERT ON leaves FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION twice();
"""


@pytest.fixture
def prover(request: pytest.FixtureRequest, pgcontract_server: Server) -> Iterator[Prover]:
    """A prover of the schema that the test is given."""
    with pgcontract_server.clone(template(pgcontract_server, request.param)) as clone:
        connection = psycopg.connect(clone.dsn, autocommit=True)
        session = Session(connection)
        yield Prover(session, Worlds(read_catalog(connection), session), examples=5)
        session.close()


@pytest.mark.thorough
@pytest.mark.parametrize("prover", [SLOW], indirect=True)
def test_a_promise_has_a_time_limit(prover: Prover) -> None:
    """What takes longer is unproven, soon after, and the next promise is proven as ever."""
    prover.seconds = 0.5
    known = dict(promises(prover.worlds.catalog))
    begun = time.monotonic()
    found = prover.verdict(known["things.chk"])
    assert (found.verdict, found.because) == ("unproven", Reason.OUT_OF_TIME), found
    assert "0.5 s" in (found.reason or "")
    assert time.monotonic() - begun < 20
    prover.seconds = TIME_LIMIT
    assert prover.verdict(known["quick.pk"]).verdict == "proven"


@pytest.mark.parametrize("prover", [CLOSED], indirect=True)
def test_a_trigger_that_raises_is_named(prover: Prover) -> None:
    """Its own name, not its function's, and what it said."""
    found = prover.verdict(dict(promises(prover.worlds.catalog))["closed.pk"])
    assert (found.verdict, found.because) == ("unproven", Reason.TRIGGER), found
    assert 'trigger re fuse on closed raised P0001 "never, 1"' in (found.reason or "")


@pytest.mark.parametrize("prover", [MADE_TWICE], indirect=True)
def test_keys_that_do_not_help_are_not_kept(prover: Prover) -> None:
    """Where a trigger is in the way, and no seeded row, other worlds' keys stay where they were."""
    for _ in range(3):
        with pytest.raises(Unbuildable):
            prover.worlds.world(Name("public", "leaves"), quiet=False)
        prover.worlds._worlds.clear()  # as if another promise asked for another such world
    assert prover.worlds.offset == 0


def test_the_reasons_are_counted_at_the_end(
    tmp_path: Path, pgcontract_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """By kind, the most frequent first, in words and in the JSON."""
    file = tmp_path / "schema.sql"
    file.write_text(CLOSED)
    system = System.load(file)
    with staged(system, pgcontract_server, ServerChoice()) as stage:
        result = verify(stage, Contract(system.name, stage.read_catalog()), Plan(examples=5, workers=1))
    assert sum(count for _, count in result.reasons()) == len(result.of("unproven")) > 0
    assert '"reasons": {\n    "a trigger raised": ' in result.as_json(provenance(None))
    commands = Commands("schema.sql", "pgcontract verify")
    show(Console(width=200), result, commands, quiet=False, verbose=False)
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith(f"unproven because: {result.reasons()[0][1]} a trigger raised")
