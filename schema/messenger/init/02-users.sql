-- The application's role: it reads and writes rows, and nothing else. Run once a database, before the migrations;
-- harmless when run again.
--
-- Roles belong to the whole cluster. The setting pgcontract.role_app names the role where messenger_app is
-- taken; a role that is there already is used as it is, never altered. It cannot log in: a login role becomes its
-- member (GRANT messenger_app TO somebody).
--
-- Tables, sequences: granted by default privileges, so that tables of later migrations are reached, too.
-- Functions: nobody may execute one that a migration does not grant.
DO $$
DECLARE
  app CONSTANT TEXT := COALESCE(NULLIF(current_setting('pgcontract.role_app', TRUE), ''), 'messenger_app');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = app) THEN
    BEGIN
      EXECUTE format(
        'CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', app
      );
    EXCEPTION
      -- another database of this cluster was initialised at the same moment
      WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;

  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), app);
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', app);

  ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
  EXECUTE format(
    'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', app
  );
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO %I', app);
END
$$;
