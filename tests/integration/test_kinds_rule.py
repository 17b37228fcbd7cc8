"""Rules, and INSTEAD OF triggers of views: what is sound is proven, and whatever they do otherwise is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.mutation import Plan as Mutation
from pgcontract.mutation import mutate
from pgcontract.server import Server
from pgcontract.system import System
from tests.integration.judging import judged, template

pytestmark = pytest.mark.thorough

SHOP = """
    CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price NUMERIC(8,2) NOT NULL CHECK (price >= 0));
    CREATE TABLE log (id SERIAL PRIMARY KEY, what TEXT NOT NULL, old NUMERIC, new NUMERIC);
    CREATE TABLE sink (id INTEGER PRIMARY KEY, e TEXT);
    CREATE RULE dear AS ON UPDATE TO items WHERE NEW.price > 100 AND OLD.price <= 100
      DO ALSO INSERT INTO log (what, old, new) VALUES ('dear', OLD.price, NEW.price);
    CREATE RULE born AS ON INSERT TO items DO ALSO INSERT INTO log (what, new) VALUES ('born', NEW.price);
    CREATE RULE keep AS ON DELETE TO log DO INSTEAD NOTHING;
    CREATE RULE off AS ON UPDATE TO log DO INSTEAD NOTHING;
    ALTER TABLE log DISABLE RULE off;
    CREATE RULE nothing AS ON INSERT TO sink DO INSTEAD NOTHING;
    CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 10;
    CREATE RULE put AS ON INSERT TO cheap DO INSTEAD INSERT INTO items (id, name, price) VALUES (NEW.id, NEW.name, 1);
    CREATE RULE gone AS ON DELETE TO cheap
      DO INSTEAD (INSERT INTO log (what) VALUES ('gone'); UPDATE items SET name = 'gone' WHERE id = OLD.id);
    CREATE VIEW "Odd ""names" AS SELECT id AS "the ""id"" itself", upper(name) AS "select" FROM items;
    CREATE FUNCTION put_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO items VALUES (NEW."the ""id"" itself", lower(NEW."select"), 3);
      ELSE
        UPDATE items SET name = NEW."select" WHERE id = OLD."the ""id"" itself";
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER "put ""it" INSTEAD OF INSERT OR UPDATE ON "Odd ""names"
      FOR EACH ROW EXECUTE FUNCTION put_name();
"""
RULES = {"items.dear", "items.born", "log.keep", "log.off", "sink.nothing", "cheap.put", "cheap.gone"}
TRIGGER = '"Odd ""names"."put ""it"'
DEAR = "CREATE OR REPLACE RULE dear AS ON UPDATE TO items"
LOGGED = "DO ALSO INSERT INTO log (what, old, new)"
BROKEN = {
    "items.dear": [
        "DROP RULE dear ON items",
        "ALTER TABLE items DISABLE RULE dear",
        "ALTER TABLE items ENABLE ALWAYS RULE dear",
        f"{DEAR} WHERE NEW.price > 101 AND OLD.price <= 100 {LOGGED} VALUES ('dear', OLD.price, NEW.price)",
        f"{DEAR} WHERE NEW.price > 99 AND OLD.price <= 100 {LOGGED} VALUES ('dear', OLD.price, NEW.price)",
        f"{DEAR} WHERE NEW.price > 100 AND OLD.price < 100 {LOGGED} VALUES ('dear', OLD.price, NEW.price)",
        f"{DEAR} WHERE NEW.price > 100 AND OLD.price <= 100 {LOGGED} VALUES ('dear', NEW.price, NEW.price)",
        f"{DEAR} WHERE NEW.price > 100 AND OLD.price <= 100 DO INSTEAD NOTHING",
    ],
    "items.born": ["DROP RULE born ON items"],
    "log.keep": ["DROP RULE keep ON log", "CREATE OR REPLACE RULE keep AS ON DELETE TO log DO ALSO NOTHING"],
    "log.off": ["ALTER TABLE log ENABLE RULE off"],
    "sink.nothing": ["DROP RULE nothing ON sink", "DROP TABLE sink"],
    "cheap.put": [
        "CREATE OR REPLACE RULE put AS ON INSERT TO cheap DO INSTEAD NOTHING",
        "CREATE OR REPLACE RULE put AS ON INSERT TO cheap DO INSTEAD INSERT INTO items VALUES (NEW.id, NEW.name, 2)",
        "DROP VIEW cheap",
    ],
    "cheap.gone": [
        "CREATE OR REPLACE RULE gone AS ON DELETE TO cheap DO INSTEAD INSERT INTO log (what) VALUES ('gone')"
    ],
    TRIGGER: [
        'DROP TRIGGER "put ""it" ON "Odd ""names"',
        "CREATE OR REPLACE FUNCTION put_name() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ],
}


def test_rules_and_instead_of_triggers_are_proven(pgcontract_server: Server) -> None:
    """On tables and views, conditional or not, beside a write and in its place, switched off; and no kind is left."""
    verdicts = {v.id: v for v in judged(pgcontract_server, template(pgcontract_server, SHOP))}
    mine = {id_: v for id_, v in verdicts.items() if v.kind == "rule" or id_ == TRIGGER}
    assert mine.keys() == RULES | {TRIGGER}
    assert [(v.id, v.reason, v.counterexample) for v in mine.values() if v.verdict != "proven"] == []
    assert all(v.accepts > 3 for v in mine.values())


@pytest.mark.parametrize(("id_", "ddl"), [(id_, ddl) for id_, several in BROKEN.items() for ddl in several])
def test_a_rule_that_does_otherwise_is_broken(pgcontract_server: Server, id_: str, ddl: str) -> None:
    """Gone, off or on, of other rows, with other values, with less to do; the counterexample is SQL."""
    (verdict,) = judged(pgcontract_server, template(pgcontract_server, SHOP), ddl, id_)
    assert verdict.verdict == "broken", verdict
    assert verdict.counterexample


def test_every_mutant_of_a_rule_is_noticed_by_its_proof(pgcontract_server: Server, tmp_path: Path) -> None:
    """By what the database does, not by what its catalog says."""
    file = tmp_path / "shop.sql"
    file.write_text(SHOP, "utf-8")
    system = System.load(file)
    with staged(system, pgcontract_server, ServerChoice()) as stage:
        contract = Contract(system.name, stage.read_catalog())
        result = mutate(stage, contract, Mutation(examples=5, workers=1, kinds=("rule", "trigger", "function")))
    assert {m.operator for m in result.of("killed by proof")} >= {
        "drop_rule",
        "disable_rule",
        "change_instead",
        "drop_condition",
        "negate_condition",
        "drop_action",
    }
    assert [str(m.id) for fate in ("killed by drift only", "survived") for m in result.of(fate)] == []
    assert [m.id for m in result.of("impaired") if "syntax error" in m.reason] == []


DIVERTED = """
    CREATE TABLE log (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE things (id INTEGER CONSTRAINT pk PRIMARY KEY, name TEXT NOT NULL, CONSTRAINT chk CHECK (id > 0));
    CREATE RULE divert AS ON INSERT TO things DO INSTEAD INSERT INTO log VALUES (NEW.id, NEW.name);
    CREATE TABLE pages (id INTEGER PRIMARY KEY, slug TEXT NOT NULL);
    CREATE FUNCTION slugged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug = 's' || NEW.id; RETURN NEW; END $$;
    CREATE TRIGGER slugged BEFORE INSERT OR UPDATE ON pages FOR EACH ROW EXECUTE FUNCTION slugged();
"""
RELAXED = {
    "things.pk": "ALTER TABLE things DROP CONSTRAINT pk",
    "things.chk": "ALTER TABLE things DROP CONSTRAINT chk, ADD CONSTRAINT chk CHECK (id > -9)",
}


def test_what_a_table_promises_is_shown_where_rules_and_triggers_make_other_rows(pgcontract_server: Server) -> None:
    """A rule stores each row elsewhere, where it may be refused, and RETURNING always is; a trigger fills it."""
    found = judged(pgcontract_server, template(pgcontract_server, DIVERTED))
    assert [(v.id, v.reason, v.counterexample) for v in found if v.verdict != "proven"] == []
    assert {v.id for v in found} >= RELAXED.keys()


@pytest.mark.parametrize("id_", RELAXED)
def test_what_it_does_not_promise_any_more_is_broken(pgcontract_server: Server, id_: str) -> None:
    """Although the rows that people insert never come to it as they are."""
    (verdict,) = judged(pgcontract_server, template(pgcontract_server, DIVERTED), RELAXED[id_], id_)
    assert verdict.verdict == "broken", verdict
