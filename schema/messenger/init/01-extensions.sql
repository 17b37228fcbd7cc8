-- The extension that the schema relies on, for search by parts of names. Run once a database, before the migrations,
-- by a role that may create extensions; harmless when run again.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
