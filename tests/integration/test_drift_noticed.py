"""Whatever the contract covers and somebody changes by hand is a difference, and of a class."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract, drift, dumps, headlines, loads

BOTH, READERS, WRITERS, NEITHER = ("readers", "writers"), ("readers",), ("writers",), ()

SCHEMA = """
CREATE ROLE drift_app; CREATE ROLE drift_reader;
CREATE EXTENSION citext;
CREATE SCHEMA s2;
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('a','b');
CREATE DOMAIN pos AS integer CHECK (VALUE > 0);
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE span AS RANGE (subtype = integer);
CREATE SEQUENCE seq;
CREATE TABLE u (id integer PRIMARY KEY, e text, t text, d date DEFAULT now(), must integer NOT NULL);
CREATE TABLE c (
  id integer PRIMARY KEY, u integer REFERENCES u, x int4range,
  EXCLUDE USING gist (x WITH &&), CHECK (u > 0), UNIQUE (u, id)
);
CREATE INDEX ix ON u (e);
CREATE VIEW v AS SELECT id FROM u;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM u;
CREATE FUNCTION f(a integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION several() RETURNS SETOF integer LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tg BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION tf();
CREATE AGGREGATE agg (integer) (SFUNC = int4pl, STYPE = integer);
CREATE TABLE parted (id integer, k integer) PARTITION BY RANGE (k);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE idt (id integer GENERATED ALWAYS AS IDENTITY, g integer GENERATED ALWAYS AS (1) STORED);
CREATE POLICY pol ON u USING (true);
CREATE RULE r AS ON DELETE TO u DO INSTEAD NOTHING;
GRANT SELECT ON u TO drift_reader;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO drift_reader;
CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER srv FOREIGN DATA WRAPPER fdw;
CREATE FOREIGN TABLE ft (a integer) SERVER srv OPTIONS (x '1');
"""
ACTION = """
ALTER TABLE c DROP CONSTRAINT c_u_fkey, ADD CONSTRAINT c_u_fkey FOREIGN KEY (u) REFERENCES u ON DELETE CASCADE
"""
NOTICED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "sequence": {
        "ALTER SEQUENCE seq INCREMENT 2": WRITERS,
        "ALTER SEQUENCE seq CACHE 5": WRITERS,
        "ALTER SEQUENCE seq CYCLE": WRITERS,
        "ALTER SEQUENCE seq MAXVALUE 100": WRITERS,
        "ALTER SEQUENCE seq AS smallint": WRITERS,
        "ALTER SEQUENCE seq START 5": WRITERS,
        "ALTER SEQUENCE seq OWNED BY u.id": WRITERS,
        "ALTER SEQUENCE seq SET UNLOGGED": NEITHER,
        "CREATE SEQUENCE seq2": NEITHER,
        "DROP SEQUENCE seq": WRITERS,
        "ALTER TABLE idt ALTER id SET INCREMENT 5": WRITERS,
    },
    "function": {
        "ALTER FUNCTION f IMMUTABLE": BOTH,
        "ALTER FUNCTION f SECURITY DEFINER": BOTH,
        "ALTER FUNCTION f STRICT": BOTH,
        "ALTER FUNCTION f SET search_path = public": BOTH,
        "ALTER FUNCTION f SET work_mem = '8MB'": BOTH,
        "ALTER FUNCTION f PARALLEL SAFE": NEITHER,
        "ALTER FUNCTION f LEAKPROOF": NEITHER,
        "ALTER FUNCTION f COST 5": NEITHER,
        "ALTER FUNCTION several ROWS 5": NEITHER,
        "ALTER PROCEDURE p SECURITY DEFINER": BOTH,
        "CREATE OR REPLACE FUNCTION f(a integer DEFAULT 2) RETURNS integer LANGUAGE sql AS 'SELECT a'": BOTH,
        "CREATE OR REPLACE FUNCTION f(a integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT a + 1'": BOTH,
        "DROP FUNCTION f": BOTH,
        "CREATE FUNCTION g() RETURNS integer LANGUAGE sql AS 'SELECT 1'": NEITHER,
        "DROP AGGREGATE agg(integer); CREATE AGGREGATE agg (integer) (SFUNC = int4mul, STYPE = integer)": BOTH,
    },
    "collation": {
        "DROP COLLATION caseless": BOTH,
        'CREATE COLLATION other FROM "C"': NEITHER,
        "DROP COLLATION caseless; CREATE COLLATION caseless (provider = icu, locale = 'und')": BOTH,
    },
    "column type": {
        'ALTER TABLE u ALTER t TYPE text COLLATE "C"': BOTH,
        "ALTER TABLE u ALTER t TYPE text COLLATE caseless": BOTH,
        "ALTER TABLE u ALTER t TYPE varchar(10)": BOTH,
        "ALTER TABLE u ADD n integer": NEITHER,
        "ALTER TABLE u ADD n integer NOT NULL": WRITERS,
        "ALTER TABLE u ADD n integer NOT NULL DEFAULT 3": NEITHER,
        "ALTER TABLE u DROP t": BOTH,
    },
    "storage": {"ALTER TABLE u ALTER e SET STORAGE EXTERNAL": NEITHER},
    "table": {
        "ALTER TABLE u SET (fillfactor = 50)": NEITHER,
        "ALTER TABLE u SET (autovacuum_enabled = false)": NEITHER,
        "ALTER TABLE u SET (toast.autovacuum_enabled = false)": NEITHER,
        "ALTER TABLE parted DETACH PARTITION part1": BOTH,
        "ALTER TABLE idt SET UNLOGGED": BOTH,
        "CREATE TABLE s2.t2 (id integer)": NEITHER,
        "DROP TABLE c": BOTH,
        "ALTER FOREIGN TABLE ft OPTIONS (SET x '2')": BOTH,
    },
    "index": {
        "ALTER INDEX ix SET (fillfactor = 50)": NEITHER,
        "DROP INDEX ix": NEITHER,
        "DROP INDEX ix; CREATE INDEX ix ON u (e DESC)": NEITHER,
        "DROP INDEX ix; CREATE INDEX ix ON u (e) INCLUDE (t)": NEITHER,
        "DROP INDEX ix; CREATE INDEX ix ON u (e text_pattern_ops)": NEITHER,
        "DROP INDEX ix; CREATE INDEX ix ON u USING hash (e)": NEITHER,
    },
    "primary key": {"ALTER INDEX u_pkey SET (fillfactor = 50)": NEITHER},
    "unique": {
        "ALTER INDEX c_u_id_key SET (fillfactor = 50)": NEITHER,
        "ALTER TABLE c DROP CONSTRAINT c_u_id_key": READERS,
        "ALTER TABLE c DROP CONSTRAINT c_u_id_key, ADD CONSTRAINT c_u_id_key UNIQUE NULLS NOT DISTINCT (u, id)": BOTH,
    },
    "exclusion": {
        "ALTER INDEX c_x_excl SET (buffering = off)": NEITHER,
        "ALTER TABLE c DROP CONSTRAINT c_x_excl": READERS,
    },
    "unique index": {"CREATE UNIQUE INDEX ux ON u (t)": WRITERS},
    "extension": {
        "DROP EXTENSION citext": BOTH,
        "CREATE EXTENSION hstore": NEITHER,
        "ALTER EXTENSION citext SET SCHEMA s2": BOTH,
    },
    "default privilege": {
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM drift_reader": NEITHER,
        "ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO drift_app": NEITHER,
        "ALTER DEFAULT PRIVILEGES IN SCHEMA s2 GRANT USAGE ON SEQUENCES TO drift_app": NEITHER,
    },
    "privilege": {
        "GRANT SELECT ON u TO drift_app": NEITHER,
        "GRANT SELECT (id) ON c TO drift_app": NEITHER,
        "REVOKE SELECT ON u FROM drift_reader": READERS,
        "REVOKE EXECUTE ON FUNCTION f FROM PUBLIC": BOTH,
        "REVOKE USAGE ON TYPE mood FROM PUBLIC": BOTH,
        "GRANT SELECT ON u TO drift_reader WITH GRANT OPTION": NEITHER,
    },
    "enum": {"ALTER TYPE mood ADD VALUE 'c'": READERS, "ALTER TYPE mood RENAME VALUE 'a' TO 'z'": BOTH},
    "domain": {"ALTER DOMAIN pos SET NOT NULL": BOTH, "ALTER DOMAIN pos SET DEFAULT 3": BOTH},
    "composite type": {"ALTER TYPE pair ADD ATTRIBUTE c integer": BOTH, "DROP TYPE pair": BOTH},
    "range type": {"DROP TYPE span": BOTH},
    "check": {
        "ALTER DOMAIN pos ADD CONSTRAINT q CHECK (VALUE < 9)": WRITERS,
        "ALTER TABLE c ADD CONSTRAINT q CHECK (id > 0)": WRITERS,
        "ALTER TABLE c ADD CONSTRAINT q CHECK (id > 0) NOT VALID": WRITERS,
        "ALTER TABLE c DROP CONSTRAINT c_u_check": READERS,
    },
    "foreign key": {
        "ALTER TABLE c DROP CONSTRAINT c_u_fkey": READERS,
        "ALTER TABLE c ALTER CONSTRAINT c_u_fkey DEFERRABLE INITIALLY DEFERRED": BOTH,
    },
    "referential action": {
        ACTION: WRITERS,
    },
    "null allowed": {"ALTER TABLE u ALTER t SET NOT NULL": WRITERS},
    "not null": {"ALTER TABLE u ALTER must DROP NOT NULL": READERS},
    "default": {
        "ALTER TABLE u ALTER d DROP DEFAULT": WRITERS,
        "ALTER TABLE u ALTER d SET DEFAULT '2020-01-01'": WRITERS,
        "ALTER TABLE u ALTER t SET DEFAULT 'x'": NEITHER,
    },
    "identity": {"ALTER TABLE idt ALTER id SET GENERATED BY DEFAULT": WRITERS},
    "generated": {"ALTER TABLE idt ALTER g DROP EXPRESSION": BOTH},
    "view": {
        "CREATE OR REPLACE VIEW v AS SELECT id FROM u WHERE id > 3": BOTH,
        "ALTER VIEW v SET (security_invoker = true)": BOTH,
        "ALTER VIEW v SET (check_option = local)": BOTH,
        "ALTER VIEW v ALTER id SET DEFAULT 4": BOTH,
        "DROP VIEW v": BOTH,
    },
    "materialised view": {
        "ALTER MATERIALIZED VIEW mv SET (fillfactor = 40)": NEITHER,
        "DROP MATERIALIZED VIEW mv": READERS,
    },
    "trigger": {
        "DROP TRIGGER tg ON u": BOTH,
        "ALTER TABLE u DISABLE TRIGGER tg": BOTH,
        "CREATE TRIGGER tg2 AFTER UPDATE OF e ON u FOR EACH STATEMENT EXECUTE FUNCTION tf()": WRITERS,
    },
    "rule": {
        "DROP RULE r ON u": BOTH,
        "ALTER TABLE u DISABLE RULE r": BOTH,
        "CREATE OR REPLACE RULE r AS ON DELETE TO u DO ALSO NOTHING": BOTH,
    },
    "row policy": {
        "ALTER TABLE u ENABLE ROW LEVEL SECURITY": BOTH,
        "ALTER TABLE u FORCE ROW LEVEL SECURITY": BOTH,
        "DROP POLICY pol ON u": BOTH,
        "ALTER POLICY pol ON u TO drift_app": BOTH,
        "CREATE POLICY pol2 ON u FOR SELECT USING (true)": BOTH,
    },
    "schema": {"DROP SCHEMA s2": BOTH, "CREATE SCHEMA s3": NEITHER},
}


@pytest.mark.thorough
def test_every_change_by_hand_is_a_difference_of_its_class(empty_database: str) -> None:
    """Of each kind of promise, and of each thing about it; and what is then live can be frozen and read back."""
    wrong = []
    with psycopg.connect(empty_database) as connection:
        connection.execute(SCHEMA)
        frozen = read_catalog(connection)
        for kind, changes in NOTICED.items():
            for ddl, breaks in changes.items():
                with connection.transaction(force_rollback=True):
                    connection.execute(ddl.encode())
                    live = read_catalog(connection)
                assert loads(dumps(Contract("s", live)), where="s").catalog == live, ddl
                told = {(one.kind, one.breaks) for one in headlines(drift(frozen, live))}
                if (kind, breaks) not in told:
                    wrong.append((ddl, kind, breaks, told))
        connection.rollback()
    assert wrong == []
