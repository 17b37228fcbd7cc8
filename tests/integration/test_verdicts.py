"""Verdicts on small schemas: what is sound is proven, and never called broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, Result, verify

SELF_REFERENCE = """
CREATE TABLE employees (
  id SERIAL CONSTRAINT pk PRIMARY KEY,
  boss INTEGER CONSTRAINT fk_boss REFERENCES employees (id) ON DELETE SET NULL,
  name TEXT NOT NULL UNIQUE
);
"""
ORPHANED_DEFAULT = """
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER NOT NULL DEFAULT 1 CONSTRAINT fk REFERENCES parents (id) ON DELETE SET DEFAULT
);
"""
TRIGGER_THAT_RAISES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
CREATE TABLE closed (id INTEGER PRIMARY KEY);
CREATE TRIGGER refuse BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION refuse();
"""
IMPLIED_KEY = """
CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL, CONSTRAINT uq UNIQUE (id, name));
CREATE TABLE things (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL,
  owner_name TEXT NOT NULL,
  CONSTRAINT fk FOREIGN KEY (owner_id, owner_name) REFERENCES owners (id, name) ON UPDATE CASCADE ON DELETE RESTRICT
);
"""
SEEDED = """
CREATE TABLE plans (id SMALLINT PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO plans SELECT n, 'plan ' || n FROM generate_series(1, 20) AS n;
CREATE TABLE accounts (id INTEGER PRIMARY KEY, plan_id SMALLINT NOT NULL CONSTRAINT fk REFERENCES plans (id));
"""
NASTY_NAMES = """
CREATE SCHEMA "we.ird";
CREATE TYPE "Mood""; DROP TABLE x; --" AS ENUM ('a', 'b''c', '😀');
CREATE TABLE "we.ird"."Ta""ble" (
  "Id" INTEGER PRIMARY KEY,
  "select" TEXT NOT NULL CONSTRAINT "chk;'--" CHECK ("select" <> ''),
  mood "Mood""; DROP TABLE x; --" NOT NULL DEFAULT 'a'
);
"""
COUPLED = """
CREATE TABLE periods (
  id INTEGER PRIMARY KEY,
  starts TIMESTAMPTZ NOT NULL,
  ends TIMESTAMPTZ CONSTRAINT chk_order CHECK (ends > starts),
  kind TEXT NOT NULL CONSTRAINT chk_kind CHECK (kind IN ('free', 'paid')),
  amount NUMERIC(8, 2) CONSTRAINT chk_amount CHECK (kind <> 'paid' OR (amount > 0 AND amount IS NOT NULL))
);
"""

DEFERRED_KEY = """
CREATE TABLE places (id INTEGER PRIMARY KEY, pos INTEGER CONSTRAINT uq UNIQUE DEFERRABLE INITIALLY DEFERRED);
"""
GENERATED_KEY = (
    "CREATE TABLE things (id INTEGER GENERATED ALWAYS AS IDENTITY CONSTRAINT pk PRIMARY KEY, e TEXT NOT NULL);"
)
OVERFLOW = "CREATE TABLE squares (a INTEGER NOT NULL, b INTEGER NOT NULL, CONSTRAINT chk CHECK (a * a + b * b > 20));"
REWRITTEN = """
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.e := lower(NEW.e); RETURN NEW; END $$;
CREATE TABLE people (id INTEGER PRIMARY KEY, e TEXT NOT NULL CONSTRAINT chk CHECK (e = lower(e)));
CREATE TRIGGER tidy BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION tidy();
"""
NOT_STORED = """
CREATE TABLE sink (id INTEGER CONSTRAINT pk PRIMARY KEY, e TEXT NOT NULL);
CREATE RULE nothing AS ON INSERT TO sink DO INSTEAD NOTHING;
"""


def verified(tmp_path: Path, server: Server, schema: str) -> Result:
    """Verify a schema against what it promises itself."""
    file = tmp_path / "schema.sql"
    file.write_text(schema)
    system = System.load(file)
    with staged(system, server, ServerChoice()) as stage:
        return verify(stage, Contract(system.name, stage.read_catalog()), Plan(examples=10, workers=1))


@pytest.mark.parametrize(
    "schema",
    [SELF_REFERENCE, IMPLIED_KEY, SEEDED, NASTY_NAMES, COUPLED, DEFERRED_KEY, GENERATED_KEY, OVERFLOW],
    ids=["self", "implied", "seeded", "names", "coupled", "deferred", "generated", "overflow"],
)
def test_a_sound_schema_is_proven(schema: str, tmp_path: Path, pgcontract_server: Server) -> None:
    """Nothing is broken, nothing is left unproven."""
    result = verified(tmp_path, pgcontract_server, schema)
    assert [(v.id, v.reason, v.counterexample) for v in result.verdicts if v.verdict in ("broken", "unproven")] == []
    assert result.of("proven")


@pytest.mark.parametrize(
    ("schema", "unproven", "reason"),
    [
        (ORPHANED_DEFAULT, "children.fk.on_delete", "refuses the change"),
        (TRIGGER_THAT_RAISES, "closed.closed_pkey", "never"),
        (REWRITTEN, "people.chk", "BEFORE trigger"),
        (NOT_STORED, "sink.pk", "rule"),
    ],
    ids=["default", "trigger", "rewritten", "not_stored"],
)
def test_what_cannot_be_shown_is_unproven_with_its_reason(
    schema: str, unproven: str, reason: str, tmp_path: Path, pgcontract_server: Server
) -> None:
    """A promise that something else decides is neither proven nor broken."""
    result = verified(tmp_path, pgcontract_server, schema)
    assert result.of("broken") == ()
    found = {v.id: v.reason or "" for v in result.of("unproven")}
    assert reason in found[unproven]
    assert not result.kept
