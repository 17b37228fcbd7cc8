"""Verdicts on small schemas: what is sound is proven, and never called broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, Result, verify
from tests.integration.judging import judged, template

pytestmark = pytest.mark.thorough

SELF_REFERENCE = """
CREATE TABLE employees (
  id SERIAL CONSTRAINT pk PRIMARY KEY,
  boss INTEGER CONSTRAINT fk_boss REFERENCES employees (id) ON DELETE SET NULL,
  name TEXT NOT NULL UNIQUE
);
"""
KEYS_IN_A_CIRCLE = """
CREATE TABLE chats (id INTEGER PRIMARY KEY, last INTEGER);
CREATE TABLE messages (chat_id INTEGER NOT NULL REFERENCES chats, id INTEGER PRIMARY KEY, UNIQUE (chat_id, id));
ALTER TABLE chats ADD FOREIGN KEY (id, last) REFERENCES messages (chat_id, id) ON DELETE SET NULL (last);
CREATE TABLE members (chat_id INTEGER REFERENCES chats, n INTEGER, PRIMARY KEY (chat_id, n));
CREATE TABLE marks (
  id INTEGER PRIMARY KEY, chat_id INTEGER, n INTEGER, FOREIGN KEY (chat_id, n) REFERENCES members ON UPDATE CASCADE
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
CROWDED = """
CREATE TABLE states (
  id SMALLINT PRIMARY KEY,
  code VARCHAR(2) NOT NULL CONSTRAINT uq UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('a', 'b')),
  rank SMALLINT NOT NULL,
  CONSTRAINT uq_rank UNIQUE (kind, rank)
);
CREATE UNIQUE INDEX uq_lower ON states (rank, lower(kind)) WHERE code <> 'zz';
INSERT INTO states SELECT n, chr(n % 95 + 32) || chr(n / 95 + 65), 'a', n FROM generate_series(0, 999) AS n;
"""
UNQUALIFIED = """
CREATE EXTENSION citext;
CREATE SCHEMA app;
CREATE TABLE app.log (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, noted TEXT, small INTEGER);
CREATE TABLE totals (id INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (noted, small) VALUES (NEW.name, NEW.big);
  PERFORM FROM totals WHERE id = 1;
  RETURN NEW;
END $$;
CREATE DOMAIN flag BOOLEAN NOT NULL;
CREATE TABLE flags (id INTEGER PRIMARY KEY, sure FLAG DEFAULT TRUE, doubted FLAG NOT NULL DEFAULT FALSE);
CREATE FUNCTION one_more(n INTEGER) RETURNS INTEGER IMMUTABLE LANGUAGE plpgsql AS
  'BEGIN RETURN one_more.n::BIGINT % 1000 + 1; END';
CREATE FUNCTION folded(name CITEXT) RETURNS TEXT IMMUTABLE LANGUAGE sql AS 'SELECT lower(name::TEXT)';
CREATE TABLE things (
  id INTEGER PRIMARY KEY,
  name CITEXT UNIQUE,
  big BIGINT,
  word VARCHAR(20),
  plain CITEXT GENERATED ALWAYS AS (folded(name)::CITEXT) STORED,
  minutes INTEGER,
  hours NUMERIC(4, 2) GENERATED ALWAYS AS (minutes / 60.0) STORED
);
CREATE INDEX idx_things_digest ON things (sha256(lower(word)::BYTEA));
CREATE INDEX idx_things_hash ON things USING hash (big) WHERE name IS NULL AND minutes > 5;
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION note();
CREATE VIEW names AS SELECT name FROM things;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, app', current_database()); END $$;
"""
TENANTS = """
CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL DEFAULT current_setting('app.tenant')::INTEGER,
  owner UUID NOT NULL DEFAULT (current_setting('app.owner'))::UUID,
  CONSTRAINT uq UNIQUE (tenant_id, owner)
);
"""
PARTED = """
CREATE TABLE customers (id INTEGER PRIMARY KEY);
CREATE TABLE payments (id INTEGER, customer_id INTEGER NOT NULL, paid_at DATE NOT NULL, PRIMARY KEY (id, paid_at))
  PARTITION BY RANGE (paid_at);
CREATE TABLE payments_2024 PARTITION OF payments FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE payments_2025 PARTITION OF payments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE payments_2024 ADD CONSTRAINT fk_2024 FOREIGN KEY (customer_id) REFERENCES customers (id);
ALTER TABLE payments_2025 ADD CONSTRAINT fk_2025 FOREIGN KEY (customer_id) REFERENCES customers (id);
"""
MADE_BY_PARENT = """
CREATE TABLE repos (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE clones (
  repo_id INTEGER PRIMARY KEY REFERENCES repos (id) ON DELETE CASCADE,
  status TEXT NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'done'))
);
CREATE TABLE sizes (repo_id INTEGER PRIMARY KEY REFERENCES clones (repo_id) ON DELETE CASCADE, bytes BIGINT NOT NULL);
CREATE FUNCTION make_clone() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO clones (repo_id) VALUES (NEW.id); RETURN NULL; END';
CREATE TRIGGER make AFTER INSERT ON repos FOR EACH ROW EXECUTE FUNCTION make_clone();
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
EQUATED = """
CREATE TABLE letters (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, from_id INTEGER NOT NULL, sent DATE NOT NULL);
CREATE INDEX idx_sent ON letters (owner_id, sent) WHERE owner_id = from_id;
"""
RIVALS = """
CREATE TABLE p (id INTEGER PRIMARY KEY);
CREATE TABLE c (
  id INTEGER PRIMARY KEY,
  a INTEGER NOT NULL CONSTRAINT fa REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE,
  b INTEGER NOT NULL CONSTRAINT fb REFERENCES p
);
CREATE TABLE services (id INTEGER PRIMARY KEY, p INTEGER NOT NULL CONSTRAINT ft REFERENCES p);
CREATE TABLE apps (
  id INTEGER PRIMARY KEY,
  service INTEGER NOT NULL CONSTRAINT fs REFERENCES services,
  p INTEGER NOT NULL CONSTRAINT ft REFERENCES p ON DELETE CASCADE ON UPDATE SET NULL
);
CREATE TABLE films (
  id INTEGER PRIMARY KEY,
  l INTEGER NOT NULL CONSTRAINT fl REFERENCES p ON DELETE RESTRICT ON UPDATE CASCADE,
  o INTEGER CONSTRAINT fo REFERENCES p ON DELETE RESTRICT ON UPDATE RESTRICT
);
"""
LINEAGE = """
CREATE TABLE entities (id INTEGER PRIMARY KEY);
CREATE TABLE persons (id INTEGER PRIMARY KEY CONSTRAINT fe REFERENCES entities);
CREATE TABLE employees (id INTEGER PRIMARY KEY CONSTRAINT fp REFERENCES persons);
CREATE TABLE sellers (id INTEGER PRIMARY KEY CONSTRAINT fe REFERENCES employees ON UPDATE CASCADE);
CREATE TABLE quotas (
  id INTEGER PRIMARY KEY,
  s INTEGER NOT NULL CONSTRAINT fs REFERENCES sellers,
  e INTEGER CONSTRAINT fe REFERENCES employees ON UPDATE CASCADE
);
"""
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
# counts that a client's writes are taken back from, on a table with room for one row a parent
COUNTED_BESIDE = """
CREATE TABLE u (id UUID NOT NULL CONSTRAINT pk_u PRIMARY KEY);
CREATE TABLE w (
  u UUID NOT NULL CONSTRAINT fk_u REFERENCES u (id),
  n INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT uq_w UNIQUE (u)
);
CREATE FUNCTION restore_n() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  known INTEGER := 0;
BEGIN
  IF pg_trigger_depth() > 1 THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    known := OLD.n;
  END IF;
  IF NEW.n <> known THEN
    UPDATE public.w SET n = n - (NEW.n - known) WHERE u = NEW.u;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER restore AFTER INSERT OR UPDATE ON w FOR EACH ROW EXECUTE FUNCTION restore_n();
"""
REFERRING_BACK = """
CREATE TABLE c (id UUID NOT NULL CONSTRAINT pk_c PRIMARY KEY, last UUID, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE m (
  id UUID NOT NULL CONSTRAINT pk_m PRIMARY KEY,
  c UUID NOT NULL CONSTRAINT fk_c REFERENCES c (id),
  CONSTRAINT uq_m UNIQUE (c, id)
);
ALTER TABLE c ADD CONSTRAINT fk_last FOREIGN KEY (id, last) REFERENCES m (c, id);
CREATE FUNCTION restore_n() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  known INTEGER := 0;
BEGIN
  IF pg_trigger_depth() > 1 THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    known := OLD.n;
  END IF;
  IF NEW.n <> known THEN
    UPDATE public.c SET n = n - (NEW.n - known) WHERE id = NEW.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER restore AFTER INSERT OR UPDATE ON c FOR EACH ROW EXECUTE FUNCTION restore_n();
"""
NOT_EMPTY = """
CREATE TABLE said (
  id UUID NOT NULL CONSTRAINT pk_said PRIMARY KEY,
  content TEXT,
  deleted_at TIMESTAMPTZ
);
CREATE TABLE pictures (
  id UUID NOT NULL CONSTRAINT pk_pictures PRIMARY KEY,
  said UUID CONSTRAINT fk_said REFERENCES said (id) ON DELETE CASCADE
);
CREATE FUNCTION require_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM public.said
    WHERE said.id = NEW.id
      AND said.content IS NULL
      AND said.deleted_at IS NULL
      AND NOT EXISTS (SELECT FROM public.pictures WHERE pictures.said = said.id)
  ) THEN
    RAISE EXCEPTION '% says nothing', NEW.id
      USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'said', CONSTRAINT = 'not_empty';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER not_empty AFTER INSERT OR UPDATE ON said
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.content IS NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION require_content();
"""
KEPT = """
CREATE TABLE users (id UUID NOT NULL CONSTRAINT pk_users PRIMARY KEY);
CREATE TABLE chats (id UUID NOT NULL CONSTRAINT pk_chats PRIMARY KEY);
CREATE TABLE unread (
  id UUID NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_unread PRIMARY KEY,
  user_id UUID NOT NULL CONSTRAINT fk_user REFERENCES users (id) ON DELETE CASCADE,
  chat_id UUID NOT NULL CONSTRAINT fk_chat REFERENCES chats (id) ON DELETE CASCADE,
  count INTEGER NOT NULL DEFAULT 0 CONSTRAINT chk_count CHECK (count >= 0),
  CONSTRAINT uq_unread UNIQUE (user_id, chat_id)
);
CREATE FUNCTION keep_unread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.user_id := OLD.user_id;
    NEW.chat_id := OLD.chat_id;
    RETURN NEW;
  END IF;
  RETURN CASE WHEN pg_trigger_depth() > 1 THEN OLD END;
END $$;
CREATE TRIGGER keep BEFORE DELETE OR UPDATE OF user_id, chat_id ON unread
  FOR EACH ROW WHEN (OLD.count > 0) EXECUTE FUNCTION keep_unread();
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
    [
        *(SELF_REFERENCE, IMPLIED_KEY, SEEDED, CROWDED, UNQUALIFIED, NASTY_NAMES, COUPLED, DEFERRED_KEY),
        *(
            EQUATED,
            RIVALS,
            LINEAGE,
            GENERATED_KEY,
            OVERFLOW,
            TENANTS,
            PARTED,
            MADE_BY_PARENT,
            COUNTED_BESIDE,
            REFERRING_BACK,
            NOT_EMPTY,
            KEPT,
            KEYS_IN_A_CIRCLE,
        ),
    ],
    ids=[
        *("self", "implied", "seeded", "crowded", "unqualified", "names", "coupled", "deferred"),
        *(
            "equated",
            "rivals",
            "lineage",
            "generated",
            "overflow",
            "tenants",
            "parted",
            "made",
            "counted",
            "back",
            "not_empty",
            "kept",
            "circle",
        ),
    ],
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
    ],
    ids=["default", "trigger"],
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


def test_a_rule_that_stores_nothing_is_proven_after_other_promises_of_its_table(
    tmp_path: Path, pgcontract_server: Server
) -> None:
    """What was prepared while the rule was there stays nothing without it."""
    (found,) = [v for v in verified(tmp_path, pgcontract_server, NOT_STORED).verdicts if v.id == "sink.nothing"]
    assert (found.verdict, found.counterexample) == ("proven", None)


@pytest.mark.parametrize(
    ("schema", "id_"), [(REWRITTEN, "people.chk"), (NOT_STORED, "sink.pk"), (NOT_STORED, "sink.id.not_null")]
)
def test_what_rows_are_stored_is_shown_without_what_rewrites_them(
    schema: str, id_: str, tmp_path: Path, pgcontract_server: Server
) -> None:
    """And the verdict says so."""
    (found,) = [v for v in verified(tmp_path, pgcontract_server, schema).verdicts if v.id == id_]
    assert (found.verdict, found.reason) == ("proven", "shown without triggers and rules, which rewrite every row")


CHILD = """
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER NOT NULL REFERENCES parents (id),
  name VARCHAR(10) NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  code TEXT NOT NULL CONSTRAINT chk_code CHECK (code ~ '^[0-9a-f]{8}$'),
  status TEXT NOT NULL DEFAULT 'open' CONSTRAINT chk_status CHECK (status IN ('open', 'paid', 'lost')),
  closed_at TIMESTAMPTZ CONSTRAINT chk_closed CHECK ((status = 'open') = (closed_at IS NULL)),
  rank INTEGER NOT NULL DEFAULT 1 CONSTRAINT chk_rank CHECK (rank > 0)
);
"""


@pytest.mark.parametrize(
    ("broken", "ddl"),
    [
        ("children.name.type", "ALTER TABLE children ALTER name TYPE VARCHAR(11)"),
        ("children.at.type", "ALTER TABLE children ALTER at TYPE TIMESTAMPTZ(0)"),
        ("children.closed_at.type", "ALTER TABLE children ALTER closed_at TYPE TIMESTAMPTZ(0)"),
        (
            "children.chk_code",
            "ALTER TABLE children DROP CONSTRAINT chk_code, ADD CONSTRAINT chk_code CHECK (code ~* '^[0-9a-f]{8}$')",
        ),
        (
            "children.chk_status",
            (
                "ALTER TABLE children DROP CONSTRAINT chk_status,"
                " ADD CONSTRAINT chk_status CHECK (status IN ('open', 'paid'))"
            ),
        ),
        (
            "children.chk_status",
            (
                "ALTER TABLE children DROP CONSTRAINT chk_status,"
                " ADD CONSTRAINT chk_status CHECK (status IN ('open', 'paid', 'lost', 'found'))"
            ),
        ),
        ("children.rank.default", "ALTER TABLE children ALTER rank SET DEFAULT 0"),
    ],
)
def test_a_change_is_seen_beside_a_parent_and_other_checks(broken: str, ddl: str, pgcontract_server: Server) -> None:
    """A type's boundaries, a pattern's case, values that another CHECK ties, a default that a CHECK refuses."""
    (sound,) = judged(pgcontract_server, template(pgcontract_server, CHILD), only=broken)
    assert sound.verdict == "proven", sound
    (found,) = judged(pgcontract_server, template(pgcontract_server, CHILD), ddl, broken)
    assert found.verdict == "broken", found


def test_seeded_rows_do_not_hide_a_key_of_fewer_parts(pgcontract_server: Server) -> None:
    """Only a row with the very key excuses a refusal, also where the key is an expression."""
    schema = """
    CREATE TABLE words (word TEXT NOT NULL);
    CREATE UNIQUE INDEX uq_words ON words (lower(word));
    INSERT INTO words VALUES ('seeded'), ('rows');
    """
    name = template(pgcontract_server, schema)
    (sound,) = judged(pgcontract_server, name, only="words.uq_words")
    assert (sound.verdict, sound.reason) == ("proven", None)
    shorter = "DROP INDEX uq_words; CREATE UNIQUE INDEX uq_words ON words (left(lower(word), 1))"
    (found,) = judged(pgcontract_server, name, shorter, "words.uq_words")
    assert found.verdict == "broken", found.reason
