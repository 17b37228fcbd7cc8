"""Rows around which triggers stand: they make rows themselves, refuse those that are needed, or keep a history."""

from __future__ import annotations

import pytest

from pgcontract.rows.planning import HUSHED
from pgcontract.server import Server
from tests.integration.judging import judged, template

pytestmark = pytest.mark.thorough

SAME_NAMES = """
CREATE TABLE teams (id INTEGER CONSTRAINT pk PRIMARY KEY, captain_id INTEGER NOT NULL);
CREATE TABLE players (id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL CONSTRAINT fk REFERENCES teams);
ALTER TABLE teams ADD CONSTRAINT fk FOREIGN KEY (captain_id) REFERENCES players DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE shirts (
  id INTEGER PRIMARY KEY,
  team_id INTEGER NOT NULL REFERENCES teams,
  number INTEGER NOT NULL,
  CONSTRAINT uq UNIQUE (team_id, number) DEFERRABLE
);
"""
SUBTYPES = """
CREATE TABLE kinds (kind TEXT PRIMARY KEY);
INSERT INTO kinds VALUES ('unknown'), ('root'), ('branch');
CREATE TABLE scopes (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL REFERENCES kinds,
  parent_id TEXT REFERENCES scopes,
  CHECK (kind = 'root' AND parent_id IS NULL OR kind = 'branch' AND parent_id = 'root')
);
CREATE TABLE roots (id TEXT PRIMARY KEY REFERENCES scopes CHECK (id = 'root'));
CREATE TABLE branches (id TEXT PRIMARY KEY REFERENCES scopes, root_id TEXT NOT NULL REFERENCES roots);
CREATE FUNCTION subtype() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.kind = 'root' THEN INSERT INTO roots VALUES (NEW.id);
  ELSE INSERT INTO branches VALUES (NEW.id, NEW.parent_id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER subtype AFTER INSERT ON scopes FOR EACH ROW EXECUTE FUNCTION subtype();
CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'scopes stay'; END $$;
CREATE TRIGGER stays BEFORE DELETE ON scopes FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER stays BEFORE DELETE ON roots FOR EACH ROW EXECUTE FUNCTION stays();
INSERT INTO scopes VALUES ('root', 'root', NULL);
CREATE TABLE leaves (
  id INTEGER PRIMARY KEY,
  branch_id TEXT NOT NULL CONSTRAINT fk REFERENCES branches,
  name TEXT NOT NULL CONSTRAINT chk CHECK (length(name) > 3)
);
"""
HISTORY = """
CREATE EXTENSION btree_gist;
CREATE TABLE books_history (
  book_id INTEGER NOT NULL,
  entry INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  valid TSTZRANGE NOT NULL DEFAULT tstzrange(CURRENT_TIMESTAMP, NULL),
  CONSTRAINT once EXCLUDE USING gist (book_id WITH =, valid WITH &&)
);
CREATE TABLE readings (
  id INTEGER PRIMARY KEY,
  entry INTEGER NOT NULL CONSTRAINT fk REFERENCES books_history
);
"""
STRICTER = """
CREATE DOMAIN any_id AS TEXT CHECK (VALUE = 'all' OR length(VALUE) = 12);
CREATE DOMAIN one_id AS TEXT CHECK (length(VALUE) > 10);
CREATE TABLE projects (id any_id PRIMARY KEY);
INSERT INTO projects VALUES ('all');
CREATE TABLE catalogs (
  project_id any_id NOT NULL REFERENCES projects,
  id one_id NOT NULL,
  PRIMARY KEY (project_id, id)
);
CREATE TABLE sets (
  id one_id PRIMARY KEY,
  project_id one_id NOT NULL,
  catalog_id one_id NOT NULL,
  CONSTRAINT fk FOREIGN KEY (project_id, catalog_id) REFERENCES catalogs
);
"""
GUARDED = """
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE FUNCTION imported() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'only by import'; END $$;
CREATE TRIGGER imported BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION imported();
CREATE TABLE orders (
  id INTEGER CONSTRAINT pk PRIMARY KEY,
  account_id INTEGER NOT NULL CONSTRAINT fk REFERENCES accounts ON DELETE CASCADE,
  number INTEGER NOT NULL CONSTRAINT chk CHECK (number > 0)
);
CREATE FUNCTION stamped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.number = NEW.number; RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamped();
"""
PROGRAMS = """
CREATE TABLE runs (id INTEGER NOT NULL, run_on DATE NOT NULL) PARTITION BY RANGE (run_on);
CREATE TABLE tasks (
  id INTEGER CONSTRAINT pk PRIMARY KEY,
  run_on DATE NOT NULL,
  name TEXT CONSTRAINT chk CHECK (name <> '')
);
CREATE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO programs.runs VALUES (NEW.id, NEW.run_on);
  RETURN NULL;
END $$;
CREATE TRIGGER run AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION run();
"""
ABSENT = """
CREATE TABLE slots (id INTEGER PRIMARY KEY, size INTEGER NOT NULL CONSTRAINT chk CHECK (size > 2));
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO outbox.messages VALUES (NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER told AFTER INSERT ON slots FOR EACH ROW EXECUTE FUNCTION told();
CREATE TABLE uses (id INTEGER PRIMARY KEY, slot_id INTEGER NOT NULL CONSTRAINT fk REFERENCES slots ON DELETE CASCADE);
"""
VERSIONED = """
CREATE TABLE releases (
  id INTEGER CONSTRAINT pk PRIMARY KEY,
  number TEXT NOT NULL CONSTRAINT chk CHECK (length(number) < 60),
  major INTEGER NOT NULL
);
CREATE FUNCTION major() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.major := (regexp_match(NEW.number, '^([0-9]+)[.][0-9]+$'))[1];
  RETURN NEW;
END $$;
CREATE TRIGGER major BEFORE INSERT ON releases FOR EACH ROW EXECUTE FUNCTION major();
"""
BOTH = "same_names.teams.fk", "same_names.players.fk", "same_names.shirts.uq", "same_names.shirts.shirts_team_id_fkey"
PROVEN = {
    "same_names": (SAME_NAMES, BOTH),
    "subtypes": (SUBTYPES, ("subtypes.leaves", "subtypes.leaves.fk", "subtypes.leaves.chk")),
    "guarded": (
        GUARDED,
        ("guarded.orders.pk", "guarded.orders.fk", "guarded.orders.fk.on_delete", "guarded.orders.chk"),
    ),
    "programs": (
        PROGRAMS,
        ("programs.tasks", "programs.tasks.pk", "programs.tasks.chk", "programs.tasks.run", "programs.runs"),
    ),
    "absent": (
        ABSENT,
        ("absent.slots", "absent.slots.chk", "absent.slots.size.type", "absent.uses.fk", "absent.uses.fk.on_delete"),
    ),
    "versioned": (
        VERSIONED,
        ("versioned.releases", "versioned.releases.chk", "versioned.releases.pk", "versioned.releases.major.not_null"),
    ),
    "history": (HISTORY, ("history.books_history.once", "history.readings.fk")),
    "stricter": (STRICTER, ("stricter.sets", "stricter.sets.fk")),
}


@pytest.mark.parametrize("name", PROVEN)
def test_rows_are_found_among_triggers(name: str, pgcontract_server: Server) -> None:
    """Names of constraints that two tables have, rows that a parent's trigger makes, keys that only a child refuses."""
    schema, ids = PROVEN[name]
    made = template(pgcontract_server, f"CREATE SCHEMA {name}; SET search_path = {name}, public;\n{schema}")
    found = {v.id: v for v in judged(pgcontract_server, made)}
    assert [(id_, found[id_].reason) for id_ in ids if found[id_].verdict != "proven"] == []
    assert any(HUSHED in (v.reason or "") for v in found.values()) is (name in ("guarded", "absent"))
    # what a function finds on the search path alone is not there for its trigger
    off = any("which no row was found to pass" in (v.reason or "") for v in found.values())
    assert off is (name in ("absent", "subtypes", "versioned"))
    assert [v.counterexample for v in found.values() if v.verdict == "broken"] == []


def test_a_trigger_that_cannot_work_is_itself_unproven(pgcontract_server: Server) -> None:
    """It is off for other promises only, so that a schema with one is not said to be as promised."""
    made = template(pgcontract_server, f"CREATE SCHEMA absent; SET search_path = absent, public;\n{ABSENT}")
    told = next(v for v in judged(pgcontract_server, made) if v.id == "absent.slots.told")
    assert told.verdict == "unproven"
    assert told.because is not None
    assert (told.because.value, 'relation "outbox.messages" does not exist' in (told.reason or "")) == (
        "a trigger raised",
        True,
    )
