-- What encrypts the tokens of installations. Run once a database, before the migrations, by a role that may create
-- extensions; harmless when run again.
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pgcrypto') THEN
    RAISE EXCEPTION 'the extension pgcrypto is missing'
      USING ERRCODE = 'undefined_object', HINT = 'install PostgreSQL''s contrib packages';
  END IF;
END
$$;
