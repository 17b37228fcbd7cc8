-- One table at least for each hard thing that a schema may promise, and for each shape of CHECK. All of it is proven.
CREATE EXTENSION citext;
CREATE EXTENSION btree_gist;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE SCHEMA "we.ird; DROP TABLE x --";
CREATE DOMAIN long_id AS TEXT CHECK (length(VALUE) > 10);
CREATE DOMAIN longer_id AS long_id CHECK (VALUE <> 'aaaaaaaaaaaa');
CREATE TYPE "😀 'mood"" " AS ENUM ('a', 'b''c', '"; DROP TABLE x; --', '😀');
CREATE TYPE pair AS (a INTEGER, b TEXT);
CREATE FUNCTION is_even(n INTEGER) RETURNS BOOLEAN IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN n % 2 = 0; END';

-- CHECKs
CREATE TABLE shapes (
  id INTEGER PRIMARY KEY,
  bounded INTEGER NOT NULL CHECK (bounded BETWEEN 1 AND 9),
  listed TEXT NOT NULL CHECK (listed IN ('x', 'y', 'it''s')),
  trimmed TEXT NOT NULL CHECK (char_length(btrim(trimmed)) BETWEEN 2 AND 5),
  matched TEXT NOT NULL CHECK (matched ~ '^[a-z]{2}-\d+$'),
  lowered TEXT NOT NULL CHECK (lower(lowered) = lowered),
  liked TEXT NOT NULL CHECK (liked LIKE 'a%_b'),
  even INTEGER NOT NULL CHECK (is_even(even)),
  document JSONB NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(document) = 'object'),
  past TIMESTAMPTZ CHECK (past < now()),
  first INTEGER,
  second INTEGER,
  third INTEGER,
  kind TEXT NOT NULL CHECK (CASE WHEN kind = 'none' THEN first IS NULL ELSE length(kind) < 9 END),
  CHECK (num_nonnulls(first, second) = 1),
  CHECK ((second IS NULL) = (third IS NULL)),
  CHECK (first IS NULL OR first < bounded * 10),
  tags TEXT[] NOT NULL CHECK (cardinality(tags) BETWEEN 1 AND 3)
);
CREATE TABLE values_ (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  a NUMERIC(6, 2), b DOUBLE PRECISION, c "char", d CHAR(3), e CITEXT, f BYTEA, g TIME(2), h TIMESTAMP(0), i INTERVAL,
  j XML, k INET, l CIDR, m MACADDR, n BIT(4), o VARBIT(5), p MONEY, q POINT, r TSVECTOR, s TSQUERY, t HSTORE, u LTREE,
  v OID, w INT4RANGE, x NUMMULTIRANGE, y "😀 'mood"" "[], z pair
);

-- keys
CREATE TABLE leader (name TEXT PRIMARY KEY DEFAULT 'only' CHECK (name = 'only'), n INTEGER NOT NULL);
CREATE TABLE teams (id INTEGER PRIMARY KEY, code TEXT, UNIQUE NULLS NOT DISTINCT (code));
CREATE TABLE members (id INTEGER PRIMARY KEY, team INTEGER NOT NULL REFERENCES teams);
CREATE TABLE seats (
  id INTEGER PRIMARY KEY,
  team INTEGER NOT NULL REFERENCES teams,
  type TEXT NOT NULL CHECK (type IN ('x', 'y')),
  member INTEGER REFERENCES members,
  other INTEGER REFERENCES teams,
  done TIMESTAMPTZ,
  CHECK (member IS NULL OR other IS NULL)
);
CREATE UNIQUE INDEX one_free ON seats (team, type) WHERE member IS NULL;
CREATE UNIQUE INDEX one_taken ON seats (team, type, member) WHERE member IS NOT NULL;
CREATE UNIQUE INDEX one_x ON seats (type, team) WHERE type = 'x' AND done IS NULL;
CREATE UNIQUE INDEX one_other ON seats (COALESCE(other, 0), type) WHERE done IS NULL;
CREATE TABLE addresses (
  id INTEGER PRIMARY KEY,
  team INTEGER NOT NULL REFERENCES teams,
  "primary" BOOLEAN NOT NULL DEFAULT false,
  owner INTEGER UNIQUE,
  note TEXT
);
CREATE UNIQUE INDEX one_primary ON addresses (team, (CASE WHEN "primary" THEN true ELSE NULL::boolean END));
CREATE UNIQUE INDEX one_ownerless ON addresses ((CASE WHEN owner IS NULL THEN note END));
CREATE UNIQUE INDEX one_team ON addresses (team, note) WHERE team IS NOT NULL;
CREATE UNIQUE INDEX one_note ON addresses (nullif(note, ''), owner);
CREATE TABLE places (
  id INTEGER PRIMARY KEY,
  name CITEXT NOT NULL,
  lowered TEXT GENERATED ALWAYS AS (lower(name::TEXT)) STORED,
  CONSTRAINT by_name UNIQUE (name) DEFERRABLE,
  CONSTRAINT by_lowered UNIQUE (lowered) DEFERRABLE INITIALLY DEFERRED
);

-- exclusions
CREATE TABLE bookings (
  id INTEGER PRIMARY KEY,
  team INTEGER NOT NULL REFERENCES teams,
  during TSTZRANGE NOT NULL,
  gone BOOLEAN NOT NULL DEFAULT FALSE,
  CONSTRAINT not_twice EXCLUDE USING gist (team WITH =, during WITH &&) WHERE (NOT gone)
);
CREATE TABLE stays (
  id INTEGER PRIMARY KEY,
  "it's from" DATE NOT NULL,
  until DATE,
  kind TEXT,
  CHECK ("it's from" < until),
  CONSTRAINT alone EXCLUDE USING gist (daterange("it's from", until, '[]') WITH &&) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT one_a_kind EXCLUDE USING gist (kind WITH =, id WITH <>)
);

-- foreign keys
CREATE TABLE halves (a INTEGER, b INTEGER NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE full_ (
  id INTEGER PRIMARY KEY,
  a INTEGER,
  b INTEGER,
  FOREIGN KEY (a, b) REFERENCES halves MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE TABLE some_nulled (
  id INTEGER PRIMARY KEY,
  a INTEGER,
  b INTEGER NOT NULL,
  FOREIGN KEY (a, b) REFERENCES halves ON DELETE SET NULL (a) ON UPDATE RESTRICT
);
CREATE TABLE rivals (
  id INTEGER PRIMARY KEY,
  a INTEGER NOT NULL REFERENCES teams ON DELETE CASCADE ON UPDATE CASCADE,
  b INTEGER NOT NULL REFERENCES teams,
  c INTEGER REFERENCES teams ON DELETE RESTRICT ON UPDATE SET NULL
);
CREATE TABLE persons (id INTEGER PRIMARY KEY REFERENCES teams);
CREATE TABLE sellers (id INTEGER PRIMARY KEY REFERENCES persons ON UPDATE CASCADE);
CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES nodes, next INTEGER UNIQUE REFERENCES nodes);
CREATE TABLE hens (id INTEGER PRIMARY KEY, egg INTEGER NOT NULL);
CREATE TABLE eggs (id INTEGER PRIMARY KEY, hen INTEGER NOT NULL REFERENCES hens);
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE;
CREATE TABLE later (id INTEGER PRIMARY KEY, team INTEGER, n INTEGER);
ALTER TABLE later ADD FOREIGN KEY (team) REFERENCES teams NOT VALID;
ALTER TABLE later ADD CHECK (n > 0) NOT VALID;

-- what migrations seeded, and what triggers make
CREATE TABLE kinds (name TEXT PRIMARY KEY CHECK (name IN ('unknown', 'a', 'b')));
CREATE TABLE scopes (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL REFERENCES kinds CHECK (kind IN ('a', 'b')),
  longer longer_id
);
CREATE TABLE things (id INTEGER PRIMARY KEY, scope long_id NOT NULL REFERENCES scopes);
INSERT INTO kinds VALUES ('unknown'), ('a'), ('b');
INSERT INTO scopes VALUES ('global', 'a', NULL);
CREATE TABLE one_row (n INTEGER NOT NULL);
CREATE UNIQUE INDEX one_row_only ON one_row ((n IS NOT NULL));
INSERT INTO one_row VALUES (5);
CREATE TABLE logs (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  team INTEGER REFERENCES teams,
  person INTEGER REFERENCES persons,
  CHECK ((kind = 'both' AND num_nonnulls(team, person) = 2) OR (kind = 'none' AND num_nonnulls(team, person) = 0))
);

-- partitions and inheritance
CREATE TABLE events (id INTEGER, at DATE NOT NULL, team INTEGER REFERENCES teams, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE animals (id INTEGER PRIMARY KEY, name TEXT NOT NULL, CHECK (name <> ''));
CREATE TABLE pets (owner TEXT) INHERITS (animals);

-- names
CREATE TABLE "we.ird; DROP TABLE x --"."Ta""ble' 😀" (
  "Id.1" INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "select" TEXT NOT NULL CONSTRAINT "chk;'--" CHECK ("select" <> ''),
  "a""b" "😀 'mood"" " NOT NULL DEFAULT '"; DROP TABLE x; --',
  "%s $1 {}" INTEGER CONSTRAINT "fk "";" REFERENCES teams
);
CREATE UNIQUE INDEX "i'x; --" ON "we.ird; DROP TABLE x --"."Ta""ble' 😀" ("select", ("%s $1 {}" + 1)) WHERE "a""b" = '😀';

-- views
CREATE VIEW open_seats AS SELECT id, team, type FROM seats WHERE type = 'x' WITH CASCADED CHECK OPTION;
CREATE MATERIALIZED VIEW seats_a_team AS SELECT team, count(*) AS n FROM seats GROUP BY team;
CREATE UNIQUE INDEX ON seats_a_team (team);

-- what is tied to a parent by what it is, and rows that several promises refuse
CREATE TYPE sort AS ENUM ('note', 'task', 'list');
CREATE TABLE items (id SERIAL PRIMARY KEY, sort sort NOT NULL DEFAULT 'note', UNIQUE (id, sort));
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY REFERENCES items,
  sort sort NOT NULL GENERATED ALWAYS AS ('task'::sort) STORED,
  title TEXT NOT NULL,
  FOREIGN KEY (id, sort) REFERENCES items (id, sort) ON DELETE CASCADE
);
CREATE TABLE lists (
  id INTEGER PRIMARY KEY,
  sort sort NOT NULL DEFAULT 'list' CHECK (sort = 'list'),
  FOREIGN KEY (id, sort) REFERENCES items (id, sort)
);
CREATE TABLE alike (
  a INTEGER NOT NULL REFERENCES teams,
  b INTEGER NOT NULL REFERENCES teams,
  PRIMARY KEY (a, b),
  CONSTRAINT differ CHECK (a <> b),
  CONSTRAINT ordered CHECK (a < b)
);

-- documents that must have something at a path
CREATE TABLE documents (
  id INTEGER PRIMARY KEY,
  listed JSONB NOT NULL CHECK (listed ->> 'type' IN ('x', 'y')),
  keyed JSONB NOT NULL DEFAULT '{"id": 1}' CHECK (keyed ? 'id'),
  inner_ JSONB CHECK (jsonb_typeof(inner_ -> 'tags') = 'array' AND jsonb_array_length(inner_ -> 'tags') > 0),
  both_ JSONB NOT NULL CHECK (both_ ?& ARRAY['x', 'y']),
  deep JSON NOT NULL CHECK ((deep #>> '{a,b}') IS NOT NULL),
  numbered JSONB NOT NULL CHECK ((numbered ->> 'n')::INTEGER BETWEEN 5 AND 9),
  named JSONB CHECK (length(named ->> 'name') > 3),
  source JSONB NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX one_source ON documents ((source ->> 'Ref'));
CREATE UNIQUE INDEX one_path ON documents (((deep -> 'a') ->> 'b'), (source #>> '{x,y}'));

-- defaults that other promises keep from being given
CREATE TABLE rows_ (
  id SERIAL PRIMARY KEY, block INTEGER NOT NULL, number INTEGER NOT NULL, UNIQUE (block, number) DEFERRABLE
);
CREATE TABLE numbered (id SERIAL PRIMARY KEY, other BIGINT GENERATED BY DEFAULT AS IDENTITY UNIQUE);
INSERT INTO numbered SELECT n, n FROM generate_series(1, 60) AS n;
CREATE TABLE extended (id SERIAL PRIMARY KEY REFERENCES numbered, n INTEGER);
CREATE FUNCTION asked_of_session() RETURNS INTEGER STABLE LANGUAGE sql AS
  $$ SELECT nullif(current_setting('zoo.user', true), '')::INTEGER $$;
CREATE TABLE entered (id INTEGER PRIMARY KEY, by_whom INTEGER NOT NULL DEFAULT asked_of_session() REFERENCES numbered);

-- rules, and what is done in place of a write to a view
CREATE TABLE diary (id SERIAL PRIMARY KEY, what TEXT NOT NULL, n INTEGER);
CREATE TABLE goods (id INTEGER PRIMARY KEY, price INTEGER NOT NULL CHECK (price >= 0));
CREATE RULE dear AS ON UPDATE TO goods WHERE NEW.price > 100 AND OLD.price <= 100
  DO ALSO INSERT INTO diary (what, n) VALUES ('dear', OLD.price);
CREATE RULE kept AS ON DELETE TO diary DO INSTEAD NOTHING;
CREATE VIEW cheap AS SELECT id, price FROM goods WHERE price < 10;
CREATE RULE put AS ON INSERT TO cheap DO INSTEAD INSERT INTO goods VALUES (NEW.id, 1);
CREATE VIEW doubled AS SELECT id, price * 2 AS twice FROM goods;
CREATE FUNCTION halve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE goods SET price = NEW.twice / 2 WHERE id = OLD.id;
  RETURN NEW;
END $$;
CREATE TRIGGER halve INSTEAD OF UPDATE ON doubled FOR EACH ROW EXECUTE FUNCTION halve();
-- rows that triggers rewrite, or make under a parent's own key
CREATE TABLE articles (
  id SERIAL PRIMARY KEY, title TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, search TSVECTOR,
  touched TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.search := to_tsvector('english', NEW.title);
  NEW.slug := NEW.title || '-' || NEW.id;
  NEW.touched := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE holders (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES holders, own BOOLEAN DEFAULT false);
CREATE FUNCTION own_account() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO accounts VALUES (NEW.id, NEW.id, true); RETURN NULL; END';
CREATE TRIGGER own_account AFTER INSERT ON holders FOR EACH ROW EXECUTE FUNCTION own_account();
CREATE TABLE known (
  id INTEGER PRIMARY KEY, a REGCLASS NOT NULL, b REGPROC UNIQUE, c PG_LSN, d TID, e XID8, f PG_SNAPSHOT, g REGROLE,
  h REGTYPE, i REGCONFIG, j REFCURSOR, k REGPROCEDURE, l REGOPER, m REGOPERATOR, n REGNAMESPACE, o REGCOLLATION
);
CREATE TABLE titled (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name ~ '[[:alnum:]_]'));
CREATE UNIQUE INDEX one_title ON titled (lower(name));
INSERT INTO titled SELECT n, chr(96 + n % 26) || n FROM generate_series(1, 60) AS n;
CREATE FUNCTION who() RETURNS INTEGER STABLE LANGUAGE sql AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION who() FROM PUBLIC;
CREATE TABLE owned (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL);
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY its_own ON owned USING (owner = who());
CREATE FUNCTION beyond(i INTEGER, OUT a INTEGER, OUT b TEXT) STABLE LANGUAGE sql AS
  'SELECT i + 10, name FROM holders ORDER BY id LIMIT 1';
CREATE TABLE renters (id UUID PRIMARY KEY);
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  holder INTEGER REFERENCES holders,
  renter UUID REFERENCES renters,
  CHECK (holder IS NOT NULL OR renter IS NOT NULL)
);

-- partitions that a program makes, and such as take few of the keys
CREATE TABLE happened (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  renter UUID NOT NULL REFERENCES renters ON DELETE CASCADE,
  at TIMESTAMPTZ NOT NULL DEFAULT now(),
  kind TEXT CHECK (kind <> ''),
  PRIMARY KEY (id, at),
  UNIQUE (renter, at, kind)
) PARTITION BY RANGE (at);
CREATE INDEX happened_kind ON happened (kind);
CREATE TABLE parts_of (id BIGINT NOT NULL, n INTEGER NOT NULL) PARTITION BY HASH (n);
CREATE TABLE divided (id UUID PRIMARY KEY REFERENCES renters) PARTITION BY HASH (id);
CREATE TABLE divided_0 PARTITION OF divided FOR VALUES WITH (MODULUS 16, REMAINDER 0);
CREATE TABLE divided_9 PARTITION OF divided FOR VALUES WITH (MODULUS 16, REMAINDER 9);
