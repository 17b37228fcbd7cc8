-- Indexes of every method and kind, on ordinary and odd tables. All of them are sound.
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION btree_gin SCHEMA public;
CREATE SCHEMA "odd.place";
CREATE TABLE owners (id INTEGER PRIMARY KEY);
CREATE TABLE things (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER CONSTRAINT fk REFERENCES owners (id),
  code INTEGER NOT NULL UNIQUE,
  name VARCHAR(60) NOT NULL,
  alias public.citext,
  price NUMERIC,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
  done BOOLEAN NOT NULL DEFAULT FALSE,
  made TIMESTAMPTZ NOT NULL DEFAULT now(),
  ended TIMESTAMPTZ,
  tags TEXT[],
  doc JSONB NOT NULL DEFAULT '{}',
  spot POINT,
  during INT4RANGE
);
CREATE INDEX owned ON things (owner_id, made DESC, code);
CREATE INDEX ordered ON things (price DESC NULLS LAST, alias);
CREATE INDEX made ON things (made DESC);
CREATE INDEX undone ON things (made) INCLUDE (name, code) WHERE NOT done AND ended IS NULL;
CREATE INDEX open ON things (state, made) WHERE state = 'open';
CREATE INDEX ended ON things (ended) WHERE ended IS NOT NULL;
CREATE INDEX lowered ON things (lower(name) text_pattern_ops, (code % 10));
CREATE INDEX collated ON things (name COLLATE "POSIX");
CREATE INDEX hashed ON things USING hash (name);
CREATE INDEX tagged ON things USING gin (tags);
CREATE INDEX documented ON things USING gin (doc);
CREATE INDEX documented_paths ON things USING gin (doc jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX alike ON things USING gin (name public.gin_trgm_ops) WHERE NOT done;
CREATE INDEX alike_gist ON things USING gist (name public.gist_trgm_ops (siglen = 32));
CREATE INDEX placed ON things USING gist (spot);
CREATE INDEX timed ON things USING gist (during) INCLUDE (code);
CREATE INDEX spaced ON things USING spgist (spot);
CREATE INDEX bricked ON things USING brin (made) WITH (pages_per_range = 8);
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a INTEGER, b TEXT);
CREATE DOMAIN positive AS INTEGER CHECK (VALUE > 0);
CREATE TABLE kinds (
  id INTEGER PRIMARY KEY,
  mood mood,
  size positive,
  pair pair,
  address INET,
  hours TSRANGE,
  ratio DOUBLE PRECISION,
  doc JSONB,
  days DATE[],
  query TSQUERY
);
CREATE INDEX kinds_mood ON kinds (mood DESC NULLS LAST, size);
CREATE INDEX kinds_pair ON kinds (pair);
CREATE INDEX kinds_address ON kinds USING spgist (address);
CREATE INDEX kinds_network ON kinds USING brin (address inet_inclusion_ops);
CREATE INDEX kinds_hours ON kinds USING gist (hours);
CREATE INDEX kinds_ratio ON kinds USING brin (ratio float8_minmax_multi_ops, size int4_bloom_ops);
CREATE INDEX kinds_part ON kinds USING gin ((doc -> 'part') jsonb_path_ops);
CREATE INDEX kinds_number ON kinds (((doc ->> 'n')::INTEGER) DESC) INCLUDE (size) WHERE (doc ->> 'kind') = 'x';
CREATE INDEX kinds_some_days ON kinds USING gin (coalesce(days, '{2020-01-01}'::DATE[])) WHERE days <> '{}';
CREATE INDEX kinds_days ON kinds USING gin (days);
CREATE INDEX kinds_query ON kinds USING gist (query);
CREATE TABLE selves (id INTEGER PRIMARY KEY, up INTEGER NOT NULL REFERENCES selves (id), note TEXT);
CREATE INDEX selves_up ON selves (up, note);
CREATE INDEX selves_search ON selves USING gin (to_tsvector('english', coalesce(note, 'nothing')));
CREATE TABLE no_key (a INTEGER, b INTEGER);
CREATE INDEX plain ON no_key (a, b);
CREATE TABLE "odd.place"."Ta""ble" ("select" INTEGER PRIMARY KEY, "Na me" TEXT, "the lexeme" TEXT, query TEXT);
CREATE INDEX "in.dex" ON "odd.place"."Ta""ble" ("Na me" DESC) WHERE "select" > 5;
CREATE INDEX "se arch" ON "odd.place"."Ta""ble"
  USING gin (to_tsvector('pg_catalog.english', "the lexeme")) WHERE query IS NULL;
CREATE TABLE events (id INTEGER NOT NULL, day DATE NOT NULL, kind TEXT NOT NULL) PARTITION BY RANGE (day);
CREATE INDEX events_kind ON events (kind, day DESC);
CREATE INDEX events_id ON events (id);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE INDEX events_new_alone ON events_new (kind);
CREATE TABLE shards (id INTEGER NOT NULL, name TEXT) PARTITION BY HASH (id);
CREATE INDEX shards_name ON shards (name);
CREATE TABLE parents (id INTEGER PRIMARY KEY, size INTEGER);
CREATE INDEX sizes ON parents (size);
CREATE TABLE heirs (extra INTEGER) INHERITS (parents);
CREATE TABLE guarded (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL);
CREATE INDEX tenants ON guarded (tenant);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE TABLE rewritten (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE FUNCTION fold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := lower(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER fold BEFORE INSERT ON rewritten FOR EACH ROW EXECUTE FUNCTION fold();
CREATE INDEX rewritten_name ON rewritten (name);
CREATE INDEX rewritten_search ON rewritten USING gin (to_tsvector('english', name));
CREATE MATERIALIZED VIEW totals AS
  SELECT state, count(*) AS count, max(name) AS name FROM things GROUP BY state WITH NO DATA;
CREATE INDEX totals_count ON totals (count DESC);
CREATE INDEX totals_name ON totals USING gin (to_tsvector('simple', name));

CREATE TEXT SEARCH CONFIGURATION public.own (COPY = pg_catalog.portuguese);
CREATE DOMAIN prose AS TEXT CHECK (char_length(VALUE) <= 2000);
CREATE TABLE pages (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL CONSTRAINT chk_title CHECK (char_length(title) BETWEEN 1 AND 80),
  body TEXT CONSTRAINT chk_body CHECK (char_length(body) <= 5000),
  kind TEXT NOT NULL DEFAULT 'text' CONSTRAINT chk_kind CHECK (kind IN ('text', 'image')),
  doc JSONB,
  keywords TEXT[],
  summary prose,
  search TSVECTOR GENERATED ALWAYS AS (
    setweight(to_tsvector('portuguese', coalesce(title, '')), 'A') || to_tsvector('portuguese', coalesce(body, ''))
  ) STORED,
  kept TSVECTOR,
  filled TSVECTOR
);
CREATE TRIGGER filled BEFORE INSERT OR UPDATE ON pages
  FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(filled, 'pg_catalog.english', title, body);
CREATE INDEX body_search ON pages USING gin (to_tsvector('portuguese', body)) WHERE kind = 'text';
CREATE INDEX body_plain ON pages USING gin (to_tsvector('simple', body));
CREATE INDEX body_own ON pages USING gin (to_tsvector('public.own', body));
CREATE INDEX body_gist ON pages USING gist (to_tsvector('english', body));
CREATE INDEX both_search ON pages USING gin (to_tsvector('english', title), to_tsvector('english', body));
CREATE INDEX with_kind ON pages USING gin (kind, to_tsvector('english', title));
CREATE INDEX summary_search ON pages USING gin (to_tsvector('english', summary));
CREATE INDEX doc_search ON pages USING gin (to_tsvector('english', doc));
CREATE INDEX made_search ON pages USING gin (search);
CREATE INDEX kept_search ON pages USING gin (kept);
CREATE INDEX filled_search ON pages USING gin (filled);
