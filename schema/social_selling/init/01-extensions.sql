-- Extensions that the schema and its operators rely on. Run once a database, before the migrations, by a role that
-- may create extensions; harmless when run again.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;

DO $$
DECLARE
  absent TEXT;
BEGIN
  SELECT string_agg(wanted.name, ', ' ORDER BY wanted.name ASC)
  INTO absent
  FROM unnest(ARRAY['uuid-ossp', 'pgcrypto', 'pg_trgm', 'pg_stat_statements']) AS wanted (name)
  LEFT JOIN pg_catalog.pg_extension AS installed ON installed.extname = wanted.name
  WHERE installed.oid IS NULL;

  IF absent IS NOT NULL THEN
    RAISE EXCEPTION 'extensions are missing: %', absent
      USING ERRCODE = 'undefined_object', HINT = 'install PostgreSQL''s contrib packages';
  END IF;
END
$$;
